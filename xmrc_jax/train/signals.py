"""What processes say to each other from step to step: that one of them must stop.

It travels beside the batch, since the step is what all processes take together: every process
puts what it has heard, the step reduces it, and all read the same answer one step later.
"""

import jax
import numpy as np

from xmrc_jax.processes import sigterm


def heard(rows: int) -> np.ndarray | None:
    """``stop_B``, what this process puts for as many rows as it puts of a batch: True where it has
    heard SIGTERM. None in a run of one, which need not ask the others."""
    return None if jax.process_count() == 1 else np.full(rows, sigterm.heard())


def must_stop() -> bool:
    """Whether the only process has heard SIGTERM; of several none decides alone."""
    return jax.process_count() == 1 and sigterm.heard()
