"""Appendix, figure 1: tau, the temperature of the contrast in eq. 8, translate-train, MLQA."""

from xmrc_jax.configs.tables import entry, table


def get_config(variant: str = ''):
    entries = [
        entry(f'tau = {tau}', x=tau, two_stage__temperature=float(tau))
        for tau in (1, 2, 4, 8, 10, 12, 20)
    ]
    title = 'Appendix, figure 1: tau'
    return table('tau', title, entries, variant, setting='translate_train', axis='tau')
