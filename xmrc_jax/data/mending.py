"""Records as they come: what of an answer, an offset or an id can be read without a guess.

Owns how a value of the wrong kind is read, in which unit a file counts its offsets, and the words
for what was mended and what could not be. Refuses to know files and what becomes of a record: a
defect is a ValueError that names it.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

NUMBER_AS_ID = 'id is a number, read as text'
TEXT_AS_START = 'answer_start is not written as a whole number, read as one'
OTHER_FORM = 'answer in another normal form than its passage'
MOVED = 'answer not at its offset, moved to the only place where it stands'
NOT_THERE = 'answer not at its offset, nor elsewhere in its passage'
AMBIGUOUS = 'answer not at its offset, and elsewhere more than once'

CHARACTERS = 'characters'
# What an offset may count: of the passage before the answer so many. Of two units that explain
# equally many answers the first is meant.
UNITS: dict[str, Callable[[str], int]] = {
    CHARACTERS: len,
    'UTF-16 units': lambda before: len(before.encode('utf-16-le')) // 2,
    'UTF-8 bytes': lambda before: len(before.encode()),
    'characters without \\r': lambda before: len(before) - before.count('\r'),
    'composed characters': lambda before: len(unicodedata.normalize('NFC', before)),
}

# Letters, numbers, punctuation or signs to Unicode, nothing to a reader or to a tokenizer.
_UNSEEN = frozenset('\u115f\u1160\u2581\u3164\uffa0\ufffd')


class Claim(NamedTuple):
    """An answer as a file has it: its text, and where in which passage it is said to stand."""

    passage: str
    text: str
    start: int


class Placed(NamedTuple):
    """An answer as it stands: ``text == passage[start:][:len(text)]``; what was mended for it."""

    start: int
    text: str
    causes: tuple[str, ...]


def is_text(value: object) -> bool:
    """True for a string of Unicode text; JSON can also spell lone surrogates, which are none."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_visible(text: str) -> bool:
    """Whether anything is to be seen: no text of blanks, controls, marks and zero widths alone.

    Example:
      >>> is_visible('?'), is_visible(' \u200b\ufeff')
      (True, False)
    """
    return any(unicodedata.category(char)[0] in 'LNPS' and char not in _UNSEEN for char in text)


def read_id(value: object) -> tuple[str, tuple[str, ...]]:
    """An id as text, and what was mended for it.

    Example:
      >>> read_id('q1'), read_id(7), read_id(7.0)[0]
      (('q1', ()), ('7', ('id is a number, read as text',)), '7')
    """
    if type(value) is int or (type(value) is float and value.is_integer()):
        return str(int(value)), (NUMBER_AS_ID,)
    if not is_text(value) or not value:
        raise ValueError('id missing or not text')
    return value, ()


def check_texts(passage: object, question: object) -> None:
    """ValueError where there is no passage or no question to be read."""
    for value, name in ((passage, 'context'), (question, 'question')):
        if not is_text(value):
            raise ValueError(f'{name} missing or not text')
        if not is_visible(value):
            raise ValueError(f'{name} without visible text')


def answers_of(record: dict) -> list:
    """What a record lists as answers, whatever it is."""
    answers = record.get('answers')
    return answers if isinstance(answers, list) else []


def gold_texts(record: dict) -> tuple[str, ...]:
    """The texts of its answers, as the official scripts read them, wherever they stand."""
    texts = [each.get('text') for each in answers_of(record) if isinstance(each, dict)]
    return tuple(filter(is_text, texts))


def says_impossible(record: dict) -> bool:
    """Whether a record itself says that it has no answer, as in SQuAD 2.0; perhaps as text."""
    return str(record.get('is_impossible')).lower() in ('true', '1')


def read_answers(
    passage: str, record: dict, unit: str, may_lack: bool
) -> tuple[list[Placed], tuple[str, ...]]:
    """The answers of a record that can be read, and what was mended for them.

    Args:
      passage: that the record's question is asked of.
      record: with a list ``answers``.
      unit: of the file, see ``unit_of``.
      may_lack: whether an empty list is no defect.
    """
    if not answers_of(record):
        if may_lack and (says_impossible(record) or record.get('answers') == []):
            return [], ()
        raise ValueError(_unlisted(record.get('answers')))
    answers, causes, defects = [], [], []
    for answer in answers_of(record):
        try:
            claim, mended = read_claim(passage, answer)
            answers.append(place(claim, unit))
        except ValueError as defect:
            defects.append(str(defect))
        else:
            causes += mended + answers[-1].causes
    if not answers:
        raise ValueError(defects[0])
    causes += [f'{defect} (its other answers are kept)' for defect in defects]
    return answers, tuple(causes)


def _unlisted(answers: object) -> str:
    """Why there are no answers."""
    if isinstance(answers, str):
        return 'answers are text that is not JSON'
    return 'no answers' if answers in (None, []) else 'answers are not a list'


def read_claim(passage: str, record: object) -> tuple[Claim, tuple[str, ...]]:
    """An answer of a file, and what was mended for it."""
    text, start = None, None
    if isinstance(record, dict):
        text, start = record.get('text'), record.get('answer_start')
    if not is_text(text):
        raise ValueError('answer text missing or not text')
    if not is_visible(text):
        raise ValueError('empty answer')
    start, causes = _read_start(start)
    return Claim(passage, text, start), causes


def _read_start(value: object) -> tuple[int, tuple[str, ...]]:
    if type(value) is int:
        return value, ()
    if isinstance(value, float) and value.is_integer():
        return int(value), (TEXT_AS_START,)
    number = re.fullmatch(r'\s*(\d{1,18})(\.0+)?\s*', value) if isinstance(value, str) else None
    if not number:
        raise ValueError('answer_start missing or not a whole number')
    return int(number[1]), (TEXT_AS_START,)


def unit_of(claims: Sequence[Claim]) -> str:
    """The key of ``UNITS`` in which a file counts: that by which most of its answers stand there.

    Example:
      >>> unit_of([Claim('🚢 at nine', 'nine', 6), Claim('🚢 at nine', 'at', 3)])
      'UTF-16 units'
    """
    astray = [claim for claim in claims if not _stands(claim, CHARACTERS)]
    if not any(_stands(claim, unit) for claim in astray for unit in UNITS):
        return CHARACTERS
    return max(UNITS, key=lambda unit: sum(_stands(claim, unit) for claim in claims))


def place(claim: Claim, unit: str) -> Placed:
    """Where an answer stands.

    At its offset, counted in the file's unit; else at the only place where its text is. A guess
    among several places would be a wrong label. White space at its edges is cut off.

    Example:
      >>> place(Claim('in 1876.', ' 1876', 2), CHARACTERS)
      Placed(start=3, text='1876', causes=())
      >>> place(Claim('in 1876.', '1876', 0), CHARACTERS).causes
      ('answer not at its offset, moved to the only place where it stands',)
    """
    passage, text = claim.passage, _form(claim)
    if not text:
        raise ValueError(NOT_THERE)
    causes = (OTHER_FORM,) if text != claim.text else ()
    start = _position(claim, unit)
    if start >= 0 and passage.startswith(text, start):
        if start != claim.start:
            causes += (f'answer_start counts {unit}',)
    else:
        start = passage.find(text)
        if passage.find(text, start + 1) >= 0:
            raise ValueError(AMBIGUOUS)
        causes += (MOVED,)
    stripped = text.strip()
    return Placed(start + text.index(stripped), stripped, causes)


def _stands(claim: Claim, unit: str) -> bool:
    """Whether an answer is at its offset, counted in a unit."""
    start, text = _position(claim, unit), _form(claim)
    return start >= 0 and text != '' and claim.passage.startswith(text, start)


def _form(claim: Claim) -> str:
    """The answer as its passage writes it: as it is, composed or decomposed; '' if not at all."""
    if claim.text in claim.passage:
        return claim.text
    forms = (unicodedata.normalize(form, claim.text) for form in ('NFC', 'NFD'))
    return next((form for form in forms if form in claim.passage), '')


def _position(claim: Claim, unit: str) -> int:
    """The character at an offset that counts in a unit; -1 where there is none."""
    passage, start, measure = claim.passage, claim.start, UNITS[unit]
    if unit == CHARACTERS or (passage.isascii() and '\r' not in passage):
        return start if 0 <= start < len(passage) else -1

    def counted(at: int) -> int:
        return measure(passage[:at])

    at = bisect_right(range(len(passage)), start, key=counted) - 1
    return at if at >= 0 and counted(at) == start else -1
