"""Which readings carry the method: each alone against the default, with controls, zero-shot.

By default on slices of real text, ``configs/small.py``. 'base, longer' is a base reader of as many
steps as base and two-stage reader have together: what merely more training gives (twice the epochs
of the configuration's file; with other epochs train that one apart). Label smoothing and R-Drop
are what any regulariser gives (R-Drop nothing where there is no dropout, as in
``configs/quickstart.py``); the rows 'decoded' are readers of other rows, asked in another way.
"""

from xmrc_jax.configs.tables import BASES, base, entry, table

FIXED = {  # where learned weights start by default: 3/4 of them the gold's
    'two_stage__weights': 'fixed',
    'two_stage__fixed_weights': (*(0.25 / 19,) * 19, 0.75),
}


def get_config(variant: str = ''):
    get_config, _ = BASES[base(variant, 'small')]
    longer = 2 * get_config().train.epochs
    entries = [
        entry('base', system='base'),
        *controls(longer),
        entry('two-stage'),
        *decodings(),
        entry('from the base reader', two_stage__start='base'),
        *contrast(),
        *hard_learning(),
        entry('no gold window: first token', data__without_gold='first_token'),
    ]
    config = table('readings', 'Readings', entries, variant, default='small', setting='zero_shot')
    with config.unlocked():
        config.evaluate.decodings = ('minimum_risk', 'contrast')
    return config.lock()


def controls(longer: float) -> list[dict]:
    """Base readers that get what a second stage gives besides its method."""
    leaves = {
        'longer': {'train__epochs': longer},
        'label smoothing 0.1': {'train__label_smoothing': 0.1},
        'label smoothing 0.3': {'train__label_smoothing': 0.3},
        'R-Drop 0.5': {'train__r_drop': 0.5},
        'R-Drop 2.5': {'train__r_drop': 2.5},
    }
    return [
        entry(f'base, {label}', system='base', recipe=('base', 'score'), **each)
        for label, each in leaves.items()
    ]


def decodings() -> list[dict]:
    """Answers chosen among the n-best in another way, without training."""
    return [
        entry(f'{label}, decoded by {name}', system=f'{reader}@{name.replace(" ", "_")}')
        for label, reader in (('base', 'base'), ('two-stage', 'two_stage'))
        for name in ('minimum risk', 'contrast')
    ]


def contrast() -> list[dict]:
    """Eq. 6 to 8. Only at a temperature at which its softmax moves does eq. 8 show its readings."""
    sharp = {
        'own negative': {'two_stage__denominator': 'own_negative'},
        'in batch': {'two_stage__denominator': 'in_batch'},
        'Theta = 10': {'two_stage__negative_count': 10},
        'first token': {'two_stage__question': 'first_token'},
    }
    return [
        entry('- AA-CL', 'no_contrast'),
        *(entry(f'tau = {tau}', two_stage__temperature=tau) for tau in (1.0, 0.1, 0.05)),
        entry('times 10', two_stage__temperature_reading='multiply'),
        *(
            entry(f'tau = 0.1, {label}', two_stage__temperature=0.1, **each)
            for label, each in sharp.items()
        ),
    ]


def hard_learning() -> list[dict]:
    """Eq. 5: where w comes from, and what a candidate is."""
    starts = ((0.05, 0.0), (0.5, 0.0), (0.05, 0.5), (0.8, 0.0))
    leaves = {
        f'gold starts {start:g}, floor {floor:g}': {
            'two_stage__gold_start': start,
            'two_stage__gold_floor': floor,
        }
        for start, floor in starts
    }
    leaves |= {f'slot rate x {x:g}': {'train__slot_lr_multiplier': x} for x in (100.0, 1000.0)}
    leaves |= {
        'slots are ranks': {'mine__gold_slot': 'by_rank'},
        'fixed weights': FIXED,
        'uniform weights': {'two_stage__weights': 'uniform'},
        'free weights': {'two_stage__weights': 'free'},
        'as printed, free weights': {
            'two_stage__hard_learning': 'as_printed',
            'two_stage__weights': 'free',
        },
    }
    variants = {
        '- HL': 'no_hard_learning',
        'per type': 'per_type',
        'w/ MML': 'mml',
        'boundary smoothing': 'boundary_smoothing',
    }
    return [
        *(entry(label, **each) for label, each in leaves.items()),
        *(entry(label, each) for label, each in variants.items()),
    ]
