"""Mean and deviation over seeds, and the paired bootstrap between two systems.

Owns the numbers that say how far a difference can be trusted. It knows no files and no tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
SEED = 2022  # of the resampling: the same results give the same report
_BLOCK = 500  # resamples drawn at a time: 500 x 13,000 questions are 50 MB


@dataclass(frozen=True)
class Spread:
    """Mean of n values, and their sample deviation (n - 1); None for a single value."""

    mean: float
    deviation: float | None
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample deviation over seeds.

    Example:
      >>> spread([60.0, 62.0, 64.0])
      Spread(mean=62.0, deviation=2.0, n=3)
    """
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), deviation, len(values))


@dataclass(frozen=True)
class Interval:
    """A difference, its 95 % interval and the p-value of no difference, from one bootstrap."""

    difference: float
    low: float
    high: float
    p: float


def paired_bootstrap(
    difference_QIC: np.ndarray, resamples: int = RESAMPLES
) -> list[Interval | None]:
    r"""Paired bootstrap of the mean difference of two systems, per column and over all columns.

    A row is a question id with its differences in each column (a language): the paper's test sets
    are parallel, so a question that is drawn brings its translations with it. In each of X
    resamples as many rows as there are, are drawn with replacement, and every column's mean is
    taken over the rows drawn that have a value there. The interval is the one between the 2.5th
    and the 97.5th percentile of the X means. With :math:`d^*_x` for the mean in resample x,

    .. math:: p = \min(1, 2 \, \frac{1 + \min(\#\{d^*_x \le 0\}, \#\{d^*_x \ge 0\})}{X + 1})

    which is two-sided, never 0, and below 0.05 where the interval leaves out 0 (but for the + 1).

    Only the choice of questions is resampled. Means are taken within each seed I, then over seeds,
    as the scores of a table are; the deviation over seeds stands beside it.

    Args:
      difference_QIC: score of B minus score of A; nan where the seed or the column lacks the
        question. [Q, C] is one seed.
      resamples: X.

    Returns:
      One interval for each column and, last, one for the mean of the columns; None for a column
      without any question, and then for the mean too. A resample in which a column has no
      question is left out there.

    Example:
      >>> one_language = np.array([[1.0]] * 9 + [[-1.0]])  # 9 won, 1 lost
      >>> column, mean = paired_bootstrap(one_language)
      >>> column.difference, column == mean, column.p < 0.05
      (0.8, True, True)
    """
    rows, columns = len(difference_QIC), difference_QIC.shape[-1]
    difference_QY = difference_QIC.reshape(rows, -1)
    present_QY = ~np.isnan(difference_QY)
    value_QY = np.where(present_QY, difference_QY, 0.0)

    def over_seeds(mean_XY):
        mean_XIC = mean_XY.reshape(len(mean_XY), -1, columns)
        present_XIC = ~np.isnan(mean_XIC)
        return np.where(present_XIC, mean_XIC, 0.0).sum(axis=1) / present_XIC.sum(axis=1)

    with np.errstate(invalid='ignore', divide='ignore'):
        seen_C = over_seeds(value_QY.sum(axis=0)[None] / present_QY.sum(axis=0))[0]
        random = np.random.default_rng(SEED)
        drawn_XC = []
        for first in range(0, resamples, _BLOCK):
            block = min(_BLOCK, resamples - first)
            row_XQ = random.integers(rows, size=(block, rows)) + np.arange(block)[:, None] * rows
            times_XQ = np.bincount(row_XQ.ravel(), minlength=block * rows).reshape(block, rows)
            drawn_XC.append(over_seeds(times_XQ @ value_QY / (times_XQ @ present_QY.astype(float))))
    drawn_XC = np.concatenate([np.empty((0, columns)), *drawn_XC])
    found = [*zip(seen_C, drawn_XC.T, strict=True), (seen_C.mean(), drawn_XC.mean(axis=1))]
    return [_interval(seen, drawn_X[~np.isnan(drawn_X)]) for seen, drawn_X in found]


def _interval(seen: float, drawn_X: np.ndarray) -> Interval | None:
    if len(drawn_X) == 0 or np.isnan(seen):
        return None
    drawn_X = np.round(drawn_X, 12)  # sums of thirds: a 0 stays a 0
    low, high = np.percentile(drawn_X, [2.5, 97.5])
    fewer = min((drawn_X <= 0).sum(), (drawn_X >= 0).sum())
    p = min(1.0, 2 * (1 + int(fewer)) / (len(drawn_X) + 1))
    return Interval(round(float(seen), 12), float(low), float(high), p)
