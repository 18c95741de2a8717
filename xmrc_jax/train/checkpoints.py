"""Checkpoints of the whole training state, written by orbax in the background.

A checkpoint holds three parts, so that a reader can be loaded without its optimizer: ``reader``
with all token rows, those not in use as the stage found them; ``decay``, what weight decay has
made of each row since; and ``rest``. Rows not in use are kept as they were, not as they are, so
that a resumed run rounds as the undisturbed one does. Nothing but the checkpoint is needed to
read it. Kept are the last ``keep`` and the best by dev F1.
"""

import hashlib
from pathlib import Path

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from orbax.checkpoint import v1 as ocp

from xmrc_jax.errors import UserError
from xmrc_jax.train.step import TrainState
from xmrc_jax.train.vocabulary import decayed, table


def _rank(metrics: dict) -> tuple[float, int]:
    """What is best: the highest dev F1, the earliest of equals."""
    return metrics['f1'], -metrics['step']


def open_folder(folder: Path, *, every: int, keep: int) -> ocp.training.Checkpointer:
    """A checkpointer that saves at multiples of ``every`` steps; create the folder if need be."""
    policies = ocp.training.preservation_policies
    return ocp.training.Checkpointer(
        folder.absolute(),
        save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(every),
        preservation_policy=policies.AnyPreservationPolicy(
            [policies.LatestN(keep), policies.BestN(get_metric_fn=_rank, n=1)]
        ),
        cleanup_tmp_directories=True,
    )


def _parts(state: TrainState) -> dict:
    params = dict(state.params)
    reader = params.pop('reader')
    return {
        'reader': reader,
        'rest': {'step': state.step, 'opt_state': state.opt_state, 'params': params},
    }


def save(
    checkpointer, step: int, state: TrainState, decay_V: jax.Array, f1: float | None, *, last: bool
) -> None:
    """Start writing ``state``; the last step is written whatever the interval says.

    Args:
      state: its reader has all token rows.
      decay_V: float32 factor of each row, for ``load_reader``.
      f1: dev F1 in percent; None where no dev set is scored, then the newest counts as best.
    """
    metrics = {'f1': float(step) if f1 is None else f1, 'step': step}
    parts = _parts(state) | {'decay': {'token': decay_V}}
    checkpointer.save_checkpointables_async(step, parts, metrics=metrics, force=last)


def restore(checkpointer, abstract_state: TrainState) -> TrainState | None:
    """The newest checkpoint placed as ``abstract_state`` says (leaves carry shardings), or None."""
    if checkpointer.latest is None:
        return None
    parts = checkpointer.load_checkpointables(checkpointer.latest.step, _parts(abstract_state))
    rest = parts['rest']
    params = {'reader': parts['reader']} | rest['params']
    return TrainState(rest['step'], params, rest['opt_state'])


def best(checkpointer) -> ocp.training.CheckpointMetadata:
    """The best of the checkpoints that are kept."""
    return max(checkpointer.checkpoints, key=lambda each: _rank(each.metrics))


def load_reader(folder: Path, step: int, abstract_reader: dict) -> dict:
    """The reader's parameters of one checkpoint, placed as their abstract leaves say.

    Raises:
      UserError: there is no such checkpoint, or it holds another reader.
    """
    path = folder.absolute() / str(step)
    if not path.is_dir():
        raise UserError(f'{path}: no such checkpoint')
    token = table(abstract_reader)
    everywhere = NamedSharding(token.sharding.mesh, PartitionSpec())
    decay_V = jax.ShapeDtypeStruct(token.shape[:1], token.dtype, sharding=everywhere)
    asked = {'reader': abstract_reader, 'decay': {'token': decay_V}}
    with ocp.training.Checkpointer(folder.absolute()) as checkpointer:
        try:
            parts = checkpointer.load_checkpointables(step, asked)
        except (ValueError, KeyError) as error:
            raise UserError(f'{path}: checkpoint of another model: {_first_line(error)}') from error
    return decayed(parts['reader'], parts['decay']['token'])


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def fingerprint(params) -> str:
    """sha256 of the values of all parameters, in the order of their paths."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(params):
        digest.update(np.ascontiguousarray(jax.device_get(leaf)))
    return digest.hexdigest()
