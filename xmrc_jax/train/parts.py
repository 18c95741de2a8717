"""The named parts of a checkpoint: how a training state becomes them, and a reader from them.

A checkpoint holds three, so that a reader can be loaded without its optimizer: ``reader`` with all
token rows, those not in use as the stage found them; ``decay``, what weight decay has made of each
row since; and ``rest``. Where adapters are trained they are a fourth, ``adapters``, and the reader
is that beside which they stand. Rows and kernels are kept as they were, not as they are, so that a
resumed run rounds as the undisturbed one does; whoever loads a reader gets it as it is. Nothing but
the checkpoint is needed to read it.
"""

from collections.abc import Sequence
from functools import reduce
from operator import getitem
from pathlib import Path

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from orbax.checkpoint import v1 as ocp

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model.tuning import merged
from xmrc_jax.processes import agreement, ending, identity
from xmrc_jax.train.checkpoints import reason
from xmrc_jax.train.seal import damage
from xmrc_jax.train.step import TrainState
from xmrc_jax.train.vocabulary import abstract_decay, decayed


def parts_of(state: TrainState, decay: dict[str, jax.Array] | None = None) -> dict:
    """A state of values or shapes, with the parameters as stored, as the parts of a checkpoint.

    ``decay`` is that of ``vocabulary.Stored``; parts that are to be restored need none.
    """
    params = dict(state.params)
    own = {name: params.pop(name) for name in ('reader', 'adapters') if name in params}
    parts = own | {'rest': {'step': state.step, 'opt_state': state.opt_state, 'params': params}}
    return parts if decay is None else parts | {'decay': decay}


def state_of(parts: dict) -> TrainState:
    """The state whose parts these are."""
    rest = parts['rest']
    own = {name: parts[name] for name in ('reader', 'adapters') if name in parts}
    return TrainState(rest['step'], own | rest['params'], rest['opt_state'])


def load_mean(folder: Path, steps: Sequence[int], abstract_reader: dict) -> dict:
    """The mean of the reader's parameters of some checkpoints, in float32; else as ``load_reader``.

    It is taken leaf by leaf, so that no second reader is ever in memory.
    """
    first, *others = steps
    mean = load_reader(folder, first, abstract_reader)
    if not others:
        return mean
    leaves, tree = jax.tree.flatten(mean)
    del mean
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(abstract_reader)]
    for step in others:
        checkpoint = _sound(folder, step)
        for number, path in enumerate(paths):
            keys = [entry.key for entry in path]
            leaf = reduce(getitem, keys, abstract_reader)
            part = reduce(lambda inner, key: {key: inner}, reversed(keys), leaf)
            leaves[number] += jax.tree.leaves(_load(checkpoint, part, partial_load=True))[0]
    for number in range(len(leaves)):
        leaves[number] /= np.float32(len(steps))
    return jax.tree.unflatten(tree, leaves)


def load_reader(folder: Path, step: int, abstract_reader: dict) -> dict:
    """The reader's parameters of one checkpoint, placed as their abstract leaves say.

    Raises:
      UserError: there is no such checkpoint, it is damaged, or it holds another reader.
    """
    return _load(_sound(folder, step), abstract_reader)


def _sound(folder: Path, step: int) -> Path:
    path = folder.absolute() / str(step)
    if not path.is_dir():
        raise UserError(f'{path}: no such checkpoint')
    defect = damage(path, ('reader/', 'decay/', 'adapters/')) if identity.is_first() else ''
    if defect := agreement.decided(defect):
        raise UserError(
            f'{path}: damaged, {defect}; delete it and {folder.parent / "selected.json"} '
            'to train on from the checkpoint before it'
        )
    return path


def _load(path: Path, abstract_reader: dict, partial_load: bool = False) -> dict:
    """These leaves of the reader; without ``partial_load`` they must be all that it has."""
    requested = {'reader': abstract_reader}
    if decay := abstract_decay(abstract_reader):
        requested['decay'] = decay
    if (path / 'adapters').is_dir():
        requested['adapters'] = _adapters(path, abstract_reader)
    context = ocp.Context()
    context.pytree.loading.partial_load = partial_load
    try:
        with context:
            parts = ocp.load_checkpointables(path, requested)
    except (ValueError, KeyError) as error:
        if ending.is_of_a_peer(error):
            raise
        raise UserError(f'{path}: checkpoint of another model: {reason(error)}') from error
    return merged(decayed(parts['reader'], parts.get('decay', {})), parts.get('adapters', {}))


def _adapters(path: Path, abstract_reader: dict) -> dict:
    """The shapes of a checkpoint's adapters, each whole on every device of the reader's mesh."""
    everywhere = NamedSharding(jax.tree.leaves(abstract_reader)[0].sharding.mesh, PartitionSpec())
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=everywhere),
        ocp.checkpointables_metadata(path).metadata['adapters'],
    )
