"""Table 7: what each part adds, on three languages of MLQA, translate-train."""

from xmrc_jax.configs.tables import entry, table


def get_config(variant: str = ''):
    entries = [
        entry('two-stage', paper=['table_7', 'Ours']),
        entry('- HL', 'no_hard_learning', paper=['table_7', '- HL']),
        entry('- AA-CL', 'no_contrast', paper=['table_7', '- AA-CL']),
        entry('w/ MML', 'mml', paper=['table_7', 'w/ MML']),
    ]
    config = table('table_7', 'Table 7: ablation', entries, variant, setting='translate_train')
    with config.unlocked():
        languages = ('/es', '/ar', '/vi')
        config.data.tests = tuple(name for name in config.data.tests if name.endswith(languages))
    return config
