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


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and sample deviation over seeds; None where there is no value.

    Example:
      >>> spread([60.0, 62.0, 64.0])
      Spread(mean=62.0, deviation=2.0, n=3)
    """
    if len(values) == 0:
        return None
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
    difference_QSC: np.ndarray, resamples: int = RESAMPLES, seed: int = SEED
) -> list[Interval | None]:
    r"""Paired bootstrap of the mean difference of two systems, per column and over all columns.

    A row is a question id with its differences in each column (a language): the paper's test sets
    are parallel, so a question that is drawn brings its translations with it. In each of R
    resamples as many rows as there are, are drawn with replacement, and every column's mean is
    taken over the rows drawn that have a value there. The interval is the one between the 2.5th
    and the 97.5th percentile of the R means. With :math:`d^*_r` for the mean in resample r,

    .. math:: p = \min(1, 2 \, \frac{1 + \min(\#\{d^*_r \le 0\}, \#\{d^*_r \ge 0\})}{R + 1})

    which is two-sided, never 0, and below 0.05 where the interval leaves out 0 (but for the + 1).

    Only the choice of questions is resampled. Means are taken within each seed S, then over seeds,
    as the scores of a table are; the deviation over seeds is told beside it.

    Args:
      difference_QSC: score of B minus score of A; nan where the seed or the column lacks the
        question. [Q, C] is one seed.
      resamples: R.
      seed: of the draws.

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
    rows, columns = len(difference_QSC), difference_QSC.shape[-1]
    difference_QN = difference_QSC.reshape(rows, -1)  # axis N: a column of a seed
    there_QN = ~np.isnan(difference_QN)
    value_QN = np.where(there_QN, difference_QN, 0.0)

    def over_seeds(mean_RN):
        mean_RSC = mean_RN.reshape(len(mean_RN), -1, columns)
        there_RSC = ~np.isnan(mean_RSC)
        return np.where(there_RSC, mean_RSC, 0.0).sum(axis=1) / there_RSC.sum(axis=1)

    with np.errstate(invalid='ignore', divide='ignore'):
        seen_C = over_seeds(value_QN.sum(axis=0)[None] / there_QN.sum(axis=0))[0]
        random = np.random.default_rng(seed)
        drawn_RC = []
        for first in range(0, resamples, _BLOCK):
            block = min(_BLOCK, resamples - first)
            row_RQ = random.integers(rows, size=(block, rows)) + np.arange(block)[:, None] * rows
            times_RQ = np.bincount(row_RQ.ravel(), minlength=block * rows).reshape(block, rows)
            drawn_RC.append(over_seeds(times_RQ @ value_QN / (times_RQ @ there_QN.astype(float))))
    drawn_RC = np.concatenate([np.empty((0, columns)), *drawn_RC])
    found = [*zip(seen_C, drawn_RC.T, strict=True), (seen_C.mean(), drawn_RC.mean(axis=1))]
    return [_interval(seen, drawn_R[~np.isnan(drawn_R)]) for seen, drawn_R in found]


def _interval(seen: float, drawn_R: np.ndarray) -> Interval | None:
    if len(drawn_R) == 0 or np.isnan(seen):
        return None
    drawn_R = np.round(drawn_R, 12)  # sums of thirds: a 0 stays a 0
    low, high = np.percentile(drawn_R, [2.5, 97.5])
    fewer = min((drawn_R <= 0).sum(), (drawn_R >= 0).sum())
    p = min(1.0, 2 * (1 + int(fewer)) / (len(drawn_R) + 1))
    return Interval(round(float(seen), 12), float(low), float(high), p)
