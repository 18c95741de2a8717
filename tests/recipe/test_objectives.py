"""What each kind of stage minimises is what its leaves say."""

from dataclasses import is_dataclass

import pytest

from tests.small import small
from xmrc_jax.recipe import objectives
from xmrc_jax.recipe.needs import SCORED
from xmrc_jax.recipe.objectives import OBJECTIVES


def test_every_reader_that_is_scored_has_an_objective_of_its_name():
    assert sorted(OBJECTIVES) == sorted(SCORED)


@pytest.mark.parametrize(
    ('kind', 'name', 'changes', 'expected'),
    [
        ('base', 'regularised_objective', {'train.r_drop': 0.5}, 0.5),
        ('two_stage', 'two_stage_objective', {'mine.gold_slot': 'by_rank'}, 'by_rank'),
        ('two_stage', 'two_stage_objective', {'evaluate.max_answer_tokens': 7}, 7),
        ('distil', 'distil_objective', {'distil.temperature': 3.0}, 3.0),
        ('calibrate', 'base_objective', {'two_stage.softmax_over': 'passage'}, 'passage'),
        ('lakm', 'lakm_objective', {'lakm.weight': 0.25}, 0.25),
    ],
)
def test_leaves_reach_the_objective(kind, name, changes, expected, monkeypatch):
    monkeypatch.setattr(objectives, name, lambda *given: given)
    encoder, *given = OBJECTIVES[kind](small(**changes), 'encoder', 9)
    assert encoder == 'encoder'
    values = [value for each in filter(is_dataclass, given) for value in vars(each).values()]
    assert expected in [*given, *values]
