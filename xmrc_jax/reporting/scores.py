"""Studies to tables of scores: ours, with the paper's printed cells, top-k and G-XLT.

Every column is the mean over some pairs of languages, one pair for a column of its own; means are
taken within a seed from the cells shown, the paper's from its printed cells. What was not measured
or not printed stays empty. 'Ours' is a row of the paper and of nobody else.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import product
from pathlib import Path

from xmrc_jax.evaluate.records import Record
from xmrc_jax.ground.files import write_text
from xmrc_jax.reporting import cells, paper
from xmrc_jax.reporting.cells import Columns, Spreads, datasets, f1_and_em, label, mean_of
from xmrc_jax.reporting.runs import Entry, Study
from xmrc_jax.reporting.statistics import spread
from xmrc_jax.reporting.tables import Table, to_markdown, to_text


def write(folder: Path, study: Study) -> str:
    """Writes ``results.md``, or UserError; returns the same tables as a terminal shows them."""
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

    The rows that tables 5 and 6 print beside these and no entry reproduces follow; all of the
    dataset's where none reproduces any row. The best F1 of a column is marked, among the entries.
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
        own = [record for _, _, record in entry.records(dataset)]
        for name, (part, score) in cells.PARTS.items():
            if any(getattr(record, part) for record in own):
                of_part = cells.over_seeds(entry, dataset, columns, score)
                add(f'{label(entry)}, {name}', cells.texts(of_part, columns))
        if of_paper := entry.printed(dataset):
            table, row = of_paper
            add(f'paper, {table}: {row.system}', _with_deviations(row, columns))
            add('difference', cells.differences(ours, _printed(row, columns), columns))
            printed.append((f'{table} {row.system}', row))
    reproduced = [name for name, _ in printed]
    for heading, name, row in _others(dataset, reproduced):
        if [heading] not in rows:
            rows.append([heading])
        add(row.system, cells.texts(_printed(row, columns), columns))
        printed.append((name, row))
    notes = [
        'Behind ±: sample deviation over seeds; means are taken within each seed; empty: not run.'
    ] * counted
    notes += cells.not_asked(study, dataset)
    title = f'{dataset}: F1/EM (metric {cells.metrics_of(study, dataset)})'
    header = ['', *['seeds'] * counted, *columns]
    notes += _disagreements(printed, columns)
    return Table(title, header, rows, notes, frozenset(marked))


def _others(dataset: str, reproduced: Collection[str]) -> Iterator[tuple[str, str, paper.Row]]:
    """Printed rows of tables 5 and 6 beside those that entries reproduce: heading, name, row."""
    of_scores = [name for name in reproduced if name.startswith(('table_5/', 'table_6/'))]
    for setting, rows in paper.SCORES.get(dataset, {}).items():
        if reproduced and not any(f'/{setting} ' in name for name in of_scores):
            continue
        for row in rows:
            if not any(name.endswith(f'/{setting} {row.system}') for name in of_scores):
                not_run = ', not run here' if reproduced else ''
                yield f'paper, {setting}{not_run}', f'{setting} {row.system}', row


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
    whole, average = mean_of(paper.LANGUAGES), tuple(spread([each]) for each in row.average)
    return {whole: average} if _of_paper(columns.get(whole, ())) else {}


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


def top_k(entry: Entry, dataset: str, columns: Columns) -> dict[int, Spreads]:
    """EM when any of the k best answers may hit, for each k that was scored."""
    records = [record for _, _, record in entry.records(dataset)]

    def of(k: int) -> Spreads:
        def exact_match(record: Record) -> tuple[float, ...]:
            return (record.top_k[k],) if k in record.top_k else ()

        return cells.over_seeds(entry, dataset, columns, exact_match)

    ks = {k for record in records if cells.is_straight(record) for k in record.top_k}
    return {k: of(k) for k in sorted(ks)}


def top_k_table(study: Study, dataset: str) -> Table | None:
    """EM when any of the k best answers may hit, beside table 2."""
    columns = cells.columns_of(study, dataset)
    of_paper = paper.TOP_K.get(dataset, {})
    printed = {k: cells.printed(each, columns) for k, each in of_paper.items()}
    rows, compared = [], False
    for entry in study.entries:
        by_k = top_k(entry, dataset, columns)
        if not by_k:
            continue
        done = cells.seeds_done(entry, by_k[min(by_k)])
        rows.append([label(entry) + (f', seeds: {done}' if done != '1' else '')])
        for k, ours in by_k.items():
            rows.append([f'k = {k}', *cells.texts(ours, columns)])
            if k in printed and _is_papers_base(entry):
                rows.append([f'paper, table_2: Top-{k}', *cells.texts(printed[k], columns)])
                rows.append(['difference', *cells.differences(ours, printed[k], columns)])
                compared = True
    if not rows:
        return None
    if printed and not compared:
        rows.append(['paper, zero-shot XLM-R base'])
        rows += [[f'k = {k}', *cells.texts(each, columns)] for k, each in printed.items()]
    metrics = cells.metrics_of(study, dataset)
    title = f'{dataset}: EM when any of the k best answers may hit (metric {metrics})'
    return Table(title, ['', *columns], rows, cells.not_asked(study, dataset))


def gain_table(study: Study, dataset: str) -> Table | None:
    """What is to be won behind the best answer."""
    columns = cells.columns_of(study, dataset)
    rows, notes = [], []
    for entry in study.entries:
        by_k = top_k(entry, dataset, columns)
        if len(by_k) < 2:
            continue
        least, most = min(by_k), max(by_k)
        name = f'{label(entry)}, k = {most} over k = {least}'
        rows.append([name, *cells.differences(by_k[most], by_k[least], columns)])
        gains = {
            column: by_k[most][column][0].mean - by_k[least][column][0].mean
            for column, pairs in columns.items()
            if len(pairs) == 1 and column in by_k[most]
        }
        widest = max(gains, key=gains.get)
        notes.append(f'{label(entry)}: most in {widest}, {gains[widest]:.2f} EM.')
    title = f'{dataset}: EM to be won behind the best answer'
    return Table(title, ['', *columns], rows, notes) if rows else None


def _is_papers_base(entry: Entry) -> bool:
    base = 'table_5/zero-shot', 'XLM-R base'
    return any(table == 'table_2' or (table, row) == base for table, row in entry.rows)


def crossed_tables(study: Study, dataset: str) -> Iterator[Table]:
    """G-XLT: F1/EM of every pair, a matrix for each entry that crosses languages."""
    for entry in study.entries:
        records = [record for _, _, record in entry.records(dataset)]
        pairs = {(each.context_language, each.question_language) for each in records}
        if all(c == q for c, q in pairs):
            continue
        passages, questions = (
            sorted(set(own), key=paper.order) for own in zip(*pairs, strict=True)
        )
        both = {*passages} & {*questions}
        by_row, by_column = (
            {own: [own] for own in languages} | {mean_of(languages): languages}
            for languages in (passages, questions)
        )
        rows = []
        for name, group in by_row.items():
            columns = {key: list(product(group, own)) for key, own in by_column.items()}
            found = cells.over_seeds(entry, dataset, columns, f1_and_em)
            rows.append([name, *cells.texts(found, columns)])
        yield Table(
            f'{dataset}, {label(entry)}: F1/EM, passages by row, questions by column '
            f'(metric {cells.metrics_of(study, dataset)})',
            ['', *by_column],
            rows,
            cells.not_asked(study, dataset),
            frozenset((passages.index(each), questions.index(each)) for each in both),
        )
