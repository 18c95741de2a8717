"""Windows that share rows: every token once, whole windows, and rows of few lengths."""

from itertools import combinations

import numpy as np
import pytest

from xmrc_jax.data.rows import PROGRAM, filled, row_lengths, shapes, tokens_of_rows, up


@pytest.mark.parametrize('rows', [1, 3, 8])
def test_every_token_lies_in_one_place_and_windows_are_whole(rows):
    length_GB = np.random.default_rng(0).integers(1, 17, (3, 8))
    at_GB2, fullest_G = filled(length_GB, rows)
    token_GRP = tokens_of_rows(at_GB2, length_GB, 16, (rows, fullest_G.max()))
    assert ((token_GRP < 8 * 16).sum(axis=2).max(axis=1) == fullest_G).all()
    for token_RP, at_B2, length_B in zip(token_GRP, at_GB2, length_GB, strict=True):
        expected = [16 * b + token for b in range(8) for token in range(length_B[b])]
        assert sorted(token_RP[token_RP < 8 * 16].tolist()) == expected
        for window, (row, place) in enumerate(at_B2):
            own = token_RP[row, place : place + length_B[window]]
            assert own.tolist() == list(range(16 * window, 16 * window + length_B[window]))


def test_a_window_goes_into_the_emptiest_row_the_longest_first():
    at_GB2, fullest_G = filled(np.array([[2, 9, 4, 5, 4]]), 2)  # 9 | 5 4, then 9 4 | 5 4, 2
    assert at_GB2[0].tolist() == [[1, 9], [0, 0], [1, 5], [1, 0], [0, 9]]
    assert fullest_G.tolist() == [13]


def test_as_many_rows_as_compute_the_fewest_places():
    # 3.9 rows of 384 are filled, but one of three or four would hold two windows: 600 places.
    assert shapes(np.full((2, 1, 5), 300), 384) == [(5, 304)] * 2
    # 4.25 rows of 16: four rows are 24 places long, five 16.
    assert shapes(np.array([[[6, 9, 7, 8, 16, 10, 7, 5]]]), 16) == [(5, 16)]


def test_where_packing_saves_nothing_each_window_has_its_row():
    assert shapes(np.full((2, 1, 4), 16), 16) == [(4, 16)] * 2


@pytest.mark.parametrize('program', [0.0, 5.0, 30.0, 200.0])
def test_lengths_are_the_cheapest_of_all(program):
    """Brute force: each set of lengths, every step in the shortest that holds it."""

    def cost(length_S):
        return length_S.sum() + program * len(np.unique(length_S))

    for seed in range(5):
        fullest_S = np.random.default_rng(seed).integers(1, 50, 12)
        candidates = [length for length in range(8, 57, 8) if length < fullest_S.max()]
        longest = up(fullest_S.max(), 8)
        least = min(
            cost(lengths[np.searchsorted(lengths, fullest_S)])
            for count in range(len(candidates) + 1)
            for chosen in combinations(candidates, count)
            for lengths in [np.array([*chosen, longest])]
        )
        length_S = row_lengths(fullest_S, program)
        assert (length_S >= fullest_S).all()
        assert (length_S % 8 == 0).all()
        assert cost(length_S) == least


def test_the_longer_a_stage_the_less_padding_and_few_programs():
    """A stage is worth more lengths than its first steps, and none as many as there are."""
    random = np.random.default_rng(0)
    length_SGB = random.integers(60, 385, (2000, 2, 8))
    assert len(set(shapes(length_SGB[:5], 384))) == 1
    of_all = shapes(length_SGB, 384)
    assert 3 <= len(set(of_all)) <= 8
    assert len({rows for rows, _ in of_all}) == 1
    tokens = length_SGB.sum()
    padding = [
        1 - tokens / sum(2 * rows * places for rows, places in each)
        for each in (of_all, [max(of_all)] * 2000)
    ]
    # What the lengths spare is more than they cost.
    assert (padding[1] - padding[0]) * 2000 > PROGRAM[0] * (len(set(of_all)) - 1)


def test_a_long_stage_has_not_more_and_more_programs():
    length_SGB = np.random.default_rng(0).integers(60, 385, (20_000, 1, 4))
    assert len(set(shapes(length_SGB, 384))) <= 12


def test_sizes_are_rounded_up():
    assert [up(size, 8) for size in (1, 8, 8.5)] == [8, 8, 16]
