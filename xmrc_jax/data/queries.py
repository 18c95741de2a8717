"""What a reader is to be asked, from files: SQuAD format with or without answers, or rows.

A line of JSON lines is ``{"id": .., "question": .., "context": ..}``, or has ``contexts``, a list
of passages, in the place of ``context``; other kinds of rows are those of ``tables``. Owns the list
of defects for which a record cannot be asked. Such a record is no loss: it keeps its place, and
says what is wrong.
"""

import gzip
import hashlib
import io
import json
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from xmrc_jax.data import squad, tables
from xmrc_jax.data.mending import is_text, is_visible, read_id
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import check_fetched, encoding_of, unpacking, utf8

STANDARD_INPUT = '-'
EITHER = 'give either context, a passage, or contexts, a list of passages'


@dataclass(frozen=True, slots=True)
class Query:
    """A question and the passages it is asked of.

    Attributes:
      where: the file, and the line or the place in it.
      id: of the record; '' where it has none.
      question: its text.
      passages: one or several; none where the record is defective.
      fault: why it cannot be asked; '' where it can.
    """

    where: str
    id: str
    question: str = ''
    passages: tuple[str, ...] = ()
    fault: str = ''

    @property
    def key(self) -> str:
        """The id; the place where the record has none, or one that another had before it."""
        return self.id or self.where


class Source:
    """A file of questions, plain or gzip-compressed; a pipe or standard input is read at once.

    Raises:
      UserError: it cannot be read, or neither format is recognised.
    """

    def __init__(self, name: str):
        self.name = 'standard input' if name == STANDARD_INPUT else name
        self._piped = _piped(name)  # what can be read but once
        self._table = tables.table(Path(name)) if tables.is_table(name) else None
        if self._table:
            self.records = len(self._table.rows)
            return
        with self._opened() as file:
            self._lines = tables.are_lines(name, _lines(file))
            file.seek(0)
            self.records = sum(bool(line.strip()) for line in _lines(file)) if self._lines else 0
        if not self._lines:
            self.records = sum(1 for _ in self.read())

    @property
    def sha256(self) -> str:
        """Of the content, which is decompressed if need be."""
        if self._table:
            return self._table.sha256
        with self._opened() as file:
            return hashlib.file_digest(file, 'sha256').hexdigest()

    def read(self) -> Iterator[Query]:
        """The records in the order of the file; of rows one is held at a time."""
        if self._table:
            yield from _rows(self.name, self._table.rows)
            return
        with self._opened() as file:
            if not self._lines:
                data = _data(self.name, file.read())
                listed = _rows if tables.are_rows(data) else _squad
                yield from listed(self.name, data)
                return
            for number, line in enumerate(_lines(file), 1):
                if line.strip():
                    yield _of_line(f'{self.name}:{number}', line)

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            with self._raw() as raw:
                file = unpacking(raw)
                as_it_is = encoding_of(file).startswith('utf-8')
                yield file if as_it_is else io.BytesIO(utf8(self.name, file.read()))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UserError(f'{self.name}: broken gzip file, fetch it again: {error}') from None
        except OSError as error:
            raise UserError(f'{self.name}: cannot be read: {error.strerror}') from None

    def _raw(self) -> BinaryIO:
        if self._piped is not None:
            return io.BytesIO(self._piped)
        check_fetched(Path(self.name))
        return Path(self.name).open('rb')


def _piped(name: str) -> bytes | None:
    """All that standard input or a named pipe gives; None for a file."""
    if name == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    return Path(name).read_bytes() if Path(name).is_fifo() else None


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, whatever ends them."""
    return (line for each in file for line in each.splitlines())


def read(sources: Iterable[Source]) -> Iterator[Query]:
    """The records of all sources; of those with the same id all but the first are defective."""
    ids = _Ids()
    for source in sources:
        for query in source.read():
            if query.id and not ids.add(query.id):
                query = Query(query.where, '', fault=f'duplicate id {query.id!r}')
            yield query


class _Ids:
    """Which ids were seen, at eight bytes each; those of the last ones wait to be sorted in."""

    def __init__(self):
        self._sorted = np.zeros(0, np.uint64)
        self._recent: set[int] = set()

    def add(self, id_: str) -> bool:
        """Whether it is new."""
        word = int.from_bytes(hashlib.blake2b(id_.encode(), digest_size=8).digest(), 'little')
        place = np.searchsorted(self._sorted, np.uint64(word))
        if word in self._recent or self._sorted[place : place + 1].tolist() == [word]:
            return False
        self._recent.add(word)
        if len(self._recent) == 1 << 16:
            recent = np.fromiter(self._recent, np.uint64)
            self._sorted = np.sort(np.concatenate([self._sorted, recent]))
            self._recent.clear()
        return True


def check(query: Query) -> Query:
    """The same, or, where its texts cannot be asked, one that says why."""
    faults = [_fault('question', query.question), *(_fault('passage', p) for p in query.passages)]
    if not any(faults) and not any(map(is_visible, query.passages)):
        faults.append('empty passage' if query.passages else 'no passage')
    elif not any(faults) and not is_visible(query.question):
        faults.append('empty question')
    fault = next(filter(None, faults), '')
    return replace(query, question='', passages=(), fault=fault) if fault else query


def _fault(name: str, text: object) -> str:
    if not isinstance(text, str):
        return f'{name} missing or not text'
    return '' if is_text(text) else f'unpaired surrogates in its {name}'


def _of_line(where: str, line: bytes) -> Query:
    row = tables.row_of(line)
    if isinstance(row, tables.Unread):
        return Query(where, '', fault=row.reason)
    return _of_row(where, row)


def _of_row(where: str, row: object) -> Query:
    if not isinstance(row, dict):
        return Query(where, '', fault='not a JSON object')
    several = row.get('contexts')
    return _query(where, row, [row.get('context')] if several is None else several)


def _rows(name: str, rows: Iterable[object]) -> Iterator[Query]:
    return (_of_row(f'{name}: row {number}', row) for number, row in enumerate(rows, 1))


def _squad(name: str, articles: list) -> Iterator[Query]:
    for at, _, passage, record, fault in squad.records(articles):
        where = f'{name}: {at}'
        yield Query(where, '', fault=fault) if fault else _query(where, record, [passage])


def _query(where: str, record: dict, passages: object) -> Query:
    id_ = record.get('id')
    with suppress(ValueError):
        id_, _ = read_id(id_)
    if not id_ or (fault := _fault('id', id_)):
        return Query(where, '', fault=fault if id_ else 'id missing or not text')
    if None not in (record.get('context'), record.get('contexts')):
        return Query(where, id_, fault=EITHER)
    if not isinstance(passages, list):
        return Query(where, id_, fault='contexts not a list')
    return check(Query(where, id_, record.get('question'), tuple(passages)))


def _data(name: str, content: bytes) -> list:
    """Articles or rows of a file that is not JSON lines."""
    try:
        file = json.loads(content)
    except (ValueError, RecursionError) as error:
        kinds = f'; other kinds: {tables.KNOWN}' if not name.endswith('.json') else ''
        raise UserError(f'{name}: broken JSON: {error}{kinds}') from None
    data = tables.data_of(file)
    if data is None:
        raise UserError(
            f'{name}: neither in SQuAD format (an object with a list "data") nor JSON lines '
            '({"id": .., "question": .., "context": ..} on each); other kinds: ' + tables.KNOWN
        )
    return data
