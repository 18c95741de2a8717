"""Records of a study to cells: columns of languages, means over them, and over seeds.

A column is the mean over some pairs of languages, one pair for a language of its own; it is taken
within a seed, from the cells shown. A cell for which something is missing is not there.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from xmrc_jax.evaluate.records import Kinds, Record, Whole
from xmrc_jax.reporting import paper
from xmrc_jax.reporting.runs import Entry, Study
from xmrc_jax.reporting.statistics import Spread, spread

Pair = tuple[str, str]  # languages of the passage and of the question
Columns = Mapping[str, Sequence[Pair]]
Spreads = dict[str, tuple[Spread, ...]]  # column -> one or several percentages, over seeds


def datasets(study: Study) -> list[str]:
    """Of all records, in order of first appearance."""
    return list(dict.fromkeys(record.dataset for record in records_of(study)))


def columns_of(study: Study, dataset: str) -> Columns:
    """The languages in which passage and question are, in the paper's order, then their mean.

    Where there are more than the paper's, the mean over the paper's comes last.
    """
    languages = sorted(
        {r.context_language for r in records_of(study, dataset) if is_straight(r)}, key=paper.order
    )
    averaged = [languages] * (len(languages) > 1)
    if set(paper.LANGUAGES) < set(languages):
        averaged.append(list(paper.LANGUAGES))
    single = {language: [(language, language)] for language in languages}
    return single | {mean_of(each): [(c, c) for c in each] for each in averaged}


def mean_of(languages: Sequence[str]) -> str:
    """The heading of a mean."""
    return f'mean of {len(languages)}'


def label(entry: Entry) -> str:
    """The row's label; a choice on the test set is never without its warning, nor another one
    without its name."""
    selections = {record.selection for _, _, record in entry.records()}
    if 'oracle' in selections or entry.system.endswith('@oracle'):
        return f'{entry.label} (chosen on the test set)'
    others = sorted(selections - {'', 'best'}) if '@' not in entry.system else []
    return f'{entry.label} ({", ".join(others)})' if others else entry.label


def over_seeds(
    entry: Entry, dataset: str, columns: Columns, score: Callable[[Record], tuple[float, ...]]
) -> Spreads:
    """Scores of each column over those seeds that have all its cells; absent where none has.

    ``score`` says what is taken of a record of the dataset, () for nothing.
    """
    by_seed: dict[int, dict[Pair, tuple[float, ...]]] = {}
    for seed, _, record in entry.records(dataset):
        if values := score(record):
            pair = record.context_language, record.question_language
            by_seed.setdefault(seed, {})[pair] = values
    return _spreads(by_seed.values(), columns)


def printed(cells: Mapping[str, tuple[float, ...]], columns: Columns) -> Spreads:
    """The same of cells by language, as if they were of one seed."""
    return _spreads([{(language, language): cell for language, cell in cells.items()}], columns)


def _spreads(of_seeds: Collection[Mapping[Pair, tuple]], columns: Columns) -> Spreads:
    spreads = {}
    for column, pairs in columns.items():
        means = [
            [sum(each) / len(pairs) for each in zip(*map(cells.get, pairs), strict=True)]
            for cells in of_seeds
            if all(pair in cells for pair in pairs)
        ]
        if means:
            spreads[column] = tuple(map(spread, zip(*means, strict=True)))
    return spreads


def f1_and_em(scored: Record | Whole | Kinds) -> tuple[float, ...]:
    """What a cell of most tables holds; nothing where that was not scored."""
    return () if scored.f1 is None else (scored.f1, scored.exact_match)


def right_of_unanswerable(record: Record) -> tuple[float, ...]:
    """The share of the questions without an answer to which none was given."""
    return () if record.kinds is None else (record.kinds.right,)


# Rows below that of a system, where a record has such a part.
PARTS = {
    'over all records': ('whole', lambda record: f1_and_em(record.whole or record)),
    'questions with an answer': ('kinds', lambda record: f1_and_em(record.kinds or record)),
    'questions without an answer: share right': ('kinds', right_of_unanswerable),
}


def not_asked(study: Study, dataset: str) -> list[str]:
    """A note on what was dropped of a dataset, if anything was."""
    counts = {}
    for record in records_of(study, dataset):
        if whole := record.whole:
            pair = record.context_language, record.question_language
            name = pair[0] if is_straight(record) else '-'.join(pair)
            counts[name] = (
                f'{name}: {record.questions} asked, {whole.dropped} dropped '
                f'of {whole.records} records'
            )
    return [f'{"; ".join(counts.values())}.'] if counts else []


def seeds_done(entry: Entry, found: Spreads) -> str:
    """How many seeds have come to their end: '3', or '2 of 3'."""
    done = max((cells[0].n for cells in found.values()), default=0)
    return f'{done}' if done == len(entry.trials) else f'{done} of {len(entry.trials)}'


def is_straight(record: Record) -> bool:
    """Whether passage and question are in one language."""
    return record.context_language == record.question_language


def records_of(study: Study, dataset: str = '') -> Iterator[Record]:
    """Every record, or those of one dataset."""
    return (record for entry in study.entries for _, _, record in entry.records(dataset))


def metrics_of(study: Study, dataset: str) -> str:
    """By which a dataset was scored: 'mlqa', or 'mlqa: de; squad: fr' where languages differ."""
    passages: dict[str, dict[str, None]] = {}
    for record in records_of(study, dataset):
        passages.setdefault(record.metric, {})[record.context_language] = None
    if len(passages) == 1:
        return next(iter(passages))
    return '; '.join(f'{metric}: {", ".join(of)}' for metric, of in sorted(passages.items()))


def text(values: Sequence[float], sign: str = '') -> str:
    """'61.00/41.00'."""
    return '/'.join(f'{value:{sign}.2f}' for value in values)


def texts(spreads: Spreads, columns: Iterable[str]) -> list[str]:
    """One text a column: '61.00/41.00 ±1.41/0.50' over seeds, '' where there is no cell."""
    made = []
    for cell in (spreads.get(column, ()) for column in columns):
        deviations = [each.deviation for each in cell if each.deviation is not None]
        mean = text([each.mean for each in cell])
        made.append(f'{mean} ±{text(deviations)}' if deviations else mean)
    return made


def differences(ours: Spreads, theirs: Spreads, columns: Iterable[str]) -> list[str]:
    """Ours minus theirs, where both are there."""
    pairs = (zip(ours.get(c, ()), theirs.get(c, ()), strict=False) for c in columns)
    return [text([o.mean - t.mean for o, t in pair], '+') for pair in pairs]
