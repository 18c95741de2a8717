"""Table 5: the base and the two-stage reader on MLQA, zero-shot and translate-train."""

from xmrc_jax.configs.tables import entry, table


def entries(name: str) -> list[dict]:
    """Those of tables 5 and 6, whose rows have the same names."""
    return [
        entry(
            f'{label}, {setting}',
            setting.replace('-', '_'),
            system=system,
            paper=[f'{name}/{setting}', row],
        )
        for setting in ('zero-shot', 'translate-train')
        for label, row, system in (
            ('XLM-R base', 'XLM-R base', 'base'),
            ('two-stage', 'Ours', 'two_stage'),
        )
    ]


def get_config(variant: str = ''):
    return table('table_5', 'Table 5', entries('table_5'), variant)
