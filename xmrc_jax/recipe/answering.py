"""Files of questions to a file of answers, which appears whole or not at all.

Owns the layouts of that file and how a killed command goes on:

* JSON: ``{id: text}`` as run_qa's predictions, its n-best in ``NAME-nbest.json`` beside it, and of
  a reader that may give no answer its null odds in ``NAME-null_odds.json``. All questions are
  answered at once, like a test set by the run that trained the reader. '' says that there is no
  answer.
* JSON lines: one for each record, in its place, in parts of ``PART`` records. What is there of a
  file is ``NAME.part``, and ``NAME.part.json`` says of which reader and questions it is.

A record that cannot be asked is answered with null.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple

from tqdm import tqdm

from xmrc_jax.data.prefetch import prefetch
from xmrc_jax.data.queries import Query, Source, read
from xmrc_jax.data.tokenizer import tokenizer_hash
from xmrc_jax.ground import values
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import locked, read_json, write_json, writing
from xmrc_jax.ground.progress import progress
from xmrc_jax.recipe.reader import Answers, Prepared, Reader
from xmrc_jax.train.fingerprint import fingerprint

PART = 1024  # records


class Result(NamedTuple):
    """A record, why it cannot be asked, or '', and what it is answered with."""

    query: Query
    fault: str
    answers: Answers

    @property
    def text(self) -> str | None:
        """The best answer; '' where there is none, None where the record cannot be asked."""
        return None if self.fault else next((each.text for each in self.answers.listed), '')

    @property
    def listed(self) -> list[dict]:
        return [each._asdict() for each in self.answers.listed]


class Sink(NamedTuple):
    """Where results go: records that are there already, how many are written at once, and how."""

    done: int
    part: int | None
    write: Callable[[list[Result]], object]


class Count(NamedTuple):
    """Records, and those of them that cannot be asked."""

    records: int
    bad: int


def answer(reader: Reader, sources: Sequence[Source], output: Path | None) -> Count:
    """Answer all records; each that cannot be asked is named in a line on stderr.

    Args:
      reader: who answers.
      sources: what is asked.
      output: ends in .json or .jsonl; None: JSON lines on stdout.

    Raises:
      UserError: there is no record; the output cannot be written, or parts of it are another's.
    """
    total = sum(source.records for source in sources)
    if not total:
        raise UserError(f'{", ".join(source.name for source in sources)}: no questions')
    with _sink(reader, sources, output) as sink:
        queries = read(sources)
        bad = sum(_named(query, reader.fault(query)) for query in islice(queries, sink.done))
        parts = iter(lambda: tuple(islice(queries, sink.part)), ())
        with progress(total=total, initial=sink.done, unit=' questions') as bar:
            for prepared in prefetch(parts, reader.prepare, ahead=1):
                bad += sum(map(_named, prepared.queries, prepared.faults))
                answered = bar.n + len(prepared.queries)
                answers = reader.answer(prepared, done=_moving(bar, prepared))
                sink.write(list(map(Result, prepared.queries, prepared.faults, answers)))
                bar.update(answered - bar.n)
    return Count(total, bad)


def check(sources: Sequence[Source], output: Path | None) -> None:
    """Refuse, before anything is loaded, what could not be written, or would be in a bad place.

    Raises:
      UserError: says so.
    """
    if output is None:
        return
    if output.suffix not in SINKS:
        raise UserError(f'{output}: name an output that ends in {" or ".join(SINKS)}')
    asked = {Path(source.name).resolve() for source in sources}
    if taken := [path for path in files(output) if path.resolve() in asked]:
        raise UserError(f'{taken[0]}: holds the questions; name another --output')
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=output.parent):  # which may be read only, or full
            pass
    for path in files(output):
        if path.is_dir():
            raise UserError(f'{path}: cannot be written: it is a folder')


def files(output: Path | None) -> list[Path]:
    """What is written: the output, and where it is JSON the n-best beside it, and the null odds of
    a reader that has a threshold for them; nothing on stdout."""
    if output is None or output.suffix != '.json':
        return [output] if output else []
    beside = [f'{output.stem}-{name}.json' for name in ('nbest', 'null_odds')]
    return [output, *map(output.with_name, beside)]


def _named(query: Query, fault: str) -> bool:
    """Whether there is a fault, which is told."""
    if fault:
        where = f'{query.where} (id {query.id!r})' if query.id else query.where
        tqdm.write(f'xmrc_jax: {where}: {fault}; answered with null', file=sys.stderr)
    return bool(fault)


def _moving(bar: tqdm, prepared: Prepared) -> Callable[[int], object]:
    """Moves a bar of questions as windows are answered."""
    first, answered = bar.n, 0

    def done(windows: int) -> None:
        nonlocal answered
        answered += windows
        share = answered / len(prepared.windows)
        bar.update(first + int(share * len(prepared.queries)) - bar.n)

    return done


@contextmanager
def _sink(reader: Reader, sources: Sequence[Source], output: Path | None) -> Iterator[Sink]:
    if output is None:
        yield Sink(0, PART, lambda results: print(_lines(results), end='', flush=True))
        return
    check(sources, output)
    binding = {
        'reader': fingerprint(reader.own.params),
        'tokenizer': tokenizer_hash(reader.own.tokenizer),
        'asking': values.plain(reader.own.asking),
        'max_overlap': reader.max_overlap,
        'questions': [source.sha256 for source in sources],
        'part': PART,
    }
    with writing(output), SINKS[output.suffix](output, binding) as sink:
        yield sink


@contextmanager
def _json(output: Path, binding: dict) -> Iterator[Sink]:
    best, nbest, null_odds = {}, {}, {}

    def write(results: list[Result]) -> None:
        best.update((each.query.key, each.text) for each in results)
        nbest.update((each.query.key, each.listed) for each in results)
        odds = ((each.query.key, each.answers.null_odds) for each in results)
        null_odds.update((key, number) for key, number in odds if number is not None)

    yield Sink(0, None, write)
    for path, content in reversed([*zip(files(output), (best, nbest, null_odds), strict=True)]):
        if content:
            write_json(path, content)  # the answers last: where they are, all is there
        else:
            path.unlink(missing_ok=True)  # null odds of another reader


@contextmanager
def _json_lines(output: Path, binding: dict) -> Iterator[Sink]:
    begun, bound = (output.with_name(f'{output.name}.part{end}') for end in ('', '.json'))
    with ExitStack() as held:
        try:
            held.enter_context(locked(begun, wait=False))
        except BlockingIOError:
            raise UserError(f'{begun}: another command is writing it; wait for its end') from None
        if begun.stat().st_size and (not bound.exists() or read_json(bound) != binding):
            raise UserError(
                f'{begun}: holds answers of another reader or to other questions; '
                'delete it, or name another --output'
            )
        write_json(bound, binding)
        file = held.enter_context(begun.open('r+b'))

        def write(results: list[Result]) -> None:
            file.write(_lines(results).encode())
            file.flush()
            os.fsync(file.fileno())

        yield Sink(_whole_parts(file), PART, write)
        os.replace(begun, output)
        bound.unlink()


def _whole_parts(file: BinaryIO) -> int:
    """Records in the whole parts that a file begins with; the rest is cut off."""
    records = whole = end = place = 0
    for line in file:
        records, place = records + line.endswith(b'\n'), place + len(line)
        if line.endswith(b'\n') and records % PART == 0:
            whole, end = records, place
    file.seek(end)
    file.truncate()
    return whole


def _lines(results: Sequence[Result]) -> str:
    return ''.join(
        json.dumps(
            {
                'id': each.query.id or None,
                'text': each.text,
                'passage': next((answer.passage for answer in each.answers.listed), None),
                'fault': each.fault or None,
                'null_odds': each.answers.null_odds,
                'nbest': each.listed,
            },
            ensure_ascii=False,
        )
        + '\n'
        for each in results
    )


SINKS = {'.json': _json, '.jsonl': _json_lines}
