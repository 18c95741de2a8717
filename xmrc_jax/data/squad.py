"""SQuAD JSON, v1.1 or 2.0, to questions and back, every answer checked against its passage.

Owns the file format, the question records and what becomes of a defective one; ``mending`` says
what can be read of it. It refuses to know corpora by name, where files come from, tokens and
languages beyond a label.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from xmrc_jax.data import mending, tables
from xmrc_jax.data.mending import is_text, says_impossible
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
    """A question, the passage it is asked of and its gold answers; none where it has no answer."""

    id: str
    text: str
    passage: str
    answers: tuple[Answer, ...]
    title: str = ''
    context_language: str = 'en'
    question_language: str = 'en'


@dataclass(frozen=True, slots=True)
class Defect:
    """A record that was not used, or not as it stands in its file.

    Attributes:
      id: of the record, or its position in the file if it has none.
      reason: why.
      golds: the texts of its answers, as the official scripts read them.
    """

    id: str
    reason: str
    golds: tuple[str, ...] = field(default=(), compare=False)


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
      mends: what was mended in those that are used, likewise.
    """

    name: str
    questions: tuple[Question, ...]
    context_language: str
    question_language: str
    metric: str
    source: str
    sha256: str
    drops: tuple[Defect, ...]
    mends: tuple[Defect, ...] = ()

    @property
    def records(self) -> int:
        """How many were read: those that are used, and those that are not."""
        return len(self.questions) + len(self.drops)

    @property
    def unanswerable(self) -> int:
        """How many questions have no answer, as the file itself says."""
        return sum(not question.answers for question in self.questions)


def read(
    path: str | Path,
    *,
    name: str = '',
    context_language: str = 'en',
    question_language: str = 'en',
    metric: str = 'squad',
    strict: bool = False,
) -> Corpus:
    """Reads a SQuAD JSON file, plain or gzip-compressed (told by its first two bytes), or questions
    of another kind, see ``tables``.

    Keys beyond the format's own are ignored; ``version`` and ``title`` may be missing. White space
    at the edges of an answer is cut off and its start moved; a question's text stays as it is.

    Where some record says ``is_impossible``, the file is one of SQuAD 2.0, and a question whose
    list of answers is empty has none. In any other file it is a defect.

    A question without one valid answer is dropped, as is one in which, or in whose passage, nothing
    is to be seen. What can be read without a guess is mended: a number as id, an offset written as
    text, offsets in the unit by which most answers of the file stand at theirs, and an answer that
    stands in its passage once. One with valid and invalid answers stays, with the valid ones. All
    of it is listed among drops and mends.

    Args:
      path: the file.
      name: what to call the corpus; the file's path by default.
      context_language: language of the passages.
      question_language: language of the questions.
      strict: refuse the file if any record is dropped or mended.

    Returns:
      The corpus, with at least one question.

    Raises:
      UserError: the file is missing, unreadable, not JSON, of another shape or without a usable
        question; or, if ``strict``, it has a record that was dropped or mended.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp(), 'one.json')
      >>> write(path, [Question('q1', 'When?', 'Founded in 1876.', (Answer(10, ' 1876'),))])
      >>> read(path).questions[0].answers
      (Answer(start=11, text='1876'),)
    """
    path = Path(path)
    articles, places, sha256 = tables.articles(path)
    drops: list[Defect] = []
    mends: list[Defect] = []
    questions: dict[str, Question] = {}
    listed = list(records(articles, places))
    unit = mending.unit_of(list(_claims(listed)))
    may_lack = any(says_impossible(record) for *_, record, _ in listed)
    for where, title, passage, record, fault in listed:
        if fault:
            drops.append(Defect(where, fault))
            continue
        golds = mending.gold_texts(record)
        try:
            where, causes = mending.read_id(record.get('id'))
            if where in questions:
                raise ValueError('duplicate id')
            mending.check_texts(passage, record.get('question'))
            answers, more = mending.read_answers(passage, record, unit, may_lack)
        except ValueError as reason:
            drops.append(Defect(where, str(reason), golds))
            continue
        mends += [Defect(where, cause, golds) for cause in dict.fromkeys(causes + more)]
        questions[where] = Question(
            id=where,
            text=record['question'],
            passage=passage,
            answers=tuple(Answer(each.start, each.text) for each in answers),
            title=title,
            context_language=context_language,
            question_language=question_language,
        )
    first = _first(drops, mends)
    if not questions:
        raise UserError(f'{path}: holds no usable question ({first or "it is empty"})')
    if strict and first:
        raise UserError(f'{path}: {first}; mend the file or read it without strict')
    return Corpus(
        name=name or str(path),
        questions=tuple(questions.values()),
        context_language=context_language,
        question_language=question_language,
        metric=metric,
        source=str(path),
        sha256=sha256,
        drops=tuple(drops),
        mends=tuple(mends),
    )


def write(path: str | Path, questions: Iterable[Question]) -> None:
    """Writes questions as SQuAD JSON, whole or not at all: 2.0 where one has no answer, else v1.1.

    Questions are grouped by title and then by passage, each in order of first appearance; answers
    are written as they are, unchecked. The same questions give the same bytes.

    Args:
      path: the file; gzip-compressed if its name ends in ``.gz``. Folders are made.
      questions: any number of questions.

    Raises:
      UserError: the file cannot be written.
    """
    found = []
    for each in questions:
        answers = [{'text': text, 'answer_start': start} for start, text in each.answers]
        record = {'id': each.id, 'question': each.text, 'answers': answers}
        lacks = {} if answers else {'is_impossible': True}
        found.append((each.title, each.passage, record | lacks))
    write_records(path, found)


def write_records(path: str | Path, listed: Iterable[tuple[str, object, dict]]) -> None:
    """Writes title, passage and record of each question, as ``write`` does."""
    path = Path(path)
    articles: dict[str, dict[object, list]] = {}
    version = '1.1'
    for title, passage, record in listed:
        if says_impossible(record):
            version = 'v2.0'
        articles.setdefault(title, {}).setdefault(passage, []).append(record)
    data = [
        {
            'title': title,
            'paragraphs': [{'context': passage, 'qas': qas} for passage, qas in paragraphs.items()],
        }
        for title, paragraphs in articles.items()
    ]
    content = json.dumps({'version': version, 'data': data}, ensure_ascii=False).encode()
    if path.name.endswith('.gz'):
        content = gzip.compress(content, mtime=0)
    write_bytes(path, content)


def records(
    articles: list, places: Sequence[str] = ()
) -> Iterator[tuple[str, str, object, dict, str]]:
    """Position, title, passage and record of every question, and ''; of what lacks its list the
    position and, last, that it does. Of rows ``places`` are the positions."""

    def items(where, holder, key):
        values = holder.get(key) if isinstance(holder, dict) else None
        if not isinstance(values, list):
            yield where, {}, f'no list {key!r}'
            return
        for number, value in enumerate(values):
            is_object = isinstance(value, dict)
            fault = '' if is_object or key != 'qas' else 'not a JSON object'
            fault = value.reason if isinstance(value, tables.Unread) else fault
            yield f'{where}.{key}[{number}]', value if is_object else {}, fault

    for number, article in enumerate(articles):
        for at, paragraph, fault in items(f'data[{number}]', article, 'paragraphs'):
            if fault:
                yield at, '', None, {}, fault
                continue
            title = article['title'] if is_text(article.get('title')) else ''
            for where, record, fault in items(at, paragraph, 'qas'):
                fields = record | tables.answers_of(record)
                where = places[number] if places else where
                yield where, title, paragraph.get('context'), fields, fault


def _claims(listed: Iterable[tuple]) -> Iterator[mending.Claim]:
    """Every answer of ``records`` that says where it stands."""
    for _, _, passage, record, _ in listed:
        if is_text(passage):
            for answer in mending.answers_of(record):
                with suppress(ValueError):
                    yield mending.read_claim(passage, answer)[0]


def _first(drops: list[Defect], mends: list[Defect]) -> str:
    """How many records are defective, and the first of them; '' where none is."""
    listed = [*drops, *mends]
    count = len({each.id for each in listed})
    return f'{count} defective, first {listed[0].id!r}: {listed[0].reason}' if listed else ''
