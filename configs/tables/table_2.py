"""Tables 1 and 2: EM of the base reader's k best answers, zero-shot (table 1 is k = 1)."""

from xmrc_jax.configs.tables import entry, table


def get_config(variant: str = ''):
    entries = [entry('XLM-R base', 'base', system='base', paper=['table_2', 'Top-1'])]
    return table('table_2', 'Tables 1-2: top-k EM', entries, variant, setting='zero_shot')
