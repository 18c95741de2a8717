"""Studies to tables of scores: ours beside the paper's, significance, top-k, G-XLT, errors."""

from collections import Counter
from collections.abc import Iterator, Sequence

from xmrc_jax.evaluate import paper
from xmrc_jax.evaluate.tables import paper_order
from xmrc_jax.reporting.outcomes import (
    TYPES,
    Outcomes,
    answer_length,
    differences,
    error_type,
    question_word,
)
from xmrc_jax.reporting.runs import Entry, Run, Study
from xmrc_jax.reporting.statistics import RESAMPLES, Spread, paired_bootstrap, spread
from xmrc_jax.reporting.tables import Table

ORACLE = 'oracle (chosen on the test set)'
MEAN = 'mean'


def datasets(study: Study) -> list[str]:
    """Of all records, in order of first appearance."""
    records = (record for entry in study.entries for _, _, record in entry.records())
    return list(dict.fromkeys(record.dataset for record in records))


def languages_of(study: Study, dataset: str) -> list[str]:
    """Languages in which a dataset asks of passages in the same language, in the paper's order."""
    found = {
        record.context_language
        for entry in study.entries
        for _, _, record in entry.records()
        if record.dataset == dataset and record.context_language == record.question_language
    }
    return sorted(found, key=paper_order)


def label(entry: Entry) -> str:
    """The row's label; an oracle is never without its warning, nor another choice without name."""
    if entry.system.endswith('@oracle'):
        return f'{entry.label}, {ORACLE}'
    others = {record.selection for _, _, record in entry.records()} - {'', 'best'}
    unnamed = sorted(others) if '@' not in entry.system else []
    return f'{entry.label} ({", ".join(unnamed)})' if unnamed else entry.label


def scores(entry: Entry, dataset: str, languages: Sequence[str]) -> dict[str, tuple[Spread, ...]]:
    """(F1, EM) over seeds of each language, and of `MEAN` over those seeds that have them all."""
    by_seed: dict[int, dict[str, tuple[float, float]]] = {}
    for seed, _, record in entry.records():
        if record.dataset == dataset and record.context_language == record.question_language:
            pair = record.f1, record.exact_match
            by_seed.setdefault(seed, {})[record.context_language] = pair
    for cells in by_seed.values():
        if all(language in cells for language in languages):
            pairs = [cells[language] for language in languages]
            cells[MEAN] = tuple(sum(column) / len(pairs) for column in zip(*pairs, strict=True))
    return {
        column: tuple(map(spread, zip(*there, strict=True)))
        for column in (*languages, MEAN)
        if (there := [cells[column] for cells in by_seed.values() if column in cells])
    }


def score_table(study: Study, dataset: str) -> Table | None:
    """F1/EM of every entry; below it the paper's printed row and the difference."""
    languages = languages_of(study, dataset)
    if not languages:
        return None
    columns = [*languages, MEAN]
    rows, notes = [], []
    for entry in study.entries:
        ours = scores(entry, dataset, languages)
        done = max((cells[0].n for cells in ours.values()), default=0)
        seeds = f'{done}' if done == len(entry.trials) else f'{done} of {len(entry.trials)}'
        rows.append([label(entry), seeds, *(_spreads(ours.get(column)) for column in columns)])
        if printed := entry.printed(dataset):
            table, row = printed
            own = {k: v for k, v in row.cells.items() if k in languages}
            averages = _averages(row, languages)
            theirs = own | ({MEAN: averages} if averages else {})
            rows.append([f'paper, {table}: {row.system}', '', *_paper_cells(row, theirs, columns)])
            rows.append(['difference', '', *(_difference(ours, theirs, c) for c in columns)])
            notes += _disagreement(table, row, languages)
    seeded = any(len(entry.trials) > 1 for entry in study.entries)
    spoken = 'Behind ±: sample deviation over seeds. ' if seeded else ''
    notes.insert(0, f'{spoken}Means are computed from the cells of each seed; empty: not run.')
    metrics = {r.metric for e in study.entries for _, _, r in e.records() if r.dataset == dataset}
    title = f'{dataset}: F1/EM (metric {", ".join(sorted(metrics))})'
    return Table(title, ['', 'seeds', *columns], rows, tuple(dict.fromkeys(notes)))


def _averages(row: paper.Row, languages: Sequence[str]) -> tuple[float, ...]:
    """The mean of the printed cells; the printed average where no cell is printed."""
    if not row.cells:
        return row.average if set(languages) == set(paper.LANGUAGES) else ()
    if set(languages) - set(row.cells):
        return ()
    pairs = [row.cells[language] for language in languages]
    return tuple(sum(column) / len(pairs) for column in zip(*pairs, strict=True))


def _paper_cells(row: paper.Row, theirs: dict, columns: Sequence[str]) -> list[str]:
    deviations = row.deviations
    return [
        '/'.join(f'{value:.2f}' for value in theirs.get(column, ()))
        + (f' ±{deviations[column]:g}' if column in deviations and column in theirs else '')
        for column in columns
    ]


def _disagreement(table: str, row: paper.Row, languages: Sequence[str]) -> list[str]:
    computed = _averages(row, languages)
    if not (row.average and row.cells and computed and set(languages) == set(row.cells)):
        return []
    texts = ['/'.join(f'{value:.2f}' for value in values) for values in (row.average, computed)]
    if texts[0] == texts[1]:
        return []
    return [f'{table}, {row.system}: the paper prints the average {texts[0]}, not {texts[1]}.']


def _spreads(cells: tuple[Spread, ...] | None) -> str:
    if cells is None:
        return ''
    means = '/'.join(f'{cell.mean:.2f}' for cell in cells)
    if cells[0].deviation is None:
        return means
    return f'{means} ±' + '/'.join(f'{cell.deviation:.2f}' for cell in cells)


def _difference(ours: dict, theirs: dict, column: str) -> str:
    if column not in ours or column not in theirs:
        return ''
    pairs = zip(ours[column], theirs[column], strict=True)
    return '/'.join(f'{cell.mean - value:+.2f}' for cell, value in pairs)


def significance_table(study: Study, dataset: str, outcomes: Outcomes) -> Table | None:
    """Every entry against the first: difference, 95 % interval and p-value, EM and F1."""
    rows = []
    for other in range(1, len(study.entries)):
        if (found := differences(study, outcomes, 0, other, dataset)) is None:
            continue
        languages, em_QSC, f1_QSC = found
        columns = [*languages, MEAN] if len(languages) > 1 else languages
        rows.append([f'{label(study.entries[other])} minus {label(study.entries[0])}'])
        em, f1 = paired_bootstrap(em_QSC), paired_bootstrap(f1_QSC)
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


def top_k(entry: Entry, dataset: str) -> dict[str, dict[int, float]]:
    """Language -> k -> EM, averaged over seeds."""
    found: dict[str, dict[int, list[float]]] = {}
    for _, _, record in entry.records():
        if record.dataset == dataset and record.context_language == record.question_language:
            for k, exact_match in record.top_k.items():
                found.setdefault(record.context_language, {}).setdefault(k, []).append(exact_match)
    return {
        language: {k: sum(values) / len(values) for k, values in sorted(found[language].items())}
        for language in sorted(found, key=paper_order)
    }


def top_k_table(study: Study, dataset: str) -> Table | None:
    """EM when any of the k best answers may hit, and what is to be won behind the best one."""
    languages = languages_of(study, dataset)
    rows, notes = [], []
    for entry in study.entries:
        curves = top_k(entry, dataset)
        if not curves:
            continue
        rows.append([label(entry)])
        ks = sorted({k for curve in curves.values() for k in curve})
        printed = paper.TOP_K.get(dataset, {}) if _is_papers_base(entry, dataset) else {}
        for k in ks:
            cells = {language: curve[k] for language, curve in curves.items() if k in curve}
            rows.append([f'k = {k}', *_ems(cells, languages)])
            if k in printed:
                theirs = {language: em for language, (em,) in printed[k].items()}
                rows.append([f'paper, table_2: Top-{k}', *_ems(theirs, languages)])
                gaps = {c: cells[c] - theirs[c] for c in cells if c in theirs}
                rows.append(['difference', *_ems(gaps, languages, '+')])
        gaps = {c: curve[ks[-1]] - curve[ks[0]] for c, curve in curves.items() if ks[-1] in curve}
        rows.append([f'k = {ks[-1]} over k = {ks[0]}', *_ems(gaps, languages, '+')])
        most = max(gaps, key=gaps.get)
        notes.append(
            f'{label(entry)}: behind the best answer lies most in {most}, '
            f'{gaps[most]:.2f} EM between k = {ks[0]} and k = {ks[-1]}.'
        )
    if not rows:
        return None
    title = f'{dataset}: EM when any of the k best answers may hit'
    return Table(title, ['', *languages, MEAN], rows, notes)


def _is_papers_base(entry: Entry, dataset: str) -> bool:
    base = 'table_5/zero-shot', 'XLM-R base'
    of_table_2 = any(table == 'table_2' or (table, row) == base for table, row in entry.rows)
    return of_table_2 and dataset == paper.TABLES['table_2'].dataset


def _ems(cells: dict[str, float], languages: Sequence[str], sign: str = '') -> list[str]:
    texts = [f'{cells[c]:{sign}.2f}' if c in cells else '' for c in languages]
    whole = all(c in cells for c in languages)
    return [*texts, f'{sum(cells[c] for c in languages) / len(languages):{sign}.2f}' * whole]


def crossed_tables(study: Study, dataset: str) -> Iterator[Table]:
    """G-XLT: language of the passage by language of the question, where any two differ."""
    for entry in study.entries:
        cells: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for _, _, record in entry.records():
            if record.dataset == dataset:
                pair = record.context_language, record.question_language
                cells.setdefault(pair, []).append((record.f1, record.exact_match))
        if all(c == q for c, q in cells):
            continue
        passages = sorted({c for c, _ in cells}, key=paper_order)
        asked = sorted({q for _, q in cells}, key=paper_order)
        rows = []
        for c in passages:
            spreads = [
                tuple(map(spread, zip(*cells[c, q], strict=True))) if (c, q) in cells else None
                for q in asked
            ]
            rows.append([c, *map(_spreads, spreads)])
        yield Table(
            f'{dataset}, {label(entry)}: F1/EM by language of passage (rows) and question',
            ['passage', *(f'question {q}' for q in asked)],
            rows,
            ('Set off: passage and question in one language.',),
            frozenset((passages.index(c), asked.index(c)) for c in passages if c in asked),
        )


def error_table(run: Run, systems: Sequence[str], dataset: str, outcomes: Outcomes) -> Table | None:
    """Shares of the three types by language, question word and length, for one or two systems."""
    counts: dict[str, dict[str, dict[str, Counter]]] = {}
    for system in systems:
        for record in run.of(system):
            language = record.context_language
            crossed = language != record.question_language
            if record.dataset != dataset or crossed:
                continue
            if (outcome := outcomes.of(run, record)) is None:
                continue
            answered = zip(outcome.questions, outcome.answers, outcome.exact_Q, strict=True)
            for question, answer, exact in answered:
                groups = {
                    'all': 'all',
                    'language': language,
                    'question word': question_word(question.text, language),
                    'words of the shortest gold answer': answer_length(question),
                }
                kind = error_type(question, answer, exact, record.metric)
                for heading, group in groups.items():
                    place = counts.setdefault(heading, {}).setdefault(group, {})
                    place.setdefault(system, Counter())[kind] += 1
    if not counts:
        return None
    rows = []
    for heading, groups in counts.items():
        rows += [] if heading == 'all' else [[heading]]
        ordered = sorted(groups, key=paper_order if heading == 'language' else str)
        for group in ordered:
            total = max(counter.total() for counter in groups[group].values())
            shares = [
                f'{100 * counter[kind] / counter.total():.1f}'
                for system in systems
                if (counter := groups[group].get(system))
                for kind in TYPES
            ]
            rows.append([group, str(total), *shares])
    header = ['', 'questions', *(f'{system}: {kind}' for system in systems for kind in TYPES)]
    notes = (
        'Percent of the questions. Boundaries are compared as characters of the passage, but what '
        'the metric takes no notice of (articles, punctuation) moves none; of an answer that '
        'occurs twice the more favourable place counts.',
    )
    return Table(f'{dataset}: kinds of answers of {run.folder.name}', header, rows, notes)
