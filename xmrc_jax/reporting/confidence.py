"""Is a reader as often right as its confidence says? By language, of the best answers.

Owns the measures of calibration and what a report shows of them. Right is an exact match. It knows
nothing of how a confidence comes about.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from xmrc_jax.evaluate.records import Record
from xmrc_jax.reporting.cells import is_straight
from xmrc_jax.reporting.figures import Line, Plot
from xmrc_jax.reporting.outcomes import Outcomes
from xmrc_jax.reporting.runs import Run
from xmrc_jax.reporting.tables import Table

BINS = 10  # of equal width, from 0 to 1


class Bin(NamedTuple):
    """Answers of like confidence: how many, their mean confidence, the share that is right."""

    answers: int
    confidence: float
    right: float


def bins(confidence_Q: np.ndarray, right_Q: np.ndarray) -> list[Bin]:
    """The answers by their confidence, in bins of equal width; empty ones are left out.

    Example:
      >>> bins(np.array([0.1, 0.92, 1.0]), np.array([False, True, False]))
      [Bin(answers=1, confidence=0.1, right=0.0), Bin(answers=2, confidence=0.96, right=0.5)]
    """
    bin_Q = np.minimum((confidence_Q * BINS).astype(int), BINS - 1)
    return [
        Bin(int(own_Q.sum()), float(confidence_Q[own_Q].mean()), float(right_Q[own_Q].mean()))
        for own_Q in (bin_Q == each for each in np.unique(bin_Q))
    ]


def expected_calibration_error(confidence_Q: np.ndarray, right_Q: np.ndarray) -> float:
    """Mean distance of confidence and share right over the bins, each by its answers.

    Reference:
      Guo et al. 2017, eq. 3 and 5.
    """
    found = bins(confidence_Q, right_Q)
    return sum(each.answers * abs(each.confidence - each.right) for each in found) / len(right_Q)


def risk_coverage(confidence_Q: np.ndarray, right_Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share answered and share of those that is wrong, when the least sure are left out.

    Answers of equal confidence come and go together: a place of the curve is a threshold that
    tells them from others.

    Returns:
      The two shares at each such place, the surest answers first.

    Reference:
      El-Yaniv and Wiener 2010.
    """
    order_Q = np.argsort(-confidence_Q, kind='stable')
    answered_Q = np.arange(1, len(order_Q) + 1)
    wrong_Q = np.cumsum(~right_Q[order_Q]) / answered_Q
    last_Q = np.append(np.diff(confidence_Q[order_Q]) != 0, True)
    return answered_Q[last_Q] / len(order_Q), wrong_Q[last_Q]


class Sure(NamedTuple):
    """A record, how sure its system was of its best answers and whether they are right."""

    record: Record
    confidence_Q: np.ndarray
    right_Q: np.ndarray


def found(run: Run, dataset: str, outcomes: Outcomes) -> Iterator[Sure]:
    """The records of a dataset whose systems were calibrated."""
    for record in run.records:
        if record.dataset != dataset or not is_straight(record):
            continue
        n_best = run.n_best(record)
        if not any('confidence' in each for answers in n_best.values() for each in answers):
            continue
        if (outcome := outcomes.of(run, record)) is None:
            continue
        best = [n_best[question.id][:1] for question in outcome.questions]
        confidence_Q = np.array([own[0]['confidence'] if own else 0.0 for own in best])
        yield Sure(record, confidence_Q, outcome.exact_Q)


def calibration(run: Run, dataset: str, outcomes: Outcomes, name: str) -> Iterator[Table | Plot]:
    """The table of a dataset, and for each system the reliability and the risk by language.

    Args:
      name: what the names of the plots begin with.
    """
    sure = list(found(run, dataset, outcomes))
    if not sure:
        return
    yield _table(run, dataset, sure)
    for system in dict.fromkeys(each.record.system for each in sure):
        own = [each for each in sure if each.record.system == system]
        said = f'{dataset}, {system} of {run.folder.name}'
        lines = [Line('as often right as it says', (0, 1), (0, 1), quiet=True)]
        for record, *answers in own:
            _, x, y = zip(*bins(*answers), strict=True)
            lines.append(Line(record.context_language, x, y))
        title = f'{said}: share right by confidence'
        yield Plot(f'{name}.{system}.reliability', title, 'confidence', 'right', tuple(lines))
        lines = [Line(each.record.context_language, *risk_coverage(*each[1:])) for each in own]
        title = f'{said}: share wrong where the least sure are left out'
        yield Plot(f'{name}.{system}.risk', title, 'answered', 'wrong', tuple(lines))


def _table(run: Run, dataset: str, sure: Sequence[Sure]) -> Table:
    rows = []
    for system in dict.fromkeys(each.record.system for each in sure):
        rows.append([system])
        for record, confidence_Q, right_Q in (e for e in sure if e.record.system == system):
            answered, wrong = risk_coverage(confidence_Q, right_Q)
            half = int(np.searchsorted(answered, 0.5))
            shares = (
                right_Q.mean(),
                confidence_Q.mean(),
                expected_calibration_error(confidence_Q, right_Q),
                wrong[half],
            )
            cells = [f'{100 * share:.1f}' for share in shares]
            rows.append([record.context_language, str(len(right_Q)), *cells])
    header = ['', 'questions', 'right', 'confidence', 'calibration error', 'wrong in surer half']
    notes = (
        'Percent, of the best answers. Right: an exact match. Confidence: its mean, fitted on the '
        'dev set alone. Calibration error: expected distance of both, in ten bins of equal width.',
    )
    return Table(f'{dataset}: confidence of {run.folder.name}', header, rows, notes)
