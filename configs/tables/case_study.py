"""Figure 3: the answers to a question at every checkpoint of both readers, translate-train.

All checkpoints are kept: of XLM-R base about 3 GB each, 30 and more of each reader.
"""

from xmrc_jax.configs.tables import entry, table


def get_config(variant: str = ''):
    entries = [entry('XLM-R base', system='base'), entry('two-stage')]
    title = 'Figure 3: case study'
    return table('case_study', title, entries, variant, setting='translate_train', train__keep=0)
