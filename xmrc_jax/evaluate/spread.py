"""Scores of several runs to tables: mean and sample deviation over seeds, a row for each entry."""

import statistics
from collections.abc import Callable, Iterator

from xmrc_jax.evaluate.tables import Record, Table, paper_order

Trials = list[list[Record]]  # the records of one entry, seed by seed


def tables_of(entries: dict[str, Trials]) -> Iterator[Table]:
    """F1/EM and top-k EM of each dataset, questions in the language of the passage.

    Args:
      entries: label -> for each seed the records of the entry's system.

    A cell is empty where a seed has no record for it.
    """
    records = [each for trials in entries.values() for trial in trials for each in trial]
    alike = [each for each in records if each.context_language == each.question_language]
    for dataset, metric in dict.fromkeys((each.dataset, each.metric) for each in alike):
        own = [each for each in alike if (each.dataset, each.metric) == (dataset, metric)]
        languages = sorted({each.context_language for each in own}, key=paper_order)

        def rows(score, dataset=dataset, languages=languages):
            for label, trials in entries.items():
                yield [label, *_cells(trials, dataset, languages, score)]

        header = ['', *languages, f'mean of {len(languages)}']
        seeds = f'seeds: {max(map(len, entries.values()))}, metric {metric}'
        yield Table(
            f'{dataset}: F1/EM ({seeds})',
            header,
            list(rows(lambda each: (each.f1, each.exact_match))),
            '',
        )
        ks = own[0].top_k
        yield Table(
            f'{dataset}: EM when any of the k best answers may hit ({seeds})',
            header,
            [
                [f'{label}, k = {k}', *cells]
                for k in ks
                for label, *cells in rows(lambda each, k=k: (each.top_k[k],))
            ],
            '',
        )


def _cells(
    trials: Trials,
    dataset: str,
    languages: list[str],
    score: Callable[[Record], tuple[float, ...]],
) -> Iterator[str]:
    """A cell for each language, then that of the means over languages, seed by seed."""
    by_seed = [
        {
            each.context_language: score(each)
            for each in trial
            if each.dataset == dataset and each.context_language == each.question_language
        }
        for trial in trials
    ]
    for language in languages:
        yield _cell([cells.get(language) for cells in by_seed])
    yield _cell(
        [
            tuple(map(statistics.fmean, zip(*map(cells.get, languages), strict=True)))
            if cells.keys() >= set(languages)
            else None
            for cells in by_seed
        ]
    )


def _cell(values: list[tuple[float, ...] | None]) -> str:
    """'60.0±1.2/50.0±0.8' of (F1, EM) by seed.

    >>> _cell([(60.0, 50.0), (62.0, 50.0)]), _cell([(60.0,)]), _cell([(60.0,), None])
    ('61.00±1.41/50.00±0.00', '60.00', '')
    """
    if not values or None in values:
        return ''
    columns = list(zip(*values, strict=True))
    deviations = [
        f'±{statistics.stdev(column):.2f}' if len(column) > 1 else '' for column in columns
    ]
    means = [f'{statistics.fmean(column):.2f}' for column in columns]
    return '/'.join(map(str.__add__, means, deviations))
