"""Checkpoints: the whole state comes back anywhere, the best is kept, strangers are refused."""

import dataclasses
from functools import partial

import jax
import numpy as np
import pytest

from xmrc_jax.errors import UserError
from xmrc_jax.model import reader
from xmrc_jax.train import checkpoints, sharding
from xmrc_jax.train.optimizer import OptimizerConfig, build
from xmrc_jax.train.step import initial_state
from xmrc_jax.train.vocabulary import on_table, table


def state_on(mesh, encoder, options, key):
    """A state whose every leaf, moments included, has values of its own."""
    params = {'reader': reader.init(encoder, key)} | options.initial_slots()
    state = initial_state(params, build(OptimizerConfig(), 10))
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


@pytest.fixture
def state(encoder, options, key):
    return state_on(sharding.make_mesh(), encoder, options, key)


@pytest.fixture
def folder(tmp_path, state):
    """One checkpoint, of step 7."""
    with checkpoints.open_folder(tmp_path / 'checkpoints', every=7, keep=1) as checkpointer:
        checkpoints.save(checkpointer, 7, state, decay_V(state), None, last=False)
    return tmp_path / 'checkpoints'


def abstract_reader(encoder, key, mesh):
    return sharding.placed(jax.eval_shape(partial(reader.init, encoder), key), mesh)


@pytest.mark.parametrize('sizes', [(8, 1, 1), (2, 4, 1), (2, 2, 2)])
def test_the_state_comes_back_on_another_mesh(sizes, folder, state):
    abstract = sharding.placed(state, sharding.make_mesh(*sizes))
    with checkpoints.open_folder(folder, every=7, keep=1) as checkpointer:
        again = checkpoints.restore(checkpointer, abstract)
    jax.tree.map(np.testing.assert_array_equal, again, state)
    placed = jax.tree.map(lambda leaf, asked: leaf.sharding == asked.sharding, again, abstract)
    assert jax.tree.all(placed)


def test_an_empty_folder_restores_nothing(tmp_path, state):
    with checkpoints.open_folder(tmp_path / 'new', every=7, keep=1) as checkpointer:
        assert checkpoints.restore(checkpointer, state) is None


def test_a_reader_is_loaded_without_its_optimizer_and_with_its_decay(folder, state, encoder, key):
    mesh = sharding.make_mesh(2, 2, 2)
    loaded = checkpoints.load_reader(folder, 7, abstract_reader(encoder, key, mesh))
    expected = on_table(lambda each: each * decay_V(state)[:, None], state.params['reader'])
    jax.tree.map(np.testing.assert_array_equal, loaded, expected)
    assert loaded['span']['kernel'].sharding.mesh == mesh


@pytest.mark.parametrize(
    ('scores', 'best', 'kept'),
    [
        ([50.0, 80.0, 60.0, 70.0, 75.0], 2, [2, 4, 5]),  # best by F1 beside the newest two
        ([50.0, 80.0, 80.0, 60.0, 80.0], 2, [2, 4, 5]),  # the earliest of equals
        ([50.0, 50.0, 60.0, 70.0, 75.0], 5, [4, 5]),  # the best is among the newest
        ([None] * 5, 5, [4, 5]),  # without a dev set the newest counts as best
    ],
)
def test_the_best_is_kept_beside_the_newest(scores, best, kept, tmp_path, state):
    with checkpoints.open_folder(tmp_path, every=1, keep=2) as checkpointer:
        for step, f1 in enumerate(scores, 1):
            checkpoints.save(checkpointer, step, state, decay_V(state), f1, last=False)
        checkpointer.wait()
        assert checkpoints.best(checkpointer).step == best
        assert [each.step for each in checkpointer.checkpoints] == kept
    assert sorted(int(path.name) for path in tmp_path.iterdir() if path.name.isdigit()) == kept


def test_only_multiples_of_the_interval_and_the_last_step_are_saved(tmp_path, state):
    with checkpoints.open_folder(tmp_path, every=4, keep=9) as checkpointer:
        for step in range(1, 11):
            checkpoints.save(checkpointer, step, state, decay_V(state), None, last=step == 10)
        checkpointer.wait()
        assert [each.step for each in checkpointer.checkpoints] == [4, 8, 10]


def test_a_missing_checkpoint_is_named(folder, encoder, key):
    with pytest.raises(UserError, match=r'checkpoints/8: no such checkpoint'):
        checkpoints.load_reader(folder, 8, abstract_reader(encoder, key, sharding.make_mesh()))


@pytest.mark.parametrize(
    'other', [{'width': 32}, {'width': 8}, {'layers': 3}, {'layers': 1}, {'vocabulary': 9}]
)
def test_another_model_is_refused_in_one_line(other, folder, encoder, key):
    abstract = abstract_reader(dataclasses.replace(encoder, **other), key, sharding.make_mesh())
    with pytest.raises(UserError, match='checkpoints/7: checkpoint of another model') as caught:
        checkpoints.load_reader(folder, 7, abstract)
    assert '\n' not in str(caught.value)


def test_the_fingerprint_is_of_the_values_not_of_their_place(state, encoder, options, key):
    params = state.params['reader']
    elsewhere = state_on(sharding.make_mesh(2, 2, 2), encoder, options, key).params['reader']
    leaves, tree = jax.tree.flatten(params)
    prints = [checkpoints.fingerprint(params)]
    assert checkpoints.fingerprint(elsewhere) == prints[0]
    for number, leaf in enumerate(leaves):
        value = np.array(leaf)
        value.flat[-1] = np.nextafter(value.flat[-1], np.float32(np.inf))
        changed = jax.tree.unflatten(tree, [*leaves[:number], value, *leaves[number + 1 :]])
        prints.append(checkpoints.fingerprint(changed))
    assert len(set(prints)) == len(leaves) + 1
