"""Studies to tables of scores: ours, with the paper's printed cells, top-k and G-XLT.

Every column is the mean over some pairs of languages, one pair for a column of its own; means are
taken within a seed from the cells shown, the paper's from its printed cells. What was not measured
or not printed stays empty. 'Ours' is a row of the paper and of nobody else.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from xmrc_jax.ground.files import write_text
from xmrc_jax.reporting import paper
from xmrc_jax.reporting.cells import (
    Cells,
    Columns,
    Pair,
    columns_of,
    datasets,
    differences,
    f1_and_em,
    f1_and_em_of_all,
    is_straight,
    label,
    mean_of,
    means,
    metrics_of,
    not_asked,
    over_seeds,
    seeds_done,
    text,
    texts,
)
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

    Where none reproduces a row, all that tables 5 and 6 print of the dataset follow.
    """
    columns = columns_of(study, dataset)
    if not columns:
        return None
    found = [over_seeds(entry, dataset, columns, f1_and_em) for entry in study.entries]
    counts = [seeds_done(*each) for each in zip(study.entries, found, strict=True)]
    counted = any(count != '1' for count in counts)
    rows, printed = [], []

    def add(label: str, cells: list[str], count: str = '') -> None:
        rows.append([label, *[count] * counted, *cells])

    for entry, ours, count in zip(study.entries, found, counts, strict=True):
        add(label(entry), texts(ours, columns), count)
        if any(record.whole for _, _, record in entry.records() if record.dataset == dataset):
            of_all = over_seeds(entry, dataset, columns, f1_and_em_of_all)
            add(f'{label(entry)}, over all records', texts(of_all, columns))
        if of_paper := entry.printed(dataset):
            table, row = of_paper
            theirs = _printed(row, columns)
            add(f'paper, {table}: {row.system}', _with_deviations(theirs, row, columns))
            add('difference', differences(ours, theirs, columns))
            printed.append((f'{table} {row.system}', row))
    if not printed:
        for setting, of_setting in paper.SCORES.get(dataset, {}).items():
            rows.append([f'paper, {setting}'])
            for row in of_setting:
                add(row.system, texts(_printed(row, columns), columns))
                printed.append((f'{setting} {row.system}', row))
    notes = [
        'Behind ±: sample deviation over seeds; means are taken within each seed; empty: not run.'
    ] * counted
    notes += not_asked(study, dataset)
    title = f'{dataset}: F1/EM (metric {metrics_of(study, dataset)})'
    header = ['', *['seeds'] * counted, *columns]
    return Table(title, header, rows, (*notes, *_disagreements(printed, columns)))


def _printed(row: paper.Row, columns: Columns) -> Cells:
    """The printed cells and their means; the printed average where no cell is printed."""
    cells = means({(c, c): cell for c, cell in row.cells.items()}, columns)
    whole = mean_of(paper.LANGUAGES)
    if row.average and not row.cells and _of_paper(columns.get(whole, ())):
        cells[whole] = row.average
    return cells


def _of_paper(pairs: Sequence[Pair]) -> bool:
    return {c for c, _ in pairs} == set(paper.LANGUAGES)


def _with_deviations(cells: Cells, row: paper.Row, columns: Columns) -> list[str]:
    shown = texts(cells, columns)
    for at, (column, pairs) in enumerate(columns.items()):
        name = 'average' if _of_paper(pairs) else column
        if column in cells and name in row.deviations:
            shown[at] += f' ±{row.deviations[name]:g}'
    return shown


def _disagreements(printed: Sequence[tuple[str, paper.Row]], columns: Columns) -> list[str]:
    """The one note on averages that the paper prints otherwise than its cells give them."""
    whole = mean_of(paper.LANGUAGES)
    if not _of_paper(columns.get(whole, ())):
        return []
    different = dict.fromkeys(
        f'{name} {text(row.average)}'
        for name, row in printed
        if row.average and text(row.average) != text(_printed(row, columns).get(whole, ()))
    )
    note = 'Means are computed from the cells. Averages that the paper prints differently: '
    return [f'{note}{", ".join(different)}.'] if different else []


def crossed_tables(study: Study, dataset: str) -> Iterator[Table]:
    """G-XLT: F1/EM of every pair, a matrix for each entry that crosses languages."""
    for entry in study.entries:
        records = [record for _, _, record in entry.records() if record.dataset == dataset]
        if all(map(is_straight, records)):
            continue
        languages = sorted(
            {each for r in records for each in (r.context_language, r.question_language)},
            key=paper.order,
        )
        groups = {language: [language] for language in languages} | {mean_of(languages): languages}
        rows = []
        for name, passages in groups.items():
            columns = {
                heading: [(c, q) for c in passages for q in questions]
                for heading, questions in groups.items()
            }
            found = over_seeds(entry, dataset, columns, f1_and_em)
            rows.append([name, *texts(found, columns)])
        yield Table(
            f'{dataset}, {label(entry)}: F1/EM, passages by row, questions by column '
            f'(metric {metrics_of(study, dataset)})',
            ['', *groups],
            rows,
            not_asked(study, dataset),
            frozenset((at, at) for at in range(len(languages))),
        )
