"""Checkpoints of a state that is easy to recognise, for the tests of all that reads them."""

import jax
import numpy as np

from tests.train import made
from xmrc_jax.model import reader
from xmrc_jax.train import sharding
from xmrc_jax.train.checkpoints import Checkpoints
from xmrc_jax.train.optimizer import build
from xmrc_jax.train.parts import parts_of, state_of
from xmrc_jax.train.step import initial_state
from xmrc_jax.train.vocabulary import table


def state_on(mesh, encoder, key):
    """A state whose every leaf, moments included, has values of its own."""
    params = {'reader': reader.init(encoder, key)} | made.method().hard.initial_slots(
        made.CANDIDATES
    )
    state = initial_state(params, build(made.optimizer(), 10))
    leaves, tree = jax.tree.flatten(state)
    values = [
        np.asarray(number + np.arange(leaf.size).reshape(leaf.shape), leaf.dtype)
        for number, leaf in enumerate(leaves)
    ]
    return jax.device_put(jax.tree.unflatten(tree, values), sharding.of(state, mesh))


def decay_V(state):
    """Every other token row has shrunk to a half."""
    rows = len(table(state.params['reader']))
    return np.where(np.arange(rows) % 2, 0.5, 1.0).astype(np.float32)


def stored(state):
    return parts_of(state, {'token': decay_V(state)})


def save(folder, state, steps, keep=9, scores=None):
    """One checkpoint for each step, all of the same state."""
    saved = Checkpoints(folder, keep=keep, scores={} if scores is None else scores)
    for step in steps:
        saved.save(step, stored(state))
        saved.wait()
    saved.close()
    return saved


def restored(folder, abstract):
    """The newest step, and its state."""
    saved = Checkpoints(folder, keep=9, scores={})
    try:
        parts = saved.restore(parts_of(abstract))
        return saved.newest, None if parts is None else state_of(parts)
    finally:
        saved.close()


def abstract_reader(encoder, mesh):
    return sharding.placed(reader.abstract(encoder), mesh)


def kept(folder):
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def largest(checkpoint):
    return max((p for p in checkpoint.rglob('*') if p.is_file()), key=lambda p: p.stat().st_size)


def truncate(checkpoint):
    path = largest(checkpoint)
    path.write_bytes(path.read_bytes()[:-1])
    return f'{path.relative_to(checkpoint)} has '


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
