"""Whether two sets of questions share some: by id, which translations have in common, by passage.

Owns what an id tells, and when two texts are the same. Refuses to know which sets may share.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache

from xmrc_jax.data.squad import Corpus, Question

# Ids that count: 1, 2, ..., q1, q2, ..., test-0001. Any file may have them.
COUNTER = re.compile(r'\D{0,8}\d{1,6}')


class Known:
    """Questions, to be asked what others share with them.

    A question is shared where its id is; an id that merely counts tells nothing unless the text of
    the question or the passage is the same as well.

    Example:
      >>> one = Question('q1', 'When?', 'Founded in 1876.', ())
      >>> other = Question('q1', 'Who?', 'By Ada Fenwick.', ())
      >>> Known([one]).shared_with([other]), Known([one]).shared_with([one])
      ((0, 0), (1, 1))
    """

    def __init__(self, questions: Sequence[Question]):
        self._bare = cache(bare)  # of the same texts, of one id and of many, it is asked again
        self._passages = passages(questions)
        self._of_id: dict[str, list[Question]] = {}
        for question in questions:
            self._of_id.setdefault(question.id, []).append(question)

    def shared_with(self, others: Sequence[Question]) -> tuple[int, int]:
        """How many questions and how many passages of others are among them."""
        ids = {other.id for other in others if self._has(other)}
        return len(ids), len(self._passages & passages(others))

    def _has(self, question: Question) -> bool:
        alike = self._of_id.get(question.id, [])
        if not COUNTER.fullmatch(question.id):
            return bool(alike)
        return any(
            self._bare(question.text) == self._bare(each.text)
            or self._bare(question.passage) == self._bare(each.passage)
            for each in alike
        )


def bare(text: str) -> str:
    r"""A text without what copying changes: its white space and its normal form.

    Example:
      >>> bare('Cafe\u0301\n in  Linz ') == bare('Caf\u00e9 in Linz')
      True
    """
    return ' '.join(unicodedata.normalize('NFC', text).split())


def passages(questions: Iterable[Question]) -> set[str]:
    """What questions are asked of, each passage once and ``bare``."""
    return set(map(bare, {question.passage for question in questions}))


def shared(read: Iterable[Corpus], tests: Iterable[Corpus]) -> dict[str, str]:
    """What was read shares with each test set that it overlaps, in words, by the test set's name.

    Asked of whole corpora, whatever share of them is used.
    """
    known = Known([question for corpus in read for question in corpus.questions])
    found = {}
    for corpus in tests:
        questions, passages = known.shared_with(corpus.questions)
        if questions or passages:
            words = f'shares {questions} questions and {passages} passages with {corpus.name}'
            found[corpus.name] = words
    return found
