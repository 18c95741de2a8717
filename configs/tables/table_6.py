"""Table 6: what table 5 has, on XQuAD."""

from xmrc_jax.configs.tables import table
from xmrc_jax.configs.tables.table_5 import entries


def get_config(variant: str = ''):
    return table('table_6', 'Table 6', entries('table_6'), variant, default='xquad')
