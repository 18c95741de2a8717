"""Passages with something set off in them: direction, unbroken letters, excerpts."""

import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from xmrc_jax.data.languages import primary

_RIGHT_TO_LEFT = {'ar', 'fa', 'he', 'ur'}
_JOINERS = '\u200c\u200d'
MOST = 360  # characters of an excerpt


def direction(language: str) -> str:
    """'rtl' or 'ltr', of a language tag."""
    return 'rtl' if primary(language) in _RIGHT_TO_LEFT else 'ltr'


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


class Piece(NamedTuple):
    """A part of a passage, how strongly it is set off, from 0 to 1, and whether it is gold."""

    text: str
    strength: float
    is_gold: bool


def shaded(
    passage: str, shades: Iterable[tuple[int, int, float]], golds: Iterable[tuple[int, int]]
) -> list[Piece]:
    """A passage in pieces: overlapping shades (start, end, strength) add up."""
    shades = [(*whole(passage, start, end), strength) for start, end, strength in shades]
    golds = [whole(passage, *gold) for gold in golds]
    cuts = {0, len(passage)} | {at for span in shades for at in span[:2]}
    return [
        Piece(
            passage[start:end],
            min(1.0, sum(p for first, last, p in shades if first <= start and end <= last)),
            any(first <= start and end <= last for first, last in golds),
        )
        for start, end in pairwise(sorted(cuts | {at for gold in golds for at in gold}))
    ]


def excerpt(
    passage: str, gold: tuple[int, int], others: Iterable[tuple[int, int]]
) -> tuple[str, int, int]:
    """A part of a passage around the gold answer, and the gold answer's place in it.

    It takes in the other spans, too, as far as that takes no more than ``MOST`` characters, and
    begins and ends between words.
    """
    start, end = gold
    for other in others:
        wider = min(start, other[0]), max(end, other[1])
        if wider[1] - wider[0] <= MOST - 120:
            start, end = wider
    margin = max(0, MOST - (end - start)) // 2
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
