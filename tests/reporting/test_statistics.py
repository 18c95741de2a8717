"""Spread by closed form, the bootstrap against all resamples there are."""

from itertools import product

import numpy as np
import pytest

from xmrc_jax.reporting.statistics import paired_bootstrap, spread

MANY = 200_000
NAN = np.nan


def test_spread_is_the_sample_deviation():
    # mean 3, squared distances 4 + 1 + 1 + 4 + 0 = 10, divided by n - 1 = 4
    assert spread([1.0, 2.0, 4.0, 5.0, 3.0]).deviation == pytest.approx((10 / 4) ** 0.5)


def test_one_value_has_no_deviation_and_no_value_no_mean():
    assert (spread([7.0]).mean, spread([7.0]).deviation, spread([7.0]).n) == (7.0, None, 1)


def all_resamples(difference_QC):
    """Means of every one of the Q**Q resamples, per column and over columns."""
    rows = len(difference_QC)
    means = [
        np.nanmean(difference_QC[list(rows_Q)], 0) for rows_Q in product(range(rows), repeat=rows)
    ]
    return np.column_stack([np.array(means), np.mean(means, axis=1)])


@pytest.mark.parametrize(
    'difference_QC',
    [
        np.array([[1.0], [0.0], [0.0], [-1.0], [1.0]]),
        np.array([[1.0, -1.0], [0.0, 1.0], [-1.0, 0.5], [1.0, 1.0]]),
        np.array([[1 / 3], [-1 / 3], [0.0]]),  # many exact ties at 0
    ],
)
def test_bootstrap_is_the_one_over_all_resamples(difference_QC):
    exact_XC = np.round(all_resamples(difference_QC), 12)
    for found, exact_X in zip(paired_bootstrap(difference_QC, MANY), exact_XC.T, strict=True):
        share = min((exact_X <= 0).mean(), (exact_X >= 0).mean())
        # Four standard errors of a share drawn 200,000 times, twice: 4 x 2 x 0.5 / sqrt(200,000).
        assert found.p == pytest.approx(min(1.0, 2 * share), abs=0.009)
        # The quantile lies between those of the neighbouring shares.
        lowest = np.quantile(exact_X, [0.02, 0.97], method='lower')
        highest = np.quantile(exact_X, [0.03, 0.98], method='higher')
        assert (lowest <= [found.low, found.high]).all()
        assert ([found.low, found.high] <= highest).all()


def test_translations_are_drawn_together():
    # Language 2 undoes language 1 question by question: their mean never moves, though each does.
    column = np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 0.0, 1.0])
    one, _, mean = paired_bootstrap(np.stack([column, -column], axis=1))
    assert one.low < one.high
    assert (mean.difference, mean.low, mean.high, mean.p) == (0.0, 0.0, 0.0, 1.0)


def test_a_column_is_averaged_over_the_questions_it_has():
    difference_QC = np.array([[1.0, NAN], [0.0, 3.0], [2.0, 5.0]])
    one, two, mean = paired_bootstrap(difference_QC)
    assert (one.difference, two.difference, mean.difference) == (1.0, 4.0, 2.5)
    # Of two questions a resample has 3, 4 or 5 or something between, never less or more.
    assert two.low == pytest.approx(3.0)
    assert two.high == pytest.approx(5.0)


def test_seeds_weigh_alike_however_many_questions_they_share():
    """Three questions, and one of them with another: (1 + 2 + 0) / 3 and (4 + 2) / 2."""
    difference_QIC = np.array([[1.0, 4.0], [2.0, NAN], [0.0, NAN], [NAN, 2.0]])[..., None]
    [column, mean] = paired_bootstrap(difference_QIC)
    assert column.difference == mean.difference == (1.0 + 3.0) / 2


def test_an_empty_column_has_no_interval():
    assert paired_bootstrap(np.array([[1.0, NAN], [0.0, NAN]]))[1:] == [None, None]


def test_p_is_never_0_and_the_draws_are_the_same_each_time():
    won = np.ones((30, 1))
    assert paired_bootstrap(won, 999)[0].p == 2 / 1000
    assert paired_bootstrap(won * [[0.3]]) == paired_bootstrap(won * [[0.3]])


def test_order_of_the_systems_only_turns_the_sign():
    difference_QC = np.random.default_rng(0).normal(0.2, 1.0, (40, 2))
    for one, other in zip(
        paired_bootstrap(difference_QC), paired_bootstrap(-difference_QC), strict=True
    ):
        assert (one.low, one.high, one.p) == pytest.approx((-other.high, -other.low, other.p))
