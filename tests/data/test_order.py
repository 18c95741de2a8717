"""The order of training: shares, permutations, streams that go on from epoch to epoch."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmrc_jax.data.order import Epochs, drawn, one_of_each, shares

LANGUAGES = [np.arange(5), np.arange(5, 8)]


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=7), st.floats(0, 1))
def test_shares_add_up_and_keep_the_order_of_sizes(sizes, power):
    found = shares(sizes, power)
    assert sum(found) == sum(sizes)
    ordered = [share for _, share in sorted(zip(sizes, found, strict=True))]
    assert all(a <= b + 1 for a, b in pairwise(ordered))


def test_an_epoch_is_drawn_alike_by_all_and_unlike_the_next():
    first, again, second = (drawn(LANGUAGES, [5, 3], 7, epoch) for epoch in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert sorted(first) == sorted(second) == list(range(8))
    assert first.tolist() != second.tolist()
    assert first.tolist() != drawn(LANGUAGES, [5, 3], 8, 0).tolist()


@pytest.mark.parametrize('draws', [[2, 6], [7, 1], [4, 4]])
def test_each_language_goes_on_where_the_epoch_before_stopped(draws):
    epochs = [drawn(LANGUAGES, draws, 3, epoch) for epoch in range(15)]
    for own, count in zip(LANGUAGES, draws, strict=True):
        stream = [window for order in epochs for window in order if window in own]
        assert len(stream) == 15 * count
        for first in range(0, len(stream) - len(own) + 1, len(own)):
            assert sorted(stream[first : first + len(own)]) == own.tolist()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(0, 9))
def test_an_epoch_takes_one_question_of_every_example_and_each_in_turn(example_Q, seed):
    example_Q = np.array(example_Q)
    epochs = [one_of_each(example_Q, seed, epoch) for epoch in range(12)]
    for taken_Q in epochs:
        assert sorted(example_Q[taken_Q]) == sorted(set(example_Q.tolist()))
    for example in set(example_Q.tolist()):
        (own,) = np.nonzero(example_Q == example)
        for first in range(0, 12 - len(own) + 1, len(own)):  # whole passes through it
            assert np.sum(epochs[first : first + len(own)], axis=0)[own].tolist() == [1] * len(own)


def test_which_question_is_taken_depends_on_seed_and_epoch():
    example_Q = np.repeat(np.arange(20), 6)
    taken = [one_of_each(example_Q, *drawn).tolist() for drawn in ((1, 0), (1, 0), (1, 1), (2, 0))]
    assert taken[0] == taken[1]
    assert taken[0] != taken[2]
    assert taken[0] != taken[3]
    assert len(set(np.flatnonzero(taken[0]) % 6)) > 1  # not the same for all examples


def test_steps_count_the_windows_that_each_epoch_takes():
    # Two questions of one example, of one and of three windows; two windows of a question alone.
    question_W = np.array([0, 1, 1, 1, 2, 2])
    epochs = Epochs([np.arange(6)], [6], 3, 2, np.array([0, 0, 1]), question_W)
    sizes = [len(epochs.order(epoch)) for epoch in range(4)]
    assert sorted(sizes[:2]) == sorted(sizes[2:]) == [3, 5]
    steps = [2 if size == 3 else 3 for size in sizes]  # two windows each
    assert [epochs.steps(n) for n in (1, 2, 4)] == [sum(steps[:n]) for n in (1, 2, 4)]
    seen = [epochs.windows_at(step).tolist() for step in range(epochs.steps(4))]
    assert [len(windows) for windows in seen] == [
        length for size in sizes for length in [2] * (size // 2) + [1]
    ]
    assert [w for windows in seen for w in windows] == [
        w for epoch in range(4) for w in epochs.order(epoch).tolist()
    ]
