"""The one training step: loss over the global batch, gradient, update."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding, PartitionSpec

from xmrc_jax.data.batches import Batch
from xmrc_jax.model.tuning import joined
from xmrc_jax.train.optimizer import OptimizerConfig, build, schedule
from xmrc_jax.train.sharding import path_of


class Outcome(NamedTuple):
    """What an objective says of a batch: its loss and what is worth logging."""

    loss_B: jax.Array  # float32 loss of each window
    averages: dict[str, tuple[jax.Array, jax.Array]]  # name -> values [B], weights [B]
    values: dict[str, jax.Array]  # name -> scalar or vector, logged as it is


Objective = Callable[[Any, Batch, jax.Array, jax.Array], Outcome]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrainState:
    """All that changes while training, and what does not; a run is resumed from nothing else."""

    step: jax.Array  # int32, updates made so far
    params: Any
    opt_state: optax.OptState
    fixed: Any = field(default_factory=dict)  # of the encoder, see ``tuning``


def initial_state(
    params, optimizer: optax.GradientTransformation, fixed: dict | None = None
) -> TrainState:
    """State before the first update. Traceable."""
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params), fixed or {})


def train_step(
    state: TrainState,
    batch: Batch,
    run_key: jax.Array,
    stop_B: jax.Array | None = None,
    *,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    learning_rate: optax.Schedule,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One update. The loss is the sum over the real windows of the global batch over their number.

    Args:
      state: donated by the caller.
      batch: global arrays, see ``data.batches``; rows where ``real_B`` is False count for nothing.
      run_key: the run's dropout key; the key of a step is folded from it, so a resumed run draws
        what the undisturbed one draws.
      stop_B: bool, True at rows of processes that must stop, see ``inputs``; None: of none.
      objective, optimizer, learning_rate: of the stage.

    Returns:
      The next state and float32 metrics: ``loss``, ``grad_norm`` (before clipping), the
      objective's averages over the global batch and its values. ``vitals`` apart: ``now_3``, loss,
      norm of the gradient and whether to stop, in one array that is cheap to fetch, and ``norms``,
      the norm of each parameter's gradient.
    """
    real_B = batch.real_B.astype(jnp.float32)

    def mean(values_B, weights_B):
        weights_B = weights_B * real_B
        return jnp.sum(values_B * weights_B) / jnp.maximum(weights_B.sum(), 1.0)

    def loss_of(params):
        key = jax.random.fold_in(run_key, state.step)
        outcome = objective(joined(params, state.fixed), batch, state.step, key)
        averages = {name: mean(*pair) for name, pair in outcome.averages.items()}
        return mean(outcome.loss_B, real_B), averages | outcome.values

    (loss, metrics), grads = jax.value_and_grad(loss_of, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    norm = optax.tree.norm(grads)
    stop = False if stop_B is None else jnp.any(stop_B)
    metrics |= {
        'loss': loss,
        'grad_norm': norm,
        'learning_rate': learning_rate(state.step),
        'vitals': {
            'now_3': jnp.stack([loss, norm, jnp.asarray(stop, jnp.float32)]),
            'norms': {
                path_of(path): optax.tree.norm(leaf)
                for path, leaf in jax.tree_util.tree_leaves_with_path(grads)
            },
        },
    }
    return TrainState(state.step + 1, params, opt_state, state.fixed), metrics


def compiled_step(
    objective: Objective, optimizer: OptimizerConfig, steps: int, shardings: TrainState
) -> Callable:
    """``train_step`` under jit: ``(state, batch, run_key, stop_B) -> (state, metrics)``.

    The state is donated and kept where ``shardings``, one for every leaf, say; the schedule is that
    of a stage of so many steps.
    """
    step = partial(
        train_step,
        objective=objective,
        optimizer=build(optimizer, steps),
        learning_rate=schedule(optimizer, steps),
    )
    everywhere = NamedSharding(shardings.step.mesh, PartitionSpec())
    return jax.jit(step, donate_argnums=0, out_shardings=(shardings, everywhere))
