"""Checkpoints: the state comes back anywhere, the best is kept, strangers and damage refused."""

import dataclasses
import shutil
from functools import partial

import jax
import numpy as np
import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import reader
from xmrc_jax.train import checkpoints, sharding
from xmrc_jax.train.checkpoints import Checkpoints
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


def save(folder, state, steps, keep=9, scores=None):
    """One checkpoint for each step, all of the same state."""
    saved = Checkpoints(folder, keep=keep, scores={} if scores is None else scores)
    for step in steps:
        saved.save(step, state, decay_V(state))
        saved.wait()
    saved.close()
    return saved


@pytest.fixture
def folder(tmp_path, state):
    """One checkpoint, of step 7."""
    save(tmp_path / 'checkpoints', state, [7])
    return tmp_path / 'checkpoints'


def restored(folder, abstract):
    saved = Checkpoints(folder, keep=9, scores={})
    try:
        return saved.newest, saved.restore(abstract)
    finally:
        saved.close()


def abstract_reader(encoder, key, mesh):
    return sharding.placed(jax.eval_shape(partial(reader.init, encoder), key), mesh)


def kept(folder):
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


@pytest.mark.parametrize('sizes', [(8, 1, 1), (2, 4, 1), (2, 2, 2)])
def test_the_state_comes_back_on_another_mesh(sizes, folder, state):
    abstract = sharding.placed(state, sharding.make_mesh(*sizes))
    _, again = restored(folder, abstract)
    jax.tree.map(np.testing.assert_array_equal, again, state)
    placed = jax.tree.map(lambda leaf, asked: leaf.sharding == asked.sharding, again, abstract)
    assert jax.tree.all(placed)


def test_an_empty_folder_restores_nothing(tmp_path, state):
    assert restored(tmp_path / 'new', state) == (None, None)


def test_a_reader_is_loaded_without_its_optimizer_and_with_its_decay(folder, state, encoder, key):
    mesh = sharding.make_mesh(2, 2, 2)
    shutil.rmtree(folder / '7' / 'rest')
    loaded = checkpoints.load_reader(folder, 7, abstract_reader(encoder, key, mesh))
    expected = on_table(lambda each: each * decay_V(state)[:, None], state.params['reader'])
    jax.tree.map(np.testing.assert_array_equal, loaded, expected)
    assert loaded['span']['kernel'].sharding.mesh == mesh


@pytest.mark.parametrize(
    ('scores', 'best', 'left'),
    [
        ([50.0, 80.0, 60.0, 70.0, 75.0], 2, [2, 4, 5]),  # best by F1 beside the newest two
        ([50.0, 80.0, 80.0, 60.0, 80.0], 2, [2, 4, 5]),  # the earliest of equals
        ([50.0, 50.0, 60.0, 70.0, 75.0], 5, [4, 5]),  # the best is among the newest
        ([], None, [4, 5]),  # without a dev set
    ],
)
def test_the_best_is_kept_beside_the_newest(scores, best, left, tmp_path, state):
    known = {}
    saved = Checkpoints(tmp_path, keep=2, scores=known)
    for step in range(1, 6):
        saved.save(step, state, decay_V(state))
        if scores:
            known[step] = scores[step - 1]  # a state is scored after it is saved
    saved.wait()
    assert saved.best() == best
    saved.close()
    assert kept(tmp_path) == left


def test_a_stop_in_between_crowds_out_no_checkpoint(tmp_path, state):
    """Steps 3 and 5 are saved by stops of a run that saves every second step."""
    saved = Checkpoints(tmp_path, keep=2, scores={}, due=lambda step: step % 2 == 0)
    left = []
    for step in (2, 3, 4, 5):
        saved.save(step, state, decay_V(state))
        saved.wait()
        left.append(kept(tmp_path))
    saved.close()
    assert left[1:] == [[2, 3], [2, 4], [2, 4, 5]]  # continued from 3 and 5, chosen from 2 and 4
    assert saved.kept() == [2, 4]


def test_without_a_limit_all_are_kept(tmp_path, state):
    saved = save(tmp_path, state, range(1, 6), keep=0)
    assert saved.kept() == [1, 2, 3, 4, 5] == kept(tmp_path)
    assert checkpoints.steps(tmp_path) == [5, 4, 3, 2, 1]


def test_the_mean_is_that_of_whole_readers(tmp_path, state, encoder, key):
    # Three states x, 2 x and 6 x: their mean is 3 x, of decayed token rows too.
    saved = Checkpoints(tmp_path, keep=0, scores={})
    for step, factor in ((1, 1), (2, 2), (3, 6)):
        params = jax.tree.map(lambda leaf, factor=factor: leaf * factor, state.params)
        saved.save(step, dataclasses.replace(state, params=params), decay_V(state))
    saved.wait()
    saved.close()
    asked = abstract_reader(encoder, key, sharding.make_mesh(2, 2, 2))
    one = checkpoints.load_reader(tmp_path, 1, asked)
    mean = checkpoints.load_mean(tmp_path, [1, 2, 3], asked)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, 3 * b, rtol=1e-6), mean, one)
    same = jax.tree.map(lambda leaf, there: leaf.sharding == there.sharding, mean, asked)
    assert jax.tree.all(same)
    jax.tree.map(np.testing.assert_array_equal, checkpoints.load_mean(tmp_path, [1], asked), one)


def test_the_mean_loads_one_reader_and_then_single_leaves(
    tmp_path, state, encoder, key, monkeypatch
):
    save(tmp_path, state, [1, 2])
    asked, load = [], checkpoints.ocp.load_checkpointables

    def counted(path, abstract):
        asked.append(len(jax.tree.leaves(abstract['reader'])))
        return load(path, abstract)

    monkeypatch.setattr(checkpoints.ocp, 'load_checkpointables', counted)
    abstract = abstract_reader(encoder, key, sharding.make_mesh())
    checkpoints.load_mean(tmp_path, [1, 2], abstract)
    leaves = len(jax.tree.leaves(abstract))
    assert asked == [leaves] + [1] * leaves


def test_a_mean_with_a_damaged_member_is_refused(tmp_path, state, encoder, key):
    save(tmp_path, state, [1, 2])
    shutil.rmtree(tmp_path / '2' / 'reader')
    with pytest.raises(UserError, match='2: damaged'):
        checkpoints.load_mean(tmp_path, [1, 2], abstract_reader(encoder, key, sharding.make_mesh()))


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


def flip_largest(checkpoint):
    flip(largest(checkpoint))
    return 'has other content'


def flip_metadata(checkpoint):
    flip(checkpoint / '_CHECKPOINT_METADATA')
    return '_CHECKPOINT_METADATA has other content'


def lose(checkpoint):
    path = largest(checkpoint)
    path.unlink()
    return f'{path.relative_to(checkpoint)} is missing'


def empty(checkpoint):
    shutil.rmtree(checkpoint)
    checkpoint.mkdir()
    return 'never finished'


def unseal(checkpoint):
    (checkpoint / 'seal.json').unlink()
    return 'never finished'


def break_seal(checkpoint):
    (checkpoint / 'seal.json').write_text('{')
    return 'seal.json cannot be read'


DAMAGES = (truncate, flip_largest, flip_metadata, lose, empty, unseal, break_seal)


@pytest.mark.parametrize('damage', DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_newest_checkpoint_is_told_and_stepped_over(damage, tmp_path, state, capsys):
    folder = tmp_path / 'checkpoints'
    save(folder, state, [1, 2, 3])
    reason = damage(folder / '3')
    newest, again = restored(folder, sharding.placed(state, sharding.make_mesh()))
    assert newest == 2
    jax.tree.map(np.testing.assert_array_equal, again, state)
    told = capsys.readouterr().out
    assert told.startswith(f'{folder}/3: damaged, set aside in {tmp_path}/damaged: ')
    assert reason in told
    assert kept(folder) == [1, 2]
    save(folder, state, [3])  # in place of the damaged one
    assert restored(folder, sharding.placed(state, sharding.make_mesh()))[0] == 3


def test_all_damaged_means_a_fresh_start(tmp_path, state, capsys):
    folder = tmp_path / 'checkpoints'
    save(folder, state, [1, 2])
    for step in '12':
        truncate(folder / step)
    assert restored(folder, state) == (None, None)
    assert capsys.readouterr().out.count('damaged, set aside') == 2


def test_damage_behind_the_newest_does_not_stop_the_start(tmp_path, state, capsys):
    folder = tmp_path / 'checkpoints'
    save(folder, state, [1, 2])
    flip_metadata(folder / '1')
    assert restored(folder, sharding.placed(state, sharding.make_mesh()))[0] == 2
    assert kept(folder) == [2]


def test_a_damaged_reader_is_not_loaded(folder, encoder, key):
    flip(largest(folder / '7' / 'reader'))
    with pytest.raises(UserError, match=r'7: damaged, reader/.* has other content; delete it and'):
        checkpoints.load_reader(folder, 7, abstract_reader(encoder, key, sharding.make_mesh()))


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
