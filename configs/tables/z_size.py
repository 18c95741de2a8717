"""Figure 2: the size of Z, without the contrast, with MML and the base reader; translate-train.

Every size is taken from one mined set of the 50 best.
"""

from xmrc_jax.configs.tables import entry, table


def get_config(variant: str = ''):
    entries = [
        entry(f'|Z| = {size}', 'no_contrast', x=size, mine__candidates=size)
        for size in (1, 5, 10, 20, 50)
    ]
    entries += [entry('w/ MML', 'mml', 'no_contrast'), entry('base', 'no_contrast', system='base')]
    shown = {'setting': 'translate_train', 'axis': '|Z|', 'also_xquad': True}
    return table('z_size', 'Figure 2: |Z|', entries, variant, **shown, mine__n_best=50)
