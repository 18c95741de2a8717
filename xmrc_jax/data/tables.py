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
import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from xmrc_jax.ground.errors import UserError, first_line
from xmrc_jax.ground.files import parsed_json, read_bytes, unpacked

JSON, LINES, LOADED = ('.json',), ('.jsonl', '.ndjson'), ('.csv', '.parquet')
PACKED = '.gz'
ENDINGS = tuple(end + gz for end in (*JSON, *LINES, *LOADED) for gz in ('', PACKED))
KNOWN = f'{", ".join((*JSON, *LINES, *LOADED))} (also {PACKED}), a folder that datasets saved'
NEEDED = ('id', 'question', 'context')


class Table(NamedTuple):
    """Rows, which may be read often, and the hash of what they were read from."""

    rows: Sequence[dict]
    sha256: str


def is_table(name: str) -> bool:
    """Whether the library ``datasets`` reads it: CSV, Parquet, or a folder that it saved."""
    return name.removesuffix(PACKED).endswith(LOADED) or is_saved(name)


def is_saved(name: str) -> bool:
    """Whether it is a folder that ``datasets`` saved, perhaps with a split behind a colon."""
    folder = Path(name if Path(name).is_dir() else name.rpartition(':')[0])
    return any((folder / each).is_file() for each in ('dataset_dict.json', 'state.json'))


def articles(path: Path) -> tuple[list, str]:
    """The list ``data`` of a SQuAD-format file, made of rows if need be, and the file's hash.

    Raises:
      UserError: the file is missing, unreadable or of no known kind.
    """
    name = str(path)
    if is_table(name):
        rows, sha256 = table(path)
        return nested(rows), sha256
    if not path.exists():
        raise UserError(f'{path}: no such file')
    content = read_bytes(path)
    sha256 = hashlib.sha256(content).hexdigest()
    if name.removesuffix(PACKED).endswith(LINES):
        return nested(_lines(path, content)), sha256
    file = parsed_json(path, content)
    rows = data_of(file)
    if rows is None:
        raise UserError(
            f"{path}: not in SQuAD format: the top level must be an object with a list 'data', or "
            f'a list of rows with {", ".join(NEEDED)} and answers; other kinds: {KNOWN}'
        )
    return (nested(rows) if are_rows(rows) else rows), sha256


def data_of(file: object) -> list | None:
    """What a JSON file holds: its list ``data``, or itself if it is a list of rows; else None."""
    data = file.get('data') if isinstance(file, dict) else file
    if isinstance(data, list) and (isinstance(file, dict) or are_rows(data)):
        return data
    return None


def are_rows(data: list) -> bool:
    """Whether a list holds questions, not SQuAD's articles; told by its first element."""
    first = next(iter(data), None)
    return isinstance(first, dict) and 'question' in first and 'paragraphs' not in first


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
        raise UserError(f'{path}: cannot be read: {first_line(error)}') from None
    if missing := [name for name in NEEDED if name not in rows.column_names]:
        raise UserError(
            f'{path}: no column {" or ".join(missing)}; it has {", ".join(rows.column_names)}; '
            f'rename its columns to {", ".join(NEEDED)} and answers'
        )
    digest = hashlib.sha256()
    for each in files:
        digest.update(each.read_bytes())
    return Table(rows, digest.hexdigest())


def nested(rows: Iterable[object]) -> list[dict]:
    """Rows as SQuAD's articles, one for each; what is no row becomes a record without an id."""
    return [
        {
            'title': row.get('title'),
            'paragraphs': [{'context': row.get('context'), 'qas': [row | answers_of(row)]}],
        }
        for row in (each if isinstance(each, dict) else {} for each in rows)
    ]


def answers_of(row: dict) -> dict[str, object]:
    """A row's ``answers`` as SQuAD's list, whatever its columns; without, if it has none.

    >>> answers_of({'answers': {'text': ['Ada'], 'answer_start': [3]}})
    {'answers': [{'text': 'Ada', 'answer_start': 3}]}
    >>> answers_of({'answer': 'Ada', 'answer_start': '3'})
    {'answers': [{'text': 'Ada', 'answer_start': 3}]}
    """
    answers = row.get('answers')
    if isinstance(answers, str):
        with suppress(ValueError):
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
        is_number = isinstance(start, str) and start.isdecimal()
        answers = [{'text': row['answer'], 'answer_start': int(start) if is_number else start}]
    return {} if answers is None else {'answers': answers}


def _lines(path: Path, content: bytes) -> Iterable[object]:
    """The rows of JSON lines; None for a line that is not JSON."""
    for line in filter(bytes.strip, unpacked(path, content).splitlines()):
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            yield None


def _loaded(path: Path, datasets):
    """A file of CSV or Parquet."""
    name, options = str(path).removesuffix(PACKED), {}
    if not path.is_file():
        raise UserError(f'{path}: no such file')
    if name.endswith('.csv'):  # an id is no number, and 'None' may be an answer
        opened = gzip.open if str(path).endswith(PACKED) else open
        with opened(path, 'rt', encoding='utf-8-sig', newline='') as file:
            columns = next(csv.reader(file), [])
        text = {column: datasets.Value('string') for column in columns}
        options = {'features': datasets.Features(text), 'keep_default_na': False}
    kind = name.rpartition('.')[2]
    return datasets.load_dataset(kind, data_files=str(path), split='train', **options)


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
