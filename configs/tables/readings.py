"""Which readings carry the method: each alone against the default, with controls, zero-shot.

By default on slices of real text, ``configs/small.py``. 'base, longer' is a base reader of as many
steps as base and two-stage reader have together: what merely more training gives.
"""

from xmrc_jax.configs.tables import BASES, base, entry, table


def get_config(variant: str = ''):
    get_config, _ = BASES[base(variant, 'small')]
    longer = 2 * get_config().train.epochs
    entries = [
        entry('base', system='base'),
        entry('base, longer', system='base', recipe=('base', 'score'), train__epochs=longer),
        entry('two-stage'),
        entry('from the base reader', two_stage__start='base'),
        # The contrast, eq. 6 to 8.
        entry('- AA-CL', 'no_contrast'),
        *(entry(f'tau = {tau}', two_stage__temperature=tau) for tau in (1.0, 0.1, 0.05)),
        entry('times 10', two_stage__temperature_reading='multiply'),
        entry('tau = 0.1, own negative', **_sharp(two_stage__denominator='own_negative')),
        entry('tau = 0.1, in batch', **_sharp(two_stage__denominator='in_batch')),
        entry('tau = 0.1, Theta = 10', **_sharp(two_stage__negative_count=10)),
        entry('tau = 0.1, first token', **_sharp(two_stage__question='first_token')),
        # Hard learning, eq. 5.
        entry('- HL', 'no_hard_learning'),
        *(
            entry(
                f'gold starts {start:g}, floor {floor:g}',
                two_stage__gold_start=start,
                two_stage__gold_floor=floor,
            )
            for start, floor in ((0.05, 0.0), (0.5, 0.0), (0.05, 0.5), (0.8, 0.0))
        ),
        *(
            entry(f'slot rate x {rate:g}', train__slot_lr_multiplier=rate)
            for rate in (100.0, 1000.0)
        ),
        entry('slots are ranks', mine__gold_slot='by_rank'),
        entry('uniform weights', two_stage__weights='uniform'),
        entry('posterior', two_stage__weights='posterior'),
        entry('per type', 'per_type'),
        entry('w/ MML', 'mml'),
        entry('hard EM', 'hard_em'),
        entry('no gold window: first token', data__without_gold='first_token'),
    ]
    return table('readings', 'Readings', entries, variant, default='small', setting='zero_shot')


def _sharp(**leaves) -> dict:
    """A reading of eq. 8 that only a temperature can show at which its softmax moves."""
    return {'two_stage__temperature': 0.1} | leaves
