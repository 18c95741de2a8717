"""What the steps of a stage take besides the state, on the devices."""

import jax

from xmrc_jax.data.batches import Batch, Batches
from xmrc_jax.train.sharding import Share
from xmrc_jax.train.signals import heard


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
        """Batch and ``stop_B`` of a step, global arrays."""
        rows = self._share.rows
        batch = self._batches.batch_at(step, rows, self.layouts[step])
        return self._share.put((batch, heard(len(rows))))
