"""The order of training: shares, permutations, streams that go on from epoch to epoch."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmrc_jax.data.order import drawn, shares

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
