"""Readers out of checkpoints: without the optimizer, with their decay, one or the mean of some."""

import dataclasses
import shutil

import jax
import numpy as np
import pytest

from tests.train.stored import abstract_reader, decay_V, flip, largest, save, stored
from xmrc_jax.ground.errors import UserError
from xmrc_jax.train import parts, sharding
from xmrc_jax.train.checkpoints import Checkpoints
from xmrc_jax.train.vocabulary import on_table


def test_a_state_is_its_parts(state):
    whole = stored(state)
    assert whole.keys() == {'reader', 'decay', 'rest'}
    assert parts.parts_of(state).keys() == {'reader', 'rest'}
    jax.tree.map(np.testing.assert_array_equal, parts.state_of(whole), state)


def test_a_reader_is_loaded_without_its_optimizer_and_with_its_decay(folder, state, encoder):
    mesh = sharding.make_mesh(2, 2, 2)
    shutil.rmtree(folder / '7' / 'rest')
    loaded = parts.load_reader(folder, 7, abstract_reader(encoder, mesh))
    expected = on_table(lambda each: each * decay_V(state)[:, None], state.params['reader'])
    jax.tree.map(np.testing.assert_array_equal, loaded, expected)
    assert loaded['span']['kernel'].sharding.mesh == mesh


def test_the_mean_is_that_of_whole_readers(tmp_path, state, encoder):
    # Three states x, 2 x and 6 x: their mean is 3 x, of decayed token rows too.
    saved = Checkpoints(tmp_path, keep=0, scores={})
    for step, factor in ((1, 1), (2, 2), (3, 6)):
        params = jax.tree.map(lambda leaf, factor=factor: leaf * factor, state.params)
        saved.save(step, stored(dataclasses.replace(state, params=params)))
    saved.wait()
    saved.close()
    abstract = abstract_reader(encoder, sharding.make_mesh(2, 2, 2))
    one = parts.load_reader(tmp_path, 1, abstract)
    mean = parts.load_mean(tmp_path, [1, 2, 3], abstract)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, 3 * b, rtol=1e-6), mean, one)
    same = jax.tree.map(lambda leaf, wanted: leaf.sharding == wanted.sharding, mean, abstract)
    assert jax.tree.all(same)
    jax.tree.map(np.testing.assert_array_equal, parts.load_mean(tmp_path, [1], abstract), one)


def test_the_mean_loads_one_reader_and_then_single_leaves(
    tmp_path, state, encoder, key, monkeypatch
):
    save(tmp_path, state, [1, 2])
    loaded, load = [], parts.ocp.load_checkpointables

    def counted(path, abstract):
        loaded.append(len(jax.tree.leaves(abstract['reader'])))
        return load(path, abstract)

    monkeypatch.setattr(parts.ocp, 'load_checkpointables', counted)
    abstract = abstract_reader(encoder, sharding.make_mesh())
    parts.load_mean(tmp_path, [1, 2], abstract)
    leaves = len(jax.tree.leaves(abstract))
    assert loaded == [leaves] + [1] * leaves


def test_a_mean_with_a_damaged_member_is_refused(tmp_path, state, encoder):
    save(tmp_path, state, [1, 2])
    shutil.rmtree(tmp_path / '2' / 'reader')
    with pytest.raises(UserError, match='2: damaged'):
        parts.load_mean(tmp_path, [1, 2], abstract_reader(encoder, sharding.make_mesh()))


def test_a_missing_checkpoint_is_named(folder, encoder):
    with pytest.raises(UserError, match=r'checkpoints/8: no such checkpoint'):
        parts.load_reader(folder, 8, abstract_reader(encoder, sharding.make_mesh()))


@pytest.mark.parametrize(
    'other', [{'width': 32}, {'width': 8}, {'layers': 3}, {'layers': 1}, {'vocabulary': 9}]
)
def test_another_model_is_refused_in_one_line(other, folder, encoder):
    abstract = abstract_reader(dataclasses.replace(encoder, **other), sharding.make_mesh())
    with pytest.raises(UserError, match='checkpoints/7: checkpoint of another model') as caught:
        parts.load_reader(folder, 7, abstract)
    assert '\n' not in str(caught.value)


def test_a_damaged_reader_is_not_loaded(folder, encoder):
    flip(largest(folder / '7' / 'reader'))
    with pytest.raises(UserError, match=r'7: damaged, reader/.* has other content; delete it and'):
        parts.load_reader(folder, 7, abstract_reader(encoder, sharding.make_mesh()))
