"""Every entry of a study against the first, by the paired bootstrap: a table, and in words."""

from collections.abc import Iterator

import numpy as np

from xmrc_jax.reporting.cells import columns_of, f1_and_em, is_straight, label, mean_of, over_seeds
from xmrc_jax.reporting.outcomes import Outcomes, shared
from xmrc_jax.reporting.runs import Entry, Study
from xmrc_jax.reporting.statistics import RESAMPLES, Interval, paired_bootstrap
from xmrc_jax.reporting.tables import Table


def significance_table(study: Study, dataset: str, outcomes: Outcomes) -> Table | None:
    """Every entry against the first: difference, 95 % interval and p-value, EM and F1."""
    rows = []
    for entry in study.entries[1:]:
        first = study.entries[0]
        if (found := question_differences(first, entry, dataset, outcomes)) is None:
            continue
        languages, em_QIC, f1_QIC = found
        columns = [*languages, mean_of(languages)] if len(languages) > 1 else languages
        rows.append([f'{label(entry)} minus {label(first)}'])
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


def in_words(study: Study, dataset: str, outcomes: Outcomes) -> Iterator[str]:
    """What the table comes to: two sentences, of F1 and of EM, for every entry after the first.

    The interval says what other questions would do; what another training would do, the seeds.
    """
    first = study.entries[0]
    for entry in study.entries[1:]:
        if (found := question_differences(first, entry, dataset, outcomes)) is None:
            continue
        languages, em_QIC, f1_QIC = found
        where = f'On {dataset} ({mean_of(languages) if len(languages) > 1 else languages[0]})'
        for name, difference_QIC in (('F1', f1_QIC), ('EM', em_QIC)):
            if interval := paired_bootstrap(difference_QIC)[-1]:
                sentence = _sentence(label(entry), label(first), name, interval)
                yield f'{where} {sentence}{_of_seeds(difference_QIC)}'


def scored(study: Study, dataset: str) -> str:
    """What every entry has, where nothing says which is better: one sentence."""
    columns = columns_of(study, dataset)
    *_, name = columns or ['']
    found = [
        f'{label(entry)} has {spreads[name][0].mean:.2f} F1 and {spreads[name][1].mean:.2f} EM'
        for entry in study.entries
        if name in (spreads := over_seeds(entry, dataset, columns, f1_and_em))
    ]
    return f'On {dataset} ({name}) {", ".join(found)}.' if found else ''


def _sentence(one: str, other: str, name: str, interval: Interval) -> str:
    difference = interval.difference
    more = f'{abs(difference):.2f} {name} {"more" if difference > 0 else "less"} than {other}'
    if interval.low <= 0 <= interval.high:
        verdict = 'holds 0: which is better is not decided'
    else:
        verdict = f'leaves out 0: {one if difference > 0 else other} is better'
    return (
        f'{one} has {more if difference else f"the {name} of {other}"}; '
        f'the paired 95 % interval, {interval.low:+.2f} to {interval.high:+.2f}, {verdict}.'
    )


def _of_seeds(difference_QIC: np.ndarray) -> str:
    """The mean difference of each seed that has all languages, where there are several."""
    count_IC = np.sum(~np.isnan(difference_QIC), axis=0)
    whole_I = count_IC.all(axis=-1)
    of_seed_I = (np.nansum(difference_QIC, axis=0)[whole_I] / count_IC[whole_I]).mean(axis=-1)
    each = ', '.join(f'{difference:+.2f}' for difference in of_seed_I)
    return f' By seed: {each}.' if len(of_seed_I) > 1 else ''


def _interval(interval) -> list[str]:
    if interval is None:
        return ['', '', '']
    return [
        f'{interval.difference:+.2f}',
        f'{interval.low:+.2f} to {interval.high:+.2f}',
        f'{interval.p:.4f}',
    ]


def question_differences(one: Entry, two: Entry, dataset: str, outcomes: Outcomes):
    """Differences of the second entry and the first, of every question, in every language.

    Of the seeds I that both have. Where runs read other data, questions are other questions.

    Returns:
      Languages C, and the differences of EM and of F1 in percent, both [Q, I, C] with nan where a
      seed or a language lacks the question; None where no question was answered by both.
    """
    first, second = (
        {
            (seed, record.context_language): outcome
            for seed, run, record in entry.records(dataset)
            if is_straight(record) and (outcome := outcomes.of(run, record)) is not None
        }
        for entry in (one, two)
    )
    both = [key for key in first if key in second]
    languages = list(dict.fromkeys(language for _, language in both))
    seeds = list(dict.fromkeys(seed for seed, _ in both))
    found: dict[str, np.ndarray] = {}  # question id -> [2, I, C]
    for seed, language in both:
        a, b = first[seed, language], second[seed, language]
        for question, i, j in shared(a, b):
            empty_2IC = np.full((2, len(seeds), len(languages)), np.nan)
            found.setdefault(question.id, empty_2IC)[
                :, seeds.index(seed), languages.index(language)
            ] = float(b.exact_Q[j]) - float(a.exact_Q[i]), b.f1_Q[j] - a.f1_Q[i]
    if not found:
        return None
    em_QIC, f1_QIC = 100.0 * np.stack(list(found.values()), axis=1)
    return languages, em_QIC, f1_QIC
