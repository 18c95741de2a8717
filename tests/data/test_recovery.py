"""Phrases whose boundaries were moved: how far, how often, and what is asked."""

import numpy as np
import pytest

from xmrc_jax.data import recovery
from xmrc_jax.data.phrases import Phrased
from xmrc_jax.data.windows import WindowSize, build

TEXT = 'The Lantern Society was founded in September 1876 by Ada Fenwick, and refounded in 1876.'
PHRASED = Phrased(TEXT, 'en', ((4, 19), (35, 49), (53, 64)))


def test_some_phrases_of_a_text_are_asked_for():
    asked = recovery.asked([PHRASED] * 40, 2, seed=1)
    assert len(asked) == 80
    for question in asked:
        (answer,) = question.answers
        assert TEXT[answer.start :].startswith(answer.text)
        assert (answer.start, answer.start + len(answer.text)) in PHRASED.spans
    assert {question.answers[0].start for question in asked} == {4, 35, 53}
    assert len({question.id for question in asked}) == 80
    assert asked == recovery.asked([PHRASED] * 40, 2, seed=1)


def test_boundaries_move_by_a_few_tokens_within_the_passage(tokenizer):
    windows = build(recovery.asked([PHRASED] * 200, 3, seed=1), tokenizer, WindowSize(128, 8, 16))
    moved = recovery.moved(windows, 3, 0.25, seed=2)
    gold_W2, mark_W2 = windows.gold_W2, moved.mark_W2
    assert (moved.gold_W2 == gold_W2).all()
    assert (mark_W2[:, 0] <= mark_W2[:, 1]).all()
    assert (windows.passage_W2[:, :1] <= mark_W2).all()
    assert (mark_W2 < windows.passage_W2[:, 1:]).all()
    by_W2 = mark_W2 - gold_W2
    assert set(by_W2[:, 0].tolist()) == {-3, -2, -1, 0, 1, 2, 3}
    assert np.abs(by_W2[:, 0]).max() == 3
    still = (by_W2 == 0).all(axis=1).mean()  # 600 of them: a quarter, and 1/49 of the others
    assert 0.2 < still < 0.35
    unmoved = recovery.moved(windows, 3, 1.0, seed=2)
    np.testing.assert_array_equal(unmoved.mark_W2, gold_W2)


@pytest.mark.parametrize('farthest', [500, 2**63, 10**30])
def test_however_far_boundaries_move_they_stay_in_the_passage(farthest, tokenizer):
    windows = build(recovery.asked([PHRASED] * 50, 3, seed=1), tokenizer, WindowSize(128, 8, 16))
    mark_W2 = recovery.moved(windows, farthest, 0.0, seed=2).mark_W2
    assert (windows.passage_W2[:, :1] <= mark_W2).all()
    assert (mark_W2 < windows.passage_W2[:, 1:]).all()
    for edge in (windows.passage_W2[:, 0], windows.passage_W2[:, 1] - 1):
        assert (mark_W2[:, 0] == edge).any()


def test_a_window_without_its_phrase_is_not_marked(tokenizer):
    windows = build(recovery.asked([PHRASED], 3, seed=1), tokenizer, WindowSize(20, 8, 4))
    marked_W = recovery.moved(windows, 1, 0.0, seed=0).mark_W2[:, 0] >= 0
    assert (marked_W == (windows.gold_W2[:, 0] >= 0)).all()
    assert 0 < marked_W.sum() < len(windows)
