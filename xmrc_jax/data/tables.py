"""Questions as people keep them, one a row, read as SQuAD's nested lists.

Owns the kinds of files and what a row's columns may be. Refuses to know languages, corpora by name
and what becomes of a defective record.

A row has ``id``, ``question`` and ``context``, perhaps a ``title``, and its gold answers as

* ``answers``: ``{"text": [..], "answer_start": [..]}`` or ``[{"text": .., "answer_start": ..}]``,
  in CSV as JSON; empty lists say that there is no answer;
* or ``answer`` and ``answer_start``, where there is one.

Kinds: SQuAD-format JSON, JSON with a list of rows (its ``data``, as run_qa's, or all of it), JSON
lines, CSV, Parquet, and a folder that ``datasets`` saved, a split of it behind a colon.
"""

import csv
import hashlib
import io
import json
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from xmrc_jax.ground.errors import UserError, first_line
from xmrc_jax.ground.files import (
    check_fetched,
    encoding_of,
    parsed_json,
    read_bytes,
    unpacked,
    unpacking,
    utf8,
)

csv.field_size_limit(sys.maxsize)  # a passage may be of any length
LINES, CSV, PARQUET = ('.jsonl', '.ndjson'), '.csv', '.parquet'
PACKED = '.gz'
TEXTS = ('.json', *LINES, CSV)
ENDINGS = (*TEXTS, *(end + PACKED for end in TEXTS), PARQUET)  # Parquet is packed by itself
KNOWN = f'{", ".join(TEXTS)} (also {PACKED}), {PARQUET}, a folder that datasets saved'
NEEDED = ('id', 'question', 'context')


class Table(NamedTuple):
    """Rows, which may be read often, and the hash of what they were read from."""

    rows: Sequence[dict]
    sha256: str


def is_table(name: str) -> bool:
    """Whether the library ``datasets`` reads it: CSV, Parquet, or a folder that it saved."""
    return is_a(name, CSV) or is_a(name, PARQUET) or is_saved(name)


def is_a(name: str, *endings: str) -> bool:
    """Whether a file's name ends so, in small letters or capitals, packed or not."""
    return name.lower().removesuffix(PACKED).endswith(endings)


def is_saved(name: str) -> bool:
    """Whether it is a folder that ``datasets`` saved, perhaps with a split behind a colon."""
    folder = name if Path(name).is_dir() else name.rpartition(':')[0]
    files = ('dataset_dict.json', 'state.json')
    return bool(folder) and any(Path(folder, each).is_file() for each in files)


class Articles(NamedTuple):
    """The list ``data`` of a SQuAD-format file; made of rows, where there are some, with the place
    of each in its file; and the file's hash."""

    data: list
    places: Sequence[str]
    sha256: str


class Unread(NamedTuple):
    """Why a line is no value."""

    reason: str


def articles(path: Path) -> Articles:
    """What a file holds.

    Raises:
      UserError: the file is missing, unreadable or of no known kind.
    """
    name = str(path)
    if is_table(name):
        rows, sha256 = table(path)
        return Articles(nested(rows), _numbered(rows), sha256)
    if not path.exists():
        raise UserError(f'{path}: no such file')
    content = read_bytes(path)
    sha256 = hashlib.sha256(content).hexdigest()
    content = unpacked(path, content)
    lines = utf8(path, content).splitlines()
    if are_lines(name, lines):
        places = [f'line {number}' for number, line in enumerate(lines, 1) if line.strip()]
        return Articles(nested(map(row_of, filter(bytes.strip, lines))), places, sha256)
    file = parsed_json(path, content)
    rows = data_of(file)
    if rows is None:
        raise UserError(
            f"{path}: not in SQuAD format: the top level must be an object with a list 'data', or "
            f'a list of rows with {", ".join(NEEDED)} and answers; other kinds: {KNOWN}'
        )
    if are_rows(rows):
        return Articles(nested(rows), _numbered(rows), sha256)
    return Articles(rows, (), sha256)


def _numbered(rows: Sequence) -> list[str]:
    return [f'row {number}' for number in range(1, len(rows) + 1)]


def are_lines(name: str, lines: Iterable[bytes]) -> bool:
    """Whether a file has a row on each line, as its name or the first of several lines says."""
    if is_a(name, *LINES):
        return True
    begins = list(islice(filter(bytes.strip, lines), 2))
    return len(begins) == 2 and _is_row(row_of(begins[0]))


def row_of(line: bytes) -> object:
    """The value on a line, or why there is none."""
    try:
        return json.loads(line)
    except UnicodeDecodeError:
        return Unread('not UTF-8; save it as UTF-8')
    except (ValueError, RecursionError):
        return Unread('not JSON')


def data_of(file: object) -> list | None:
    """What a JSON file holds: its list ``data``, itself if it is a list of rows, or the one row
    that it is; else None."""
    if _is_row(file):
        return [file]
    data = file.get('data') if isinstance(file, dict) else file
    if isinstance(data, list) and (isinstance(file, dict) or are_rows(data)):
        return data
    return None


def are_rows(data: list) -> bool:
    """Whether a list holds questions, not SQuAD's articles; told by its first element."""
    first = next(iter(data), None)
    return isinstance(first, dict) and 'question' in first and 'paragraphs' not in first


def _is_row(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get('question'), str)


def table(path: Path) -> Table:
    """What the library ``datasets`` reads, all of CSV as text.

    Raises:
      UserError: it cannot be read, lacks a column, or has several splits and none is named.
    """
    import datasets  # takes seconds, and is seldom needed

    datasets.disable_progress_bars()
    try:
        if is_saved(str(path)):
            folder, rows = _saved(path, datasets)
            files = sorted(each for each in folder.rglob('*') if each.is_file())
        else:
            rows, files = _loaded(path, datasets), [path]
    except UserError:
        raise
    except Exception as error:  # whatever lies below: pyarrow, pandas, OSError, ValueError, ...
        raise UserError(f'{path}: cannot be read: {first_line(error.__cause__ or error)}') from None
    _check(path, rows.column_names)
    digest = hashlib.sha256()
    for each in files:
        digest.update(each.read_bytes())
    return Table(rows, digest.hexdigest())


def nested(rows: Iterable[object]) -> list[dict]:
    """Rows as SQuAD's articles, one for each; what is no row is no record."""
    texts = ((row, row if isinstance(row, dict) else {}) for row in rows)
    return [
        {
            'title': text.get('title'),
            'paragraphs': [{'context': text.get('context'), 'qas': [row]}],
        }
        for row, text in texts
    ]


def answers_of(row: dict) -> dict[str, object]:
    """The ``answers`` of a row or a record as SQuAD's list, whatever it has; without, if none.

    >>> answers_of({'answers': {'text': ['Ada'], 'answer_start': [3]}})
    {'answers': [{'text': 'Ada', 'answer_start': 3}]}
    >>> answers_of({'answer': 'Ada', 'answer_start': '3'})
    {'answers': [{'text': 'Ada', 'answer_start': 3}]}
    """
    answers = row.get('answers')
    if isinstance(answers, str) and not answers.strip():  # a cell of a table
        answers = None
    if isinstance(answers, str):
        with suppress(ValueError, RecursionError):
            answers = json.loads(answers)
    if isinstance(answers, dict):
        texts, starts = answers.get('text'), answers.get('answer_start')
        if isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts):
            answers = [
                {'text': text, 'answer_start': start}
                for text, start in zip(texts, starts, strict=True)
            ]
            if not answers:
                return {'answers': [], 'is_impossible': True}
    elif answers is None and row.get('answer'):
        start = row.get('answer_start')
        is_number = isinstance(start, str) and re.fullmatch(r'\d{1,18}', start)
        answers = [{'text': row['answer'], 'answer_start': int(start) if is_number else start}]
    return {} if answers is None else {'answers': answers}


def _check(path: Path, columns: Sequence[str]) -> None:
    """Refuse a table without the columns that are needed."""
    if missing := [name for name in NEEDED if name not in columns]:
        remedy = f'rename its columns to {", ".join(NEEDED)} and answers'
        if len(columns) == 1 and all(name in columns[0] for name in NEEDED):
            remedy = 'write commas between its columns'
        raise UserError(
            f'{path}: no column {" or ".join(missing)}; it has {", ".join(columns) or "none"}; '
            f'{remedy}'
        )


def _loaded(path: Path, datasets):
    """A file of CSV or Parquet."""
    if not path.is_file():
        raise UserError(f'{path}: no such file')
    check_fetched(path)
    if is_a(path.name, PARQUET):
        return datasets.load_dataset('parquet', data_files=str(path), split='train')
    with path.open('rb') as raw:
        file = unpacking(raw)
        if file is not raw and not path.name.lower().endswith(PACKED):
            # The library would unpack it once, and never again when it has changed.
            raise UserError(f'{path}: packed by gzip; call it {path.name}{PACKED}')
        encoding = encoding_of(file)
        text = io.TextIOWrapper(file, encoding, newline='')
        end = text.readline()[-2:]
        text.seek(0)
        rows = filter(None, csv.reader(text))
        header, first = next(rows, []), next(rows, [])
    # The index of a data frame has no name.
    columns = [name.strip() or f'column {number}' for number, name in enumerate(header, 1)]
    _check(path, columns)
    if not first:
        raise UserError(f'{path}: no rows below its columns')
    if len(first) > len(columns):  # pandas would take the first of them for an index
        raise UserError(
            f'{path}: {len(columns)} columns, but {len(first)} fields in the first row; quote '
            'texts that have commas'
        )
    of_text = datasets.Features({column: datasets.Value('string') for column in columns})
    is_feed = end.endswith('\n') and end != '\r\n'  # then a return in a text ends no row
    return datasets.load_dataset(
        'csv',
        data_files=str(path),
        split='train',
        encoding=encoding,
        names=columns,
        header=0,
        features=of_text,  # an id is no number,
        keep_default_na=False,  # and 'None' may be an answer
        lineterminator='\n' if is_feed else None,
    )


def _saved(path: Path, datasets) -> tuple[Path, object]:
    """A folder and what was saved in it."""
    folder, split = path, ''
    if not path.is_dir():
        before, _, split = str(path).rpartition(':')
        folder = Path(before)
    found = datasets.load_from_disk(str(folder))
    if not isinstance(found, dict):
        if split:
            raise UserError(f'{path}: the folder has no splits; name it without :{split}')
        return folder, found
    if split not in found and not (len(found) == 1 and not split):
        forms = ', '.join(f'{folder}:{each}' for each in found)
        raise UserError(f'{path}: name one of its splits: {forms}')
    return folder, found[split or next(iter(found))]
