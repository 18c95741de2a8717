"""Table 6: the base and the two-stage reader on XQuAD, zero-shot and translate-train."""

from configs.tables.table_5 import entries
from xmrc_jax.configs.tables import table


def get_config(variant: str = ''):
    return table('table_6', 'Table 6', entries('table_6'), variant, default='xquad')
