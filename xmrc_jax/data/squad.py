"""SQuAD v1.1 JSON to questions and back, every answer checked against its passage.

Owns the file format, the question records and the list of defects by which a record is dropped.
It refuses to know corpora by name, where files come from, tokens and languages beyond a label.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import write_bytes


class Answer(NamedTuple):
    """A slice of a passage: ``text == passage[start : start + len(text)]``, no space at its edges.

    Attributes:
      start: character offset in the passage.
      text: the slice, never empty.
    """

    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the passage it is asked of and its gold answers (at least one, once read)."""

    id: str
    text: str
    passage: str
    answers: tuple[Answer, ...]
    title: str = ''
    context_language: str = 'en'
    question_language: str = 'en'


@dataclass(frozen=True, slots=True)
class Drop:
    """A record that was not used: its id, or its position in the file if it has none, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class Corpus:
    """The questions of one file.

    Attributes:
      name: what the corpus is called in tables and manifests.
      questions: in the order of the file, ids unique.
      context_language: language of the passages, a code such as ``es``.
      question_language: language of the questions.
      metric: of the official script of its kind, 'squad' or 'mlqa'.
      source: the file's path.
      sha256: of the file's bytes as they lie on disk.
      drops: the records that were not used, in the order of the file.
    """

    name: str
    questions: tuple[Question, ...]
    context_language: str
    question_language: str
    metric: str
    source: str
    sha256: str
    drops: tuple[Drop, ...]


def read(
    path: str | Path,
    *,
    name: str = '',
    context_language: str = 'en',
    question_language: str = 'en',
    metric: str = 'squad',
    strict: bool = False,
) -> Corpus:
    """Reads a SQuAD v1.1 JSON file, plain or gzip-compressed (told by its first two bytes).

    Keys beyond the format's own are ignored; ``version`` and ``title`` may be missing. White space
    at the edges of an answer is cut off and its start moved; a question's text stays as it is. A
    wrong offset is never repaired: a guess among repeated answers would be a wrong label. A
    question without one valid answer is dropped. One with valid and invalid answers stays, with
    the valid ones, and the first defect is listed among the drops all the same, marked as
    ``(its other answers are kept)``.

    Args:
      path: the file.
      name: what to call the corpus; the file's path by default.
      context_language: language of the passages.
      question_language: language of the questions.
      strict: refuse the file if any record is defective.

    Returns:
      The corpus, with at least one question.

    Raises:
      UserError: the file is missing, unreadable, not JSON, of another shape or without a usable
        question; or, if ``strict``, it has a defective record.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp(), 'one.json')
      >>> write(path, [Question('q1', 'When?', 'Founded in 1876.', (Answer(10, ' 1876'),))])
      >>> read(path).questions[0].answers
      (Answer(start=11, text='1876'),)
    """
    path = Path(path)
    content = _content(path)
    drops: list[Drop] = []
    questions: dict[str, Question] = {}
    for where, title, passage, record in _records(_articles(path, content), drops):
        id_ = record.get('id') if isinstance(record, dict) else None
        if not _is_text(id_) or not id_:
            drops.append(Drop(where, 'id missing or not text'))
            continue
        try:
            if id_ in questions:
                raise ValueError('duplicate id')
            if not _is_text(passage):
                raise ValueError('context missing or not text')
            if not _is_text(record.get('question')):
                raise ValueError('question missing or not text')
            answers, defect = _answers(passage, record.get('answers'))
        except ValueError as reason:
            drops.append(Drop(id_, str(reason)))
            continue
        if defect:
            drops.append(Drop(id_, f'{defect} (its other answers are kept)'))
        questions[id_] = Question(
            id=id_,
            text=record['question'],
            passage=passage,
            answers=answers,
            title=title,
            context_language=context_language,
            question_language=question_language,
        )
    first = f'{len(drops)} defective, first {drops[0].id!r}: {drops[0].reason}' if drops else ''
    if not questions:
        raise UserError(f'{path}: holds no usable question ({first or "it is empty"})')
    if strict and drops:
        raise UserError(f'{path}: {first}; mend the file or read it without strict')
    return Corpus(
        name=name or str(path),
        questions=tuple(questions.values()),
        context_language=context_language,
        question_language=question_language,
        metric=metric,
        source=str(path),
        sha256=hashlib.sha256(content).hexdigest(),
        drops=tuple(drops),
    )


def write(path: str | Path, questions: Iterable[Question]) -> None:
    """Writes questions as SQuAD v1.1 JSON, whole or not at all.

    Questions are grouped by title and then by passage, each in order of first appearance; answers
    are written as they are, unchecked. The same questions give the same bytes.

    Args:
      path: the file; gzip-compressed if its name ends in ``.gz``. Folders are made.
      questions: any number of questions.

    Raises:
      UserError: the file cannot be written.
    """
    path = Path(path)
    articles: dict[str, dict[str, list]] = {}
    for question in questions:
        answers = [{'text': text, 'answer_start': start} for start, text in question.answers]
        articles.setdefault(question.title, {}).setdefault(question.passage, []).append(
            {'id': question.id, 'question': question.text, 'answers': answers}
        )
    data = [
        {
            'title': title,
            'paragraphs': [{'context': passage, 'qas': qas} for passage, qas in paragraphs.items()],
        }
        for title, paragraphs in articles.items()
    ]
    content = json.dumps({'version': '1.1', 'data': data}, ensure_ascii=False).encode()
    if path.name.endswith('.gz'):
        content = gzip.compress(content, mtime=0)
    write_bytes(path, content)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f'{path}: no such file') from None
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from None


def _articles(path: Path, content: bytes) -> list:
    try:
        file = json.loads(gzip.decompress(content) if content[:2] == b'\x1f\x8b' else content)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f'{path}: broken gzip file, fetch it again: {error}') from None
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path}: broken JSON: {error}') from None
    if not isinstance(file, dict) or not isinstance(file.get('data'), list):
        raise UserError(
            f"{path}: not in SQuAD format: the top level must be an object with a list 'data'"
        )
    return file['data']


def _records(articles: list, drops: list[Drop]) -> Iterator[tuple[str, str, object, object]]:
    """Position, title, passage and record of every question; a missing list is a drop."""

    def items(where, holder, key):
        values = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(values, list):
            for number, value in enumerate(values):
                yield f'{where}.{key}[{number}]', value
        else:
            drops.append(Drop(where, f'no list {key!r}'))

    for number, article in enumerate(articles):
        for at, paragraph in items(f'data[{number}]', article, 'paragraphs'):
            title = article['title'] if _is_text(article.get('title')) else ''
            for where, record in items(at, paragraph, 'qas'):
                yield where, title, paragraph.get('context'), record


def _is_text(value: object) -> bool:
    """True for a string of Unicode text; JSON can also spell lone surrogates, which are none."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _answers(passage: str, records: object) -> tuple[tuple[Answer, ...], str]:
    """The valid answers and the first defect among the others; ValueError where none is valid."""
    if not isinstance(records, list) or not records:
        raise ValueError('no answers')
    answers, defects = [], []
    for record in records:
        try:
            answers.append(_answer(passage, record))
        except ValueError as reason:
            defects.append(str(reason))
    if not answers:
        raise ValueError(defects[0])
    return tuple(answers), defects[0] if defects else ''


def _answer(passage: str, record: object) -> Answer:
    text, start = None, None
    if isinstance(record, dict):
        text, start = record.get('text'), record.get('answer_start')
    if not _is_text(text):
        raise ValueError('answer text missing or not text')
    stripped = text.strip()
    if not stripped:
        raise ValueError('empty answer')
    if type(start) is not int:
        raise ValueError('answer_start missing or not a whole number')
    if not 0 <= start < len(passage):
        raise ValueError('answer_start outside the passage')
    if not passage.startswith(text, start):
        raise ValueError('answer not at its offset')
    return Answer(start + text.index(stripped), stripped)
