"""Studies to tables of scores: ours, with the paper's printed cells, top-k and G-XLT.

Every column is the mean over some pairs of languages, one pair for a column of its own; means are
taken within a seed from the cells shown, the paper's from its printed cells. What was not measured
or not printed stays empty. 'Ours' is a row of the paper and of nobody else.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from xmrc_jax.ground.files import write_text
from xmrc_jax.reporting import cells, paper
from xmrc_jax.reporting.cells import Columns, Spreads, datasets, f1_and_em, label, mean_of
from xmrc_jax.reporting.runs import Study
from xmrc_jax.reporting.tables import Table, to_markdown, to_text
from xmrc_jax.reporting.top_k import top_k_table


def write(folder: Path, study: Study) -> str:
    """Writes ``results.md``; returns the same tables as a terminal shows them.

    Raises:
      UserError: it cannot be written.
    """
    shown = list(tables(study))
    markdown = '\n'.join(map(to_markdown, shown))
    write_text(folder / 'results.md', f'# {study.title}\n\n{markdown}')
    return '\n'.join(map(to_text, shown))


def tables(study: Study) -> Iterator[Table]:
    """All tables of scores, dataset by dataset."""
    for dataset in datasets(study):
        yield from filter(None, (score_table(study, dataset), top_k_table(study, dataset)))
        yield from crossed_tables(study, dataset)


def score_table(study: Study, dataset: str) -> Table | None:
    """F1/EM of every entry, the paper's row that it reproduces and the difference below it.

    Where none reproduces a row, all that tables 5 and 6 print of the dataset follow. The best F1 of
    a column is marked, among the entries.
    """
    columns = cells.columns_of(study, dataset)
    if not columns:
        return None
    found = [cells.over_seeds(entry, dataset, columns, f1_and_em) for entry in study.entries]
    counts = [cells.seeds_done(*each) for each in zip(study.entries, found, strict=True)]
    counted = any(count != '1' for count in counts)
    best, marked = _best(found), set()
    rows, printed = [], []

    def add(label: str, texts: list[str], count: str = '') -> None:
        rows.append([label, *[count] * counted, *texts])

    for entry, ours, count in zip(study.entries, found, counts, strict=True):
        for at, column in enumerate(columns, start=counted):
            if column in ours and best.get(column) == ours[column][0].mean:
                marked.add((len(rows), at))
        add(label(entry), cells.texts(ours, columns), count)
        if of_paper := entry.printed(dataset):
            table, row = of_paper
            add(f'paper, {table}: {row.system}', _with_deviations(row, columns))
            add('difference', cells.differences(ours, _printed(row, columns), columns))
            printed.append((f'{table} {row.system}', row))
    if not printed:
        for setting, of_setting in paper.SCORES.get(dataset, {}).items():
            rows.append([f'paper, {setting}'])
            for row in of_setting:
                add(row.system, cells.texts(_printed(row, columns), columns))
                printed.append((f'{setting} {row.system}', row))
    notes = [
        'Behind ±: sample deviation over seeds; means are taken within each seed; empty: not run.'
    ] * counted
    title = f'{dataset}: F1/EM (metric {cells.metrics_of(study, dataset)})'
    header = ['', *['seeds'] * counted, *columns]
    notes += _disagreements(printed, columns)
    return Table(title, header, rows, notes, frozenset(marked))


def _best(found: Sequence[Spreads]) -> dict[str, float]:
    """The highest mean of each column that more than one row has."""
    means: dict[str, list[float]] = {}
    for column, (first, *_) in (each for ours in found for each in ours.items()):
        means.setdefault(column, []).append(first.mean)
    return {column: max(each) for column, each in means.items() if len(each) > 1}


def _printed(row: paper.Row, columns: Columns) -> Spreads:
    """The printed cells and their means; the printed average where no cell is printed."""
    if row.cells:
        return cells.printed(row.cells, columns)
    whole = mean_of(paper.LANGUAGES)
    return {whole: cells.single(row.average)} if _of_paper(columns.get(whole, ())) else {}


def _of_paper(pairs: Sequence[cells.Pair]) -> bool:
    return {c for c, _ in pairs} == set(paper.LANGUAGES)


def _with_deviations(row: paper.Row, columns: Columns) -> list[str]:
    """The printed cells as texts, with the printed deviations behind them."""
    shown = cells.texts(_printed(row, columns), columns)
    for at, (column, pairs) in enumerate(columns.items()):
        deviation = row.deviations.get('average' if _of_paper(pairs) else column)
        if shown[at] and deviation is not None:
            shown[at] += f' ±{deviation:g}'
    return shown


def _disagreements(printed: Sequence[tuple[str, paper.Row]], columns: Columns) -> list[str]:
    """The one note on averages that the paper prints otherwise than its cells give them."""
    whole = mean_of(paper.LANGUAGES)
    if not _of_paper(columns.get(whole, ())):
        return []
    averages = [(name, row, cells.texts(_printed(row, columns), [whole])) for name, row in printed]
    different = dict.fromkeys(
        f'{name} {average}'
        for name, row, computed in averages
        if (average := cells.text(row.average)) and [average] != computed
    )
    note = 'Means are computed from the cells. Averages that the paper prints differently: '
    return [f'{note}{", ".join(different)}.'] if different else []


def crossed_tables(study: Study, dataset: str) -> Iterator[Table]:
    """G-XLT: F1/EM of every pair, a matrix for each entry that crosses languages."""
    for entry in study.entries:
        pairs = {
            (record.context_language, record.question_language)
            for _, _, record in entry.records()
            if record.dataset == dataset
        }
        if all(c == q for c, q in pairs):
            continue
        languages = sorted({each for pair in pairs for each in pair}, key=paper.order)
        groups = {language: [language] for language in languages} | {mean_of(languages): languages}
        rows = []
        for name, passages in groups.items():
            columns = {key: list(product(passages, group)) for key, group in groups.items()}
            found = cells.over_seeds(entry, dataset, columns, f1_and_em)
            rows.append([name, *cells.texts(found, columns)])
        yield Table(
            f'{dataset}, {label(entry)}: F1/EM, passages by row, questions by column '
            f'(metric {cells.metrics_of(study, dataset)})',
            ['', *groups],
            rows,
            marked=frozenset((at, at) for at in range(len(languages))),
        )
