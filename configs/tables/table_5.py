"""Table 5: base and two-stage reader and the paper's peers on MLQA, zero-shot and translate-train.

Rows that are other encoders stay empty: ``table_5.py:infoxlm_base`` or ``:xlm`` has one's base
reader. Peers are readings, see docs/method.md.
"""

from xmrc_jax.configs.tables import entry, table

PEERS = (  # label, the print's row and table, variants, system, whether it needs no translations
    ('LAKM', 'table_5', ('lakm',), 'lakm', True),
    ('CalibreNet', 'table_5', ('calibrenet',), 'calibrate', True),
    ('self-distillation', '', ('skd',), 'distil', True),
    ('mixMRC', 'table_6', ('mixmrc',), 'base', False),
    ('mixMRC, two-stage', '', ('mixmrc', 'two_stage'), 'two_stage', False),
    ('LBMRC', 'table_6', ('lbmrc',), 'distil', False),
)


def entries(name: str) -> list[dict]:
    """Those of tables 5 and 6, whose rows have the same names; the paper's own come first."""
    settings = ('zero-shot', 'translate-train')
    return [
        entry(
            f'{label}, {setting}',
            setting.replace('-', '_'),
            system=system,
            paper=[f'{name}/{setting}', row],
        )
        for setting in settings
        for label, row, system in (
            ('XLM-R base', 'XLM-R base', 'base'),
            ('two-stage', 'Ours', 'two_stage'),
        )
    ] + [
        entry(
            f'{label}, {setting}',
            setting.replace('-', '_'),
            *variants,
            system=system,
            paper=[f'{name}/{setting}', label] if (name, setting) == (of, settings[1]) else None,
        )
        for setting in settings
        for label, of, variants, system, anywhere in PEERS
        if anywhere or setting == settings[1]
    ]


def get_config(variant: str = ''):
    return table('table_5', 'Table 5', entries('table_5'), variant)
