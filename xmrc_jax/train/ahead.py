"""The programs of a stage, compiled in the order in which its steps need them.

One thread compiles. The first step waits for its own program alone; while it runs the next one is
made, so that later steps seldom wait.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import jax

from xmrc_jax.train.inputs import Inputs
from xmrc_jax.train.step import TrainState


class Ahead:
    """The training step, a program for each layout of the batches to come.

    Args:
      step_fn: under ``jax.jit``, see ``step.compiled_step``.
      inputs: of the stage.
      first: step to begin with.
      state, run_key: what it is given then.
    """

    def __init__(
        self,
        step_fn: jax.stages.Wrapped,
        inputs: Inputs,
        first: int,
        state: TrainState,
        run_key: jax.Array,
    ):
        state, run_key = _abstract((state, run_key))  # the arrays are donated soon

        def compiled(step: int) -> jax.stages.Compiled:
            batch, stop_B = _abstract(inputs.at(step))
            return step_fn.lower(state, batch, run_key, stop_B).compile()

        self._layouts, first_steps = inputs.layouts, {}
        for step, layout in enumerate(inputs.layouts[first:], first):
            first_steps.setdefault(layout, step)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix='compile')
        self._programs = {
            layout: self._worker.submit(compiled, step) for layout, step in first_steps.items()
        }

    def __getitem__(self, step: int) -> Callable:
        """What makes a step, as soon as it is compiled; raises what compiling it raised."""
        return self._programs[self._layouts[step]].result()

    def close(self) -> None:
        """Compile no more than what is begun."""
        self._worker.shutdown(wait=False, cancel_futures=True)


def _abstract(arrays):
    """Shapes, dtypes and places."""

    def of(x: jax.Array) -> jax.ShapeDtypeStruct:
        weak = x.aval.weak_type
        return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding, weak_type=weak)

    return jax.tree.map(of, arrays)
