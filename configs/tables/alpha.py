"""Figure 4: alpha, the weight of the contrast in eq. 9, translate-train, MLQA and XQuAD."""

from xmrc_jax.configs.tables import entry, table


def get_config(variant: str = ''):
    entries = [
        entry(f'alpha = {alpha}', x=alpha, two_stage__alpha=alpha)
        for alpha in (0.1, 0.3, 0.5, 0.7, 0.9)
    ]
    shown = {'setting': 'translate_train', 'axis': 'alpha', 'also_xquad': True}
    return table('alpha', 'Figure 4: alpha', entries, variant, **shown)
