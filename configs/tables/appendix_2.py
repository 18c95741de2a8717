"""Appendix, table 2: other encoders and ablations, zero-shot; with ``:xquad`` its lower half."""

from xmrc_jax.configs.tables import base, entry, table


def get_config(variant: str = ''):
    printed = f'appendix_2/{base(variant)}'
    rows = {
        'Info-XLM': ('infoxlm_base', 'base'),
        'XLM-A': ('xlm_align_base', 'base'),
        'XLM-R base': (),
        'Ours': (),
        'Removing HL': ('no_hard_learning',),
        'Removing AA-CL': ('no_contrast',),
        'w/ MML': ('mml',),
    }
    if printed.endswith('xquad'):
        del rows['XLM-R base']  # not printed there
    if base(variant) in ('small', 'quickstart'):
        del rows['Info-XLM'], rows['XLM-A']  # one encoder there
    entries = [
        entry(
            'two-stage' if row == 'Ours' else row,
            *variants,
            system='base' if row in ('Info-XLM', 'XLM-A', 'XLM-R base') else 'two_stage',
            paper=[printed, row],
        )
        for row, variants in rows.items()
    ]
    title = 'Appendix, table 2: ablation'
    return table('appendix_2', title, entries, variant, setting='zero_shot')
