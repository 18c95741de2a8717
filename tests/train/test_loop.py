"""Which checkpoints a stage may report."""

import pytest

from tests.train.made import loop
from xmrc_jax.ground.errors import UserError
from xmrc_jax.train.loop import Selected

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
