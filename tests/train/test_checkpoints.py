"""Checkpoints: the state comes back anywhere, the best is kept, damage is set aside."""

import shutil

import jax
import numpy as np
import pytest

from tests.train.stored import flip, kept, largest, restored, save, stored, truncate
from xmrc_jax.train import checkpoints, sharding
from xmrc_jax.train.checkpoints import Checkpoints


@pytest.mark.parametrize('sizes', [(8, 1, 1), (2, 4, 1), (2, 2, 2)])
def test_the_state_comes_back_on_another_mesh(sizes, folder, state):
    abstract = sharding.placed(state, sharding.make_mesh(*sizes))
    _, again = restored(folder, abstract)
    jax.tree.map(np.testing.assert_array_equal, again, state)
    placed = jax.tree.map(lambda leaf, wanted: leaf.sharding == wanted.sharding, again, abstract)
    assert jax.tree.all(placed)


def test_an_empty_folder_restores_nothing(tmp_path, state):
    assert restored(tmp_path / 'new', state) == (None, None)


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
        saved.save(step, stored(state))
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
        saved.save(step, stored(state))
        saved.wait()
        left.append(kept(tmp_path))
    saved.close()
    assert left[1:] == [[2, 3], [2, 4], [2, 4, 5]]  # continued from 3 and 5, chosen from 2 and 4
    assert saved.kept() == [2, 4]


def test_without_a_limit_all_are_kept(tmp_path, state):
    saved = save(tmp_path, state, range(1, 6), keep=0)
    assert saved.kept() == [1, 2, 3, 4, 5] == kept(tmp_path)
    assert checkpoints.steps(tmp_path) == [5, 4, 3, 2, 1]


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
def test_a_damaged_newest_checkpoint_is_reported_and_stepped_over(damage, tmp_path, state, capsys):
    folder = tmp_path / 'checkpoints'
    save(folder, state, [1, 2, 3])
    reason = damage(folder / '3')
    newest, again = restored(folder, sharding.placed(state, sharding.make_mesh()))
    assert newest == 2
    jax.tree.map(np.testing.assert_array_equal, again, state)
    printed = capsys.readouterr().out
    assert printed.startswith(f'{folder}/3: damaged, set aside in {tmp_path}/damaged: ')
    assert reason in printed
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
