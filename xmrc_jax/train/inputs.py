"""What the steps of a stage take besides the state: batches, and whether some process must stop.

That travels beside the batch, since the step is what all processes take together: every process
puts what it has heard, the step reduces it, and all read the same answer one step later.
"""

import jax
import numpy as np

from xmrc_jax.data.batches import Batch, Batches
from xmrc_jax.processes import sigterm
from xmrc_jax.train.sharding import Share


class Inputs:
    """The batch of every step, and what the processes have heard when it was put.

    Args:
      batches: of the stage.
      steps: of the whole stage.
      mesh: of its devices.
      accumulate: parts of a batch that a step takes one after the other.

    Attributes:
      layouts: of every step, how the windows of its batch share rows; equal ones need one program.
    """

    def __init__(self, batches: Batches, steps: int, mesh: jax.sharding.Mesh, accumulate: int = 1):
        self._batches, self._share = batches, Share(mesh, batches.batch_size)
        self.layouts = batches.layouts(steps, self._share.groups * accumulate)

    def at(self, step: int) -> tuple[Batch, jax.Array | None]:
        """Global arrays of a step: its batch and ``stop_B``, True at rows of processes that have
        heard SIGTERM; None in a run of one, which need not ask the others."""
        rows = self._share.rows
        batch = self._batches.batch_at(step, rows, self.layouts[step])
        stop_B = None if jax.process_count() == 1 else np.full(len(rows), sigterm.heard())
        return self._share.put((batch, stop_B))


def must_stop() -> bool:
    """Whether the only process has heard SIGTERM; of several none decides alone."""
    return jax.process_count() == 1 and sigterm.heard()
