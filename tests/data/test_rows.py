"""Windows that share rows: every token once, whole windows, and no more places than padding has."""

import numpy as np
import pytest

from xmrc_jax.data.rows import shared_rows, tokens_of_rows, up


@pytest.mark.parametrize('mean', [4.0, 8.5, 16.0])
def test_every_token_lies_in_one_place_and_windows_are_whole(mean):
    length_GB = np.random.default_rng(0).integers(1, 17, (3, 8))
    at_GB2, (rows, places) = shared_rows(length_GB, 16, mean)
    token_GRP = tokens_of_rows(at_GB2, length_GB, 16, (rows, places))
    assert token_GRP.shape == (3, rows, places)
    assert rows * places <= 8 * 16
    for token_RP, at_B2, length_B in zip(token_GRP, at_GB2, length_GB, strict=True):
        expected = [16 * b + token for b in range(8) for token in range(length_B[b])]
        assert sorted(token_RP[token_RP < 8 * 16].tolist()) == expected
        for window, (row, place) in enumerate(at_B2):
            own = token_RP[row, place : place + length_B[window]]
            assert own.tolist() == list(range(16 * window, 16 * window + length_B[window]))


def test_where_packing_saves_nothing_each_window_has_its_row():
    at_GB2, shape = shared_rows(np.full((1, 4), 16), 16, 16.0)
    assert shape == (4, 16)
    assert sorted(at_GB2[0].tolist()) == [[0, 0], [1, 0], [2, 0], [3, 0]]


def test_sizes_are_rounded_up():
    assert [up(size, 8) for size in (1, 8, 8.5)] == [8, 8, 16]
