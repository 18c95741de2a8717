"""What a benchmark says besides its numbers: the command, the machine, the spread."""

import os
import shlex
import time
from collections.abc import Callable, Sequence

import jax
import numpy as np
from tqdm import tqdm

from xmrc_jax.recipe.surroundings import software


def head(command: str, argv: Sequence[str]) -> str:
    """The command line, the device, the versions."""
    versions = ', '.join(f'{name} {number}' for name, number in software().items())
    return (
        f'    python -m {shlex.join([command, *argv])}\n\n'
        f'{jax.devices()[0].device_kind}, {os.cpu_count()} CPU cores; {versions}\n'
    )


def spread(values: np.ndarray, form: str = '.2f') -> list[str]:
    """The median, and the lowest to the highest.

    >>> spread(np.array([1.0, 4.0, 2.0]))
    ['2.00', '1.00 to 4.00']
    """
    return [f'{np.median(values):{form}}', f'{values.min():{form}} to {values.max():{form}}']


def alternated(
    runs: dict[str, Callable[[int], object]],
    rounds: int,
    unit: str = ' rounds',
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, np.ndarray]:
    """Seconds of every run in every round, in an order that turns round each time.

    Args:
      runs: what to time, by name; called with the number of the round. Each ran before.
      rounds: how often.
      unit: of the progress bar.
      clock: in seconds; ``time.process_time`` where others use the machine too.
    """
    found = {name: [] for name in runs}
    for number in tqdm(range(rounds), unit=unit, leave=False):
        for name in list(runs)[:: 1 if number % 2 else -1]:
            start = clock()
            runs[name](number)
            found[name].append(clock() - start)
    return {name: np.array(seconds) for name, seconds in found.items()}
