"""Exact match when any of the k best answers may hit: tables, beside the paper's table 2."""

from xmrc_jax.evaluate.records import Record
from xmrc_jax.reporting import cells, paper
from xmrc_jax.reporting.cells import Columns, Spreads, label
from xmrc_jax.reporting.runs import Entry, Study
from xmrc_jax.reporting.tables import Table


def top_k(entry: Entry, dataset: str, columns: Columns) -> dict[int, Spreads]:
    """EM when any of the k best answers may hit, for each k that was scored."""
    records = [each for _, _, each in entry.records() if each.dataset == dataset]

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
    return Table(title, ['', *columns], rows)


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
