"""A figure small enough for a test: two values of alpha, no seed alike, and their base reader."""

from tests import small
from xmrc_jax.configs.tables import entry


def get_config(variant: str = 'two_stage'):
    """The recipe of ``small`` as a table."""
    config = small.get_config(variant)
    entries = [
        entry('alpha = 0.3', x=0.3, two_stage__alpha=0.3),
        entry('alpha = 0.5', x=0.5),
        entry('base', system='base'),
    ]
    kept = ('label', 'x', 'system', 'paper', 'changes')
    with config.unlocked():
        config.table = dict(
            name='alpha',
            title='Alpha',
            axis='alpha',
            entries=tuple({name: each[name] for name in kept} for each in entries),
        )
    return config.lock()
