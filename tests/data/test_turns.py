"""Two tasks in turn: each has its own batches in their order, and every other step."""

from types import SimpleNamespace

import numpy as np

from xmrc_jax.data.turns import Turns


def task(name, questions):
    return SimpleNamespace(
        batch_size=4,
        max_tokens=8,
        steps=lambda epochs: int(epochs * 5),
        layouts=lambda steps, groups: [f'{name} {step} {groups}' for step in range(steps)],
        batch_at=lambda step, rows, layout: (name, step, rows, layout),
        lengths_at=lambda step: np.full(2, step),
        questions_at=lambda step: np.array(questions),
    )


def test_each_task_has_its_batches_in_order_and_of_two_steps_one():
    turns = Turns(task('answer', [0, 1]), task('guess', [0, 2]), questions=10)
    assert turns.steps(2) == 20
    layouts = turns.layouts(20, 3)
    batches = [turns.batch_at(step, 'rows', layout) for step, layout in enumerate(layouts)]
    assert {each[2] for each in batches} == {'rows'}
    assert all(layout == f'{name} {step} 3' for name, step, _, layout in batches)
    assert len(turns.layouts(19, 3)) == 19
    for name in ('answer', 'guess'):
        assert [step for own, step, *_ in batches if own == name] == list(range(10))
    names = [name for name, *_ in batches]
    assert all(set(names[step : step + 2]) == {'answer', 'guess'} for step in range(0, 20, 2))
    assert {*names[9::10]} == {'answer', 'guess'}  # whoever looks at every tenth sees both


def test_questions_of_the_second_are_numbered_behind_the_first():
    turns = Turns(task('answer', [0, 1]), task('guess', [0, 2]), questions=10)
    assert [turns.questions_at(step).tolist() for step in range(4)] == [
        [0, 1],
        [10, 12],
        [10, 12],
        [0, 1],
    ]
    assert turns.lengths_at(5).tolist() == [2, 2]
