"""Appendix, table 1: which hard negatives, zero-shot; with ``:xquad`` its right half."""

from xmrc_jax.configs.tables import base, entry, table


def get_config(variant: str = ''):
    printed = f'appendix_1/{base(variant)}'
    rows = {
        'Theta = 1': 'two_stage',
        'Theta = 10': 'theta_10',
        'Theta = 20': 'theta_20',
        'top 1 prediction': 'top1_negative',
        'random sample': 'random_negative',
    }
    entries = [entry(row, name, paper=[printed, row]) for row, name in rows.items()]
    title = 'Appendix, table 1: hard negatives'
    return table('appendix_1', title, entries, variant, setting='zero_shot')
