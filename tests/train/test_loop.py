"""Which checkpoints a stage may report, and stages that train a part of the reader."""

import math

import jax
import numpy as np
import pytest
from orbax.checkpoint import v1 as ocp

from tests.train.made import loop
from tests.train.staged import STEPS, Stage
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model.tuning import Tuning
from xmrc_jax.train import sharding
from xmrc_jax.train.loop import Selected
from xmrc_jax.train.parts import load_mean
from xmrc_jax.train.vocabulary import Vocabulary

KEPT, SCORES = [2, 6, 8, 10], {2: 70.0, 4: 10.0, 6: 50.0, 8: 60.0, 10: 55.0}


@pytest.mark.parametrize(
    ('selection', 'step', 'f1'), [('best', 2, 70.0), ('last', 10, 55.0), ('average', 10, None)]
)
def test_every_choice_is_kept_and_one_is_reported(selection, step, f1):
    selected = Selected.of(loop(selection=selection), KEPT, 2, SCORES)
    assert (selected.selection, selected.step, selected.f1) == (selection, step, f1)
    assert selected.choices == {'best': [2], 'last': [10], 'average': [6, 8, 10]}


def test_without_a_dev_set_the_best_is_the_last():
    selected = Selected.of(loop(), KEPT, None, {})
    assert (selected.step, selected.f1, selected.choices['best']) == (10, None, [10])


def test_fewer_checkpoints_than_the_average_has_are_all_of_them():
    assert Selected.of(loop(average=9), KEPT, 2, SCORES).choices['average'] == KEPT


def test_an_unknown_selection_is_named():
    with pytest.raises(UserError, match="train.selection: unknown choice 'first'"):
        loop(selection='first')


def test_a_checkpoint_is_due_at_multiples_and_at_the_end():
    every_four = loop(checkpoint_every=4)
    assert [step for step in range(11) if every_four.due(step, 10)] == [4, 8, 10]


@pytest.mark.parametrize(
    ('patience', 'scores', 'exhausted'),
    [
        (0, [5, 4, 3, 2], False),
        (2, [], False),
        (2, [5, 6], False),
        (2, [6, 5], False),
        (2, [6, 5, 4], True),
        (2, [6, 6, 6], True),  # of equals the first is the best
        (2, [6, 5, 7, 4], False),
        (2, [6, 5, 7, 4, 5], True),
    ],
)
def test_patience_runs_out_behind_the_best(patience, scores, exhausted):
    by_step = {100 * number: f1 for number, f1 in enumerate(scores, 1)}
    assert loop(patience=patience).exhausted(by_step) == exhausted


def test_an_unknown_logger_is_named():
    with pytest.raises(UserError, match="train.loggers: unknown choice 'mlflow'; choose from trac"):
        loop(loggers=('mlflow',))


# -- stages that train a part of the reader --------------------------------------------------------


def moved(before, after):
    """The paths of the parameters that are not as they were, and the layers of those of blocks."""
    found = set()
    for (path, old), new in zip(
        jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True
    ):
        differs = np.asarray(old) != np.asarray(new)
        name = sharding.path_of(path)
        layers = np.flatnonzero(differs.reshape(len(differs), -1).any(axis=1)).tolist()
        if differs.any():
            found |= {(name, layer) for layer in layers} if 'blocks' in name else {(name, None)}
    return found


@pytest.mark.parametrize('rank', [0, 2])
def test_a_part_is_trained_and_a_killed_run_goes_on(rank, roomy, spread, mined, tmp_path):
    """The second of two layers, or its adapters, and the head."""
    tuning, used = Tuning(freeze=1, lora_rank=rank), Vocabulary.of(spread, roomy)
    run, seen = Stage(roomy, 'base', spread, mined, tuning=tuning), []
    undisturbed = run.train(tmp_path / 'undisturbed', used)

    def killed(params):
        if seen:
            raise KeyboardInterrupt  # step 8 is saved and not scored
        seen.append(jax.device_get(params['reader']))
        return 50.0

    with pytest.raises(KeyboardInterrupt):
        run.train(tmp_path / 'killed', used, killed)
    start, run.params = run.params, None  # nothing but the folder is needed from here on
    run.train(tmp_path / 'killed', used)
    jax.tree.map(np.testing.assert_array_equal, run.load(tmp_path / 'killed', STEPS), undisturbed)

    # The dev set sees what a checkpoint is read as, a whole reader without adapters, and the mean
    # of checkpoints is one of such.
    both = [run.load(tmp_path / 'killed', step) for step in (4, 8)]
    jax.tree.map(np.testing.assert_array_equal, both[0], seen[0])
    mean = load_mean(tmp_path / 'killed/checkpoints', [4, 8], run.placed)
    jax.tree.map(lambda m, a, b: np.testing.assert_array_equal(m, (a + b) / 2), mean, *both)

    changed = moved(start['reader'], undisturbed)
    of_blocks = {(name, layer) for name, layer in changed if 'blocks' in name}
    assert {layer for _, layer in of_blocks} == {1}
    assert {name for name, _ in changed - of_blocks} == {'span/kernel', 'span/bias'}
    kernels = {name.endswith('kernel') for name, _ in of_blocks}
    assert kernels == ({True} if rank else {True, False})

    # No moments of what is fixed; Adam and the schedule count.
    checkpoint = tmp_path / 'killed/checkpoints' / str(STEPS)
    rest = ocp.checkpointables_metadata(checkpoint).metadata['rest']
    kept = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(rest['opt_state']))
    trained, _ = tuning.parted(start)
    assert kept == 2 * sum(leaf.size for leaf in jax.tree.leaves(trained)) + 2
