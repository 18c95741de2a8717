"""Every entry of a study against the first, by the paired bootstrap."""

import numpy as np

from xmrc_jax.reporting.cells import is_straight, label, mean_of
from xmrc_jax.reporting.outcomes import Outcomes
from xmrc_jax.reporting.runs import Study
from xmrc_jax.reporting.statistics import RESAMPLES, paired_bootstrap
from xmrc_jax.reporting.tables import Table


def significance_table(study: Study, dataset: str, outcomes: Outcomes) -> Table | None:
    """Every entry against the first: difference, 95 % interval and p-value, EM and F1."""
    rows = []
    for other in range(1, len(study.entries)):
        if (found := question_differences(study, outcomes, 0, other, dataset)) is None:
            continue
        languages, em_QIC, f1_QIC = found
        columns = [*languages, mean_of(languages)] if len(languages) > 1 else languages
        rows.append([f'{label(study.entries[other])} minus {label(study.entries[0])}'])
        em, f1 = paired_bootstrap(em_QIC), paired_bootstrap(f1_QIC)
        for column, *intervals in zip(columns, f1, em, strict=False):
            rows.append([column, *(text for interval in intervals for text in _interval(interval))])
    if not rows:
        return None
    note = (
        f'Paired bootstrap over questions, {RESAMPLES:,} resamples; a question is drawn together '
        'with its translations; differences are averaged over the seeds that both have. Interval: '
        'percentiles 2.5 and 97.5. p: two-sided, twice the smaller share of resamples on either '
        'side of 0. No correction for the number of comparisons.'
    )
    header = ['', 'F1', '95 % interval', 'p', 'EM', '95 % interval', 'p']
    return Table(f'{dataset}: differences, paired', header, rows, (note,))


def _interval(interval) -> list[str]:
    if interval is None:
        return ['', '', '']
    return [
        f'{interval.difference:+.2f}',
        f'{interval.low:+.2f} to {interval.high:+.2f}',
        f'{interval.p:.4f}',
    ]


def question_differences(study: Study, outcomes: Outcomes, a: int, b: int, dataset: str):
    """Differences of entry b and entry a of a study, of every question, in every language.

    Of the seeds I that both entries have. Questions of runs that read other data (their ids or
    texts differ) are other questions.

    Returns:
      Languages C, and the differences of EM and of F1 in percent, both [Q, I, C] with nan where a
      seed or a language lacks the question; None where no question was answered by both.
    """
    sides = []
    for entry in (study.entries[a], study.entries[b]):
        sides.append(
            {
                (seed, record.context_language): outcome
                for seed, run, record in entry.records()
                if record.dataset == dataset and is_straight(record)
                if (outcome := outcomes.of(run, record)) is not None
            }
        )
    shared = [key for key in sides[0] if key in sides[1]]
    languages = list(dict.fromkeys(language for _, language in shared))
    seeds = list(dict.fromkeys(seed for seed, _ in shared))
    found: dict[str, dict[tuple[int, int], tuple[float, float]]] = {}
    for seed, language in shared:
        first, second = sides[0][seed, language], sides[1][seed, language]
        at = {question.id: index for index, question in enumerate(second.questions)}
        for i, question in enumerate(first.questions):
            j = at.get(question.id)
            if j is None or second.questions[j].text != question.text:
                continue
            found.setdefault(question.id, {})[seeds.index(seed), languages.index(language)] = (
                100.0 * (float(second.exact_Q[j]) - float(first.exact_Q[i])),
                100.0 * (second.f1_Q[j] - first.f1_Q[i]),
            )
    if not found:
        return None
    difference_QIC2 = np.full((len(found), len(seeds), len(languages), 2), np.nan)
    for row, places in enumerate(found.values()):
        for place, values in places.items():
            difference_QIC2[(row, *place)] = values
    return languages, difference_QIC2[..., 0], difference_QIC2[..., 1]
