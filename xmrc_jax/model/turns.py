"""A batch that is read in parts, one after the other: what activations need is that of one part.

The reading is put together again before any loss is computed, so a loss sees the whole batch, the
partners of a contrast included; and each part is read a second time where its gradient is taken,
which adds up over the parts. That is GradCache (Gao et al. 2021), said to JAX as a scan over
checkpoints. The price is one forward pass more; the result is that of the whole batch but for the
order of float32 sums. What a token drops does not depend on the part that it is in.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import jax

Arrays = TypeVar('Arrays')  # a tree of arrays


def in_turns(read: Callable[..., Arrays], turns: int, groups: int, batch: tuple) -> Arrays:
    """``read(*batch)``, computed in so many turns.

    Groups lie on different devices, see ``packing``; each turn takes as much of every device.

    Args:
      read: of arrays whose leading axis is one of windows or of groups; so are its results'.
      turns: divides the groups, or the windows where ``groups`` is 1.
      groups: of the batch; those of a device adjoin, one for each turn.
      batch: arrays, or None where there is none.

    Example:
      >>> ones = jax.numpy.ones(8)  # windows 0 1 4 5, then 2 3 6 7
      >>> in_turns(jax.numpy.cumsum, 2, 4, (ones,)).tolist()
      [1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0]
    """
    if turns == 1:
        return read(*batch)
    devices = max(groups // turns, 1)

    def parted(x):
        x = x.reshape(devices, turns, -1, *x.shape[1:]).swapaxes(0, 1)
        return x.reshape(turns, -1, *x.shape[3:])

    def joined(x):
        x = x.reshape(turns, devices, -1, *x.shape[2:]).swapaxes(0, 1)
        return x.reshape(-1, *x.shape[3:])

    @partial(jax.checkpoint, prevent_cse=False)
    def turn(part):
        return read(*part)

    return jax.tree.map(joined, jax.lax.map(turn, jax.tree.map(parted, batch)))
