"""Every gold answer of a question in its turn, wherever a window holds it."""

from itertools import pairwise

import numpy as np
import pytest

from xmrc_jax.data.batches import Batches
from xmrc_jax.data.golds import Golds, in_turn
from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.data.windows import WindowSize, build

PASSAGE = ' '.join(f'Ada met Fenwick in {year} and left.' for year in range(1876, 1890))


def answers(*texts):
    return tuple(Answer(PASSAGE.index(text), text) for text in texts)


QUESTIONS = (
    Question('three', 'When?', PASSAGE, answers('1876', '1889', '1876', 'in 1876')),
    Question('one', 'When?', PASSAGE, answers('1880')),
    Question('two', 'When?', PASSAGE, answers('1880', '1881')),
    Question('none', 'When?', PASSAGE, ()),
)


@pytest.fixture(scope='module')
def turns(tokenizer):
    """Windows of every turn; that of the end does not hold what is at the beginning."""
    return [
        build(turn, tokenizer, WindowSize(max_tokens=60, stride=8, max_question_tokens=8))
        for turn in in_turn(QUESTIONS)
    ]


def said(windows, window, span):
    """The text of a token span of a window."""
    first = windows.bounds_W2[window, 0]
    start, end = windows.chars_T2[first + span[0], 0], windows.chars_T2[first + span[1], 1]
    return PASSAGE[start:end]


def test_in_every_turn_another_answer_comes_first():
    found = [[[a.text for a in q.answers][:1] for q in turn] for turn in in_turn(QUESTIONS)]
    assert found == [
        [['1876'], ['1880'], ['1880'], []],
        [['1889'], ['1880'], ['1881'], []],
        [['in 1876'], ['1880'], ['1880'], []],
    ]
    assert in_turn(QUESTIONS[3:]) == [QUESTIONS[3:]]


def test_a_window_has_each_gold_that_it_holds_equally_often(turns):
    golds = Golds(turns, seed=3)
    windows = turns[0]
    everyone = np.arange(len(windows))
    of_windows = [[] for _ in everyone]
    for epoch in range(6):
        for window, at in enumerate(golds.at(epoch, everyone)):
            of_windows[window].append(tuple(golds.gold_W2[at]))
    several = 0
    for window, spans in enumerate(of_windows):
        held = {tuple(turn.gold_W2[window]) for turn in turns} - {(-1, -1)}
        assert golds.held_W[window] == bool(held)
        if not held:
            assert set(spans) == {(-1, -1)}
            continue
        assert {spans.count(span) for span in held} == {6 / len(held)}
        assert all(first != second for first, second in pairwise(spans)) or len(held) == 1
        several += len(held) > 1
        question = QUESTIONS[windows.question_W[window]]
        texts = {said(windows, window, span) for span in spans}
        assert texts <= {answer.text for answer in question.answers}
    assert several  # the first window of the first question


def test_batches_train_every_gold_by_seed_and_epoch_alone(turns):
    def batches(seed, golds=turns[1:]):
        return Batches(turns[0], batch_size=4, max_tokens=60, seed=seed, golds=golds)

    own, again = batches(5), batches(5)
    seen, places = {}, 0
    for epoch in range(6):
        for step in range(epoch * own.steps_per_epoch, (epoch + 1) * own.steps_per_epoch):
            batch = own.batch_at(step)
            np.testing.assert_array_equal(again.batch_at(step).gold_B2, batch.gold_B2)
            for row, window in enumerate(own.windows_at(step)):
                span = tuple(batch.gold_B2[row])
                text = said(turns[0], window, span)
                seen.setdefault(QUESTIONS[turns[0].question_W[window]].id, set()).add(text)
                # The other golds are no wrong answers; of those that begin alike one is known.
                for turn in turns:
                    start = turn.gold_W2[window, 0]
                    if start >= 0 and start != span[0]:
                        assert batch.repeat_end_BL[row, start] >= start
                        places += 1
                assert batch.repeat_end_BL[row, span[0]] == span[1]
    assert seen == {'three': {'1876', '1889', 'in 1876'}, 'one': {'1880'}, 'two': {'1880', '1881'}}
    assert places
    with_first = batches(5, ())
    texts = {
        said(turns[0], window, with_first.batch_at(step).gold_B2[row])
        for step in range(with_first.steps_per_epoch)
        for row, window in enumerate(with_first.windows_at(step))
    }
    assert texts == {'1876', '1880'}


def test_candidates_are_those_of_the_gold_in_turn(turns):
    W = len(turns[0])
    spans_WK2 = np.concatenate([turn.gold_W2[:, None] for turn in turns])
    valid_WK = spans_WK2[..., 0] >= 0
    own = Batches(
        turns[0],
        batch_size=4,
        max_tokens=60,
        seed=1,
        golds=turns[1:],
        candidates=(spans_WK2, valid_WK),
    )
    assert len(spans_WK2) == 3 * W
    for step in range(4 * own.steps_per_epoch):
        batch = own.batch_at(step)
        np.testing.assert_array_equal(batch.candidates_BK2[:, 0], batch.gold_B2)
        assert batch.candidate_BK.all()
