"""Table 6: what table 5 has, on XQuAD."""

from configs.tables.table_5 import entries
from xmrc_jax.configs.tables import table


def get_config(variant: str = ''):
    return table('table_6', 'Table 6', entries('table_6'), variant, default='xquad')
