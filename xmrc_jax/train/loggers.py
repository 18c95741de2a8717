"""Trackers of experiments beside the run's own diary: trackio and wandb, where they are installed.

Both have the same calls. A stage is one of their runs, in the project ``xmrc_jax``, and a stage
that is continued goes on in it. Their own environment variables say where they keep it.
"""

import hashlib
import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_object

PROJECT = 'xmrc_jax'
LOGGERS = {'trackio': ('name',), 'wandb': ('name', 'id')}  # by which options each knows a run again


def check(loggers: Sequence[str]) -> None:
    """Refuse, before anything is trained, what is not installed; UserError says how to mend it."""
    for name in loggers:
        if importlib.util.find_spec(name) is None:
            raise UserError(
                f'train.loggers={",".join(loggers)}: {name} is not installed; pip install {name}'
            )


def opened(loggers: Sequence[str], folder: Path) -> list:
    """A run of each, for a stage in its folder, with the run's configuration if it lies above.

    Each has ``log(values, step=step)`` and ``finish()``.
    """
    check(loggers)
    place = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:8]
    own = f'{folder.absolute().parent.name}-{folder.name}-{place}'
    config = read_object(folder.parent / 'config.json')
    return [
        importlib.import_module(name).init(
            project=PROJECT, config=config, resume='allow', **dict.fromkeys(LOGGERS[name], own)
        )
        for name in loggers
    ]
