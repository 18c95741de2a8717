"""Passages with something set off in them: direction, unbroken letters, excerpts."""

import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from xmrc_jax.reporting.tables import escape

_RIGHT_TO_LEFT = {'ar', 'fa', 'he', 'ur'}
_JOINERS = '\u200c\u200d'


def direction(language: str) -> str:
    """'rtl' or 'ltr'."""
    return 'rtl' if language in _RIGHT_TO_LEFT else 'ltr'


def attributes(language: str) -> str:
    """``lang`` and ``dir`` of an element whose text is in a language."""
    return f'lang="{escape(language)}" dir="{direction(language)}"'


def quoted(text: str, language: str) -> str:
    """A text of its own direction within a line of the page."""
    return f'<bdi {attributes(language)}>{escape(text)}</bdi>'


def whole(text: str, start: int, end: int) -> tuple[int, int]:
    """The least span around [start, end) that tears no letter from its marks.

    Marks (vowel signs, harakat), joiners and, in Indic scripts, consonants behind a virama belong
    to what stands before them.

    Example:
      >>> text = 'हिन्दी'  # ha + i, na + virama + da + ii
      >>> whole(text, 1, 4)
      (0, 6)
    """
    while 0 < start < len(text) and _belongs(text, start):
        start -= 1
    while end < len(text) and _belongs(text, end):
        end += 1
    return start, end


def _belongs(text: str, at: int) -> bool:
    """Whether the character at a place is drawn as part of the one before it."""
    joined = unicodedata.combining(text[at - 1]) == 9 or text[at - 1] == '\u200d'
    return unicodedata.category(text[at])[0] == 'M' or text[at] in _JOINERS or joined


class Shade(NamedTuple):
    """A span of characters and how strongly it is set off, from 0 to 1."""

    start: int
    end: int
    strength: float


def shaded(passage: str, shades: Iterable[Shade], golds: Iterable[tuple[int, int]]) -> str:
    """HTML of a passage: overlapping shades add up, gold answers are underlined."""
    shades = [Shade(*whole(passage, s.start, s.end), s.strength) for s in shades]
    golds = [whole(passage, *gold) for gold in golds]
    cuts = {0, len(passage)} | {at for s in shades for at in s[:2]}
    parts = []
    for start, end in pairwise(sorted(cuts | {at for gold in golds for at in gold})):
        text = escape(passage[start:end])
        strength = sum(s.strength for s in shades if s.start <= start and end <= s.end)
        if strength > 0:
            text = f'<mark style="--p:{min(strength, 1.0):.3f}">{text}</mark>'
        if any(s <= start and end <= e for s, e in golds):
            text = f'<u class="gold">{text}</u>'
        parts.append(text)
    return ''.join(parts)


def excerpt(
    passage: str, gold: tuple[int, int], others: Iterable[tuple[int, int]], most: int = 360
) -> tuple[str, int, int]:
    """A part of a passage around the gold answer, and the gold answer's place in it.

    It takes in the other spans, too, as far as that takes no more than ``most`` characters, and
    begins and ends between words.
    """
    start, end = gold
    for other in others:
        wider = min(start, other[0]), max(end, other[1])
        if wider[1] - wider[0] <= most - 120:
            start, end = wider
    margin = max(0, most - (end - start)) // 2
    first, last = max(0, start - margin), min(len(passage), end + margin)
    if first > 0:
        first = passage.find(' ', first, start) + 1 or start
    if last < len(passage):
        last = passage.rfind(' ', end, last) if passage.rfind(' ', end, last) > 0 else last
    first, last = whole(passage, first, last)
    gold = whole(passage, *gold)
    head, tail = '… ' * (first > 0), ' …' * (last < len(passage))
    return head + passage[first:last] + tail, *(at - first + len(head) for at in gold)


def places(passage: str, text: str) -> list[int]:
    """Where a text begins in a passage, overlapping occurrences included."""
    found, at = [], passage.find(text)
    while at >= 0 and text:
        found.append(at)
        at = passage.find(text, at + 1)
    return found
