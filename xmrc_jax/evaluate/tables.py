"""Scores to files and tables: ours, with the paper's printed cells beside them.

Owns the files below ``predictions/``, ``results.json`` and ``results.md``, and how a table looks.
It computes no score. Means are computed from the cells shown, the paper's too; where the paper
prints another average a note says so. What was not measured or not printed stays empty.

    predictions/{system}/{dataset}.{c}-{q}.json           best answers, official layout
    predictions/{system}/{dataset}.{c}-{q}.nbest.json     n-best answers, run_qa's layout
    predictions/{system}/{dataset}.{c}-{q}.scores.json    their record, written last
"""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from xmrc_jax.data.squad import Corpus, Question
from xmrc_jax.evaluate import metrics, paper, predict
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import write_json, write_text

COLUMNS = 100  # of a terminal

Cells = dict[str, tuple[float, ...]]  # language -> one or several percentages


@dataclass(frozen=True)
class Record:
    """What one system scored on one test set; percentages. `top_k` is exact match by k.

    `selection` says how its parameters were chosen, and `steps` of which checkpoints they are the
    mean.
    """

    system: str
    dataset: str
    context_language: str
    question_language: str
    questions: int
    exact_match: float
    f1: float
    top_k: dict[int, float]
    metric: str
    selection: str = ''
    steps: tuple[int, ...] = ()


def prediction_path(workdir: Path, system: str, corpus: Corpus) -> Path:
    """Where a system's answers to a corpus lie."""
    languages = corpus.context_language, corpus.question_language
    return _path(workdir, system, _dataset(corpus), *languages)


def record_path(workdir: Path, record: Record) -> Path:
    """Where the answers lie that a record scores; equal to ``prediction_path`` of its corpus."""
    languages = record.context_language, record.question_language
    return _path(workdir, record.system, record.dataset, *languages)


def _path(workdir: Path, system: str, dataset: str, c: str, q: str) -> Path:
    name = re.sub(r'[^\w.-]+', '-', f'{dataset}.{c}-{q}.json').strip('-')
    return workdir / 'predictions' / system / name


def _dataset(corpus: Corpus) -> str:
    """A corpus's name without its languages: 'mlqa/test' of 'mlqa/test/es-en'."""
    c, q = corpus.context_language, corpus.question_language
    return re.sub(f'[/@]{re.escape(c)}(-{re.escape(q)})?$', '', corpus.name)


def read_record(path: Path) -> Record | None:
    """The record beside the predictions at `path`, or None where they are not complete."""
    try:
        return _record(json.loads(path.with_suffix('.scores.json').read_text('utf-8')))
    except FileNotFoundError:
        return None


def read_records(workdir: Path) -> tuple[Record, ...]:
    """Those of ``results.json``.

    Raises:
      FileNotFoundError: the run has no results yet.
      UserError: the file is not what ``write`` wrote.
    """
    path = workdir / 'results.json'
    try:
        records = json.loads(path.read_text('utf-8'))
        if not isinstance(records, list):
            raise TypeError(records)
        return tuple(map(_record, records))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise UserError(f'{path}: not a list of results: {error!r}') from None


def _record(values: dict) -> Record:
    top_k = {int(k): exact_match for k, exact_match in values['top_k'].items()}
    return Record(**values | {'top_k': top_k, 'steps': tuple(values['steps'])})


def write_predictions(
    path: Path,
    system: str,
    corpus: Corpus,
    questions: Sequence[Question],
    nbest: predict.NBest,
    metric: str,
    ks: Sequence[int],
    selection: str = '',
    steps: Sequence[int] = (),
) -> Record:
    """Scores the answers to a corpus and writes them with their record.

    Args:
      path: as `prediction_path` gives it.
      system: name of the system.
      corpus: names the dataset and its languages.
      questions: those of the corpus that were answered.
      nbest: the answers.
      metric: a key of `metrics.METRICS`.
      ks: for which k the exact match of the k best is scored.
      selection: how the system's parameters were chosen.
      steps: of the checkpoints whose mean they are.

    Raises:
      UserError: the metric does not know the language, or a file cannot be written.
    """
    language = corpus.context_language
    best = predict.predictions(questions, nbest)
    texts = predict.texts(questions, nbest)
    record = Record(
        system=system,
        dataset=_dataset(corpus),
        context_language=language,
        question_language=corpus.question_language,
        questions=len(questions),
        **metrics.score(questions, best, metric, language),
        top_k=metrics.top_k_exact_match(questions, texts, ks, metric, language),
        metric=metric,
        selection=selection,
        steps=tuple(steps),
    )
    write_json(path, best)
    write_json(path.with_suffix('.nbest.json'), predict.nbest_json(questions, nbest))
    write_json(path.with_suffix('.scores.json'), asdict(record))
    return record


def write(workdir: Path, records: Sequence[Record]) -> None:
    """Writes `results.json` and `results.md`.

    Raises:
      UserError: a file cannot be written.
    """
    write_json(workdir / 'results.json', [asdict(record) for record in records])
    write_text(workdir / 'results.md', '# Results\n\n' + '\n'.join(map(markdown, _tables(records))))


def terminal(records: Iterable[Record]) -> str:
    """The tables of `results.md` as aligned text, at most 100 columns wide."""
    return '\n'.join(map(text, _tables(records)))


class Table(NamedTuple):
    """What is shown in a terminal and in a file."""

    title: str
    header: list[str]
    rows: list[list[str]]  # a row of one cell is a heading
    note: str


def _tables(records: Iterable[Record]) -> Iterator[Table]:
    """F1/EM and top-k EM of each dataset, and a matrix where question and passage are crossed."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.dataset, record.metric), []).append(record)
    for (dataset, metric), group in groups.items():
        alike = [each for each in group if each.question_language == each.context_language]
        if alike:
            yield from _of_languages(dataset, metric, alike)
        if len(alike) < len(group):
            yield from _matrices(dataset, metric, group)


def _by_system(group: Iterable[Record]) -> dict[str, list[Record]]:
    systems: dict[str, list[Record]] = {}
    for record in group:
        oracle = ' (chosen on the test set)' if record.selection == 'oracle' else ''
        systems.setdefault(record.system + oracle, []).append(record)
    return systems


def _matrices(dataset: str, metric: str, group: Sequence[Record]) -> Iterator[Table]:
    """F1/EM of every pair, one matrix per system: rows are passages, columns questions."""
    languages = sorted(
        {each.context_language for each in group} | {each.question_language for each in group},
        key=paper_order,
    )
    for system, records in _by_system(group).items():
        cells = {
            (each.context_language, each.question_language): (each.f1, each.exact_match)
            for each in records
        }
        rows = []
        for c in languages:
            row = {q: cells[c, q] for q in languages if (c, q) in cells}
            rows.append([c, *(_cell(row.get(q, ())) for q in languages)])
            rows[-1].append(_cell(_mean(row, languages)))
        means = []
        for q in languages:
            column = {c: cells[c, q] for c in languages if (c, q) in cells}
            means.append(_cell(_mean(column, languages)))
        pairs = {f'{c}-{q}': cells.get((c, q), ()) for c in languages for q in languages}
        whole = {name: cell for name, cell in pairs.items() if cell}
        rows.append([f'mean of {len(languages)}', *means, _cell(_mean(whole, list(pairs)))])
        yield Table(
            f'{dataset}, {system}: F1/EM, passages by row, questions by column (metric {metric})',
            ['', *languages, f'mean of {len(languages)}'],
            rows,
            '',
        )


def _of_languages(dataset: str, metric: str, group: Sequence[Record]) -> Iterator[Table]:
    languages = sorted({record.context_language for record in group}, key=paper_order)
    systems = _by_system(group)
    yield _table(
        f'{dataset}: F1/EM (metric {metric})',
        languages,
        {'': {system: _scores(records) for system, records in systems.items()}},
        paper.SCORES.get(dataset, {}),
    )
    top_k = {
        system: {f'k = {k}': _top_k(records, k) for k in records[0].top_k}
        for system, records in systems.items()
    }
    if dataset in paper.TOP_K:
        top_k['paper, zero-shot XLM-R base'] = {
            f'k = {k}': cells for k, cells in paper.TOP_K[dataset].items()
        }
    yield _table(
        f'{dataset}: EM when any of the k best answers may hit (metric {metric})',
        languages,
        top_k,
        {},
    )


def paper_order(language: str) -> tuple[bool, int, str]:
    """Sorts the paper's languages as it does, the others behind them."""
    known = language in paper.LANGUAGES
    return not known, paper.LANGUAGES.index(language) if known else 0, language


def _scores(records: Iterable[Record]) -> Cells:
    return {record.context_language: (record.f1, record.exact_match) for record in records}


def _top_k(records: Iterable[Record], k: int) -> Cells:
    return {record.context_language: (record.top_k[k],) for record in records}


def _table(
    title: str,
    languages: list[str],
    sections: dict[str, dict[str, Cells]],
    printed: dict[str, Sequence[paper.Row]],
) -> Table:
    """Sections of rows, the paper's printed rows last; a column per language, then the means."""
    sections = dict(sections)
    differing = []
    for setting, rows in printed.items():
        sections[f'paper, {setting}'] = {row.system: row.cells for row in rows}
        for row in rows:
            mean = _mean(row.cells, paper.LANGUAGES)
            if row.average and _cell(row.average) != _cell(mean):
                differing.append(f'{setting} {row.system} {_cell(row.average)}')
    averaged = [languages]
    if set(paper.LANGUAGES) < set(languages):
        averaged.append(list(paper.LANGUAGES))
    rows = []
    for heading, section in sections.items():
        lines = [
            [label, *(_cell(cells.get(language, ())) for language in languages)]
            + [_cell(_mean(cells, subset)) for subset in averaged]
            for label, cells in section.items()
        ]
        rows += [[heading]] if heading else []
        rows += lines
    note = ''
    if differing and set(paper.LANGUAGES) <= set(languages):
        note = (
            'Means are computed from the cells. Averages that the paper prints differently: '
            f'{", ".join(differing)}.'
        )
    means = [f'mean of {len(subset)}' for subset in averaged]
    return Table(title, ['', *languages, *means], rows, note)


def _mean(cells: Cells, languages: Sequence[str]) -> tuple[float, ...]:
    """Mean of each percentage over the languages; nothing where a cell is missing."""
    if not all(language in cells for language in languages):
        return ()
    columns = zip(*(cells[language] for language in languages), strict=True)
    return tuple(sum(column) / len(languages) for column in columns)


def _cell(percentages: tuple[float, ...]) -> str:
    return '/'.join(f'{percentage:.2f}' for percentage in percentages)


def markdown(table: Table) -> str:
    """Below a heading of level 2."""
    width = len(table.header)
    lines = [table.header, ['---'] + ['---:'] * (width - 1)]
    lines += [row if len(row) > 1 else [f'*{row[0]}*'] + [''] * (width - 1) for row in table.rows]
    body = '\n'.join(f'| {" | ".join(line)} |' for line in lines)
    return f'## {table.title}\n\n{body}\n' + (f'\n{table.note}\n' if table.note else '')


def text(table: Table) -> str:
    """Aligned, at most 100 columns wide where the cells allow it."""
    lines = [table.header, *(row for row in table.rows if len(row) > 1)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    parts: list[list[int]] = [[]]  # columns that fit side by side behind the first
    for column in range(1, len(widths)):
        if sum(widths[i] + 1 for i in [*parts[-1], column]) + widths[0] > COLUMNS:
            parts.append([])
        parts[-1].append(column)
    lines = [table.title]
    for columns in parts:
        for row in (table.header, *table.rows):
            cells = [f' {row[i]:>{widths[i]}}' for i in columns] if len(row) > 1 else []
            lines.append(f'{row[0]:<{widths[0]}}{"".join(cells)}'.rstrip())
    lines += textwrap.wrap(table.note, COLUMNS)
    return '\n'.join(lines) + '\n'
