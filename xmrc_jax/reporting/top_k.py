"""Exact match when any of the k best answers may hit: tables, beside the paper's table 2."""

from collections.abc import Callable

from xmrc_jax.evaluate.records import Record
from xmrc_jax.reporting import paper
from xmrc_jax.reporting.cells import (
    Columns,
    Spreads,
    columns_of,
    differences,
    is_straight,
    label,
    means,
    metrics_of,
    not_asked,
    over_seeds,
    seeds_done,
    texts,
)
from xmrc_jax.reporting.runs import Entry, Study
from xmrc_jax.reporting.tables import Table


def top_k_of(entry: Entry, dataset: str) -> list[int]:
    """For which k the exact match of the k best was scored."""
    records = (r for _, _, r in entry.records() if r.dataset == dataset and is_straight(r))
    return sorted({k for record in records for k in record.top_k})


def top_k(entry: Entry, dataset: str, columns: Columns) -> dict[int, Spreads]:
    """EM when any of the k best answers may hit, for each k."""
    return {k: over_seeds(entry, dataset, columns, _em_of(k)) for k in top_k_of(entry, dataset)}


def top_k_table(study: Study, dataset: str) -> Table | None:
    """EM when any of the k best answers may hit, beside table 2."""
    columns = columns_of(study, dataset)
    printed = {
        k: means({(c, c): cell for c, cell in cells.items()}, columns)
        for k, cells in paper.TOP_K.get(dataset, {}).items()
    }
    rows, compared = [], False
    for entry in study.entries:
        by_k = top_k(entry, dataset, columns)
        if not by_k:
            continue
        done = seeds_done(entry, by_k[min(by_k)])
        rows.append([label(entry) + (f', seeds: {done}' if done != '1' else '')])
        for k, ours in by_k.items():
            rows.append([f'k = {k}', *texts(ours, columns)])
            if k in printed and _is_papers_base(entry):
                rows.append([f'paper, table_2: Top-{k}', *texts(printed[k], columns)])
                rows.append(['difference', *differences(ours, printed[k], columns)])
                compared = True
    if not rows:
        return None
    if printed and not compared:
        rows.append(['paper, zero-shot XLM-R base'])
        rows += [[f'k = {k}', *texts(cells, columns)] for k, cells in printed.items()]
    metrics = metrics_of(study, dataset)
    title = f'{dataset}: EM when any of the k best answers may hit (metric {metrics})'
    return Table(title, ['', *columns], rows, not_asked(study, dataset))


def gain_table(study: Study, dataset: str) -> Table | None:
    """What is to be won behind the best answer."""
    columns = columns_of(study, dataset)
    rows, notes = [], []
    for entry in study.entries:
        by_k = top_k(entry, dataset, columns)
        if len(by_k) < 2:
            continue
        least, most = min(by_k), max(by_k)
        first = {column: tuple(each.mean for each in s) for column, s in by_k[least].items()}
        name = f'{label(entry)}, k = {most} over k = {least}'
        rows.append([name, *differences(by_k[most], first, columns)])
        gains = {
            column: by_k[most][column][0].mean - first[column][0]
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


def _em_of(k: int) -> Callable[[Record], tuple[float, ...]]:
    return lambda record: (record.top_k[k],) if k in record.top_k else ()
