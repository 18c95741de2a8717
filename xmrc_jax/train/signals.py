"""What processes say to each other from step to step: that one of them must stop.

It travels beside the batch, since the step is what all processes take together: every process
puts what it has heard, the step reduces it, and all read the same answer one step later.
"""

from typing import NamedTuple

import jax
import numpy as np

from xmrc_jax.processes import sigterm


class Signals(NamedTuple):
    """What the processes have heard; nothing in a run of one, which need not ask the others."""

    stop_B: jax.Array | np.ndarray | None = None  # bool, True at rows of those that heard SIGTERM


QUIET = Signals()  # of a run whose processes need not ask each other


def heard(rows: int) -> Signals:
    """What this process puts, for as many rows as it puts of a batch."""
    if jax.process_count() == 1:
        return QUIET
    return Signals(np.full(rows, sigterm.heard()))


def must_stop() -> bool:
    """Whether the only process has heard SIGTERM; of several none decides alone."""
    return jax.process_count() == 1 and sigterm.heard()
