"""Which readings carry the method: each alone against the default, with controls, zero-shot.

By default on slices of real text, ``configs/small.py``. 'base, longer' is a base reader of as many
steps as base and two-stage reader have together: what merely more training gives. Label smoothing
and R-Drop are what any regulariser gives (R-Drop nothing where there is no dropout, as in
``configs/quickstart.py``); the rows 'decoded' are readers of other rows, asked in another way.
"""

from xmrc_jax.configs.tables import BASES, base, entry, table

FIXED = {  # the start of learned weights with the defaults: 3/4 of the gold's
    'two_stage__weights': 'fixed',
    'two_stage__fixed_weights': (*(0.25 / 19,) * 19, 0.75),
}
AS_PRINTED = {'two_stage__hard_learning': 'as_printed', 'two_stage__weights': 'free'}


def get_config(variant: str = ''):
    get_config, _ = BASES[base(variant, 'small')]
    longer = 2 * get_config().train.epochs
    entries = [
        entry('base', system='base'),
        entry('base, longer', system='base', recipe=('base', 'score'), train__epochs=longer),
        *(
            entry(f'base, {label}', system='base', recipe=('base', 'score'), **leaves)
            for label, leaves in (
                ('label smoothing 0.1', {'train__label_smoothing': 0.1}),
                ('label smoothing 0.3', {'train__label_smoothing': 0.3}),
                ('R-Drop 0.5', {'train__r_drop': 0.5}),
                ('R-Drop 2.5', {'train__r_drop': 2.5}),
            )
        ),
        entry('two-stage'),
        *(
            entry(f'{label}, decoded by {name}', system=f'{reader}@{name.replace(" ", "_")}')
            for label, reader in (('base', 'base'), ('two-stage', 'two_stage'))
            for name in ('minimum risk', 'contrast')
        ),
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
        *(
            entry(label, **{f'two_stage__{leaf}': value})
            for label, leaf, value in (
                ('uniform weights', 'weights', 'uniform'),
                ('posterior', 'weights', 'posterior'),
                ('entropy bonus', 'weights', 'entropy'),
                ('free weights', 'weights', 'free'),
                ('sigmoid weights', 'weights', 'sigmoid'),
                ('no repeats of the gold in Z', 'mentions', 'gold_once'),
                ('one candidate a text', 'mentions', 'summed'),
            )
        ),
        entry('fixed weights', **FIXED),
        entry('boundary smoothing', 'boundary_smoothing'),
        entry('as printed, free weights', **AS_PRINTED),
        entry('per type', 'per_type'),
        entry('w/ MML', 'mml'),
        entry('hard EM', 'hard_em'),
        entry('no gold window: first token', data__without_gold='first_token'),
    ]
    config = table('readings', 'Readings', entries, variant, default='small', setting='zero_shot')
    with config.unlocked():
        config.evaluate.decodings = ('minimum_risk', 'contrast')
    return config.lock()


def _sharp(**leaves) -> dict:
    """A reading of eq. 8 that only a temperature can show at which its softmax moves."""
    return {'two_stage__temperature': 0.1} | leaves
