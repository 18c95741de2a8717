"""Texts with their phrases: what whole-phrase masking and phrase boundary recovery learn from.

A file of phrases is JSON lines, plain or gzip-compressed::

    {"text": "Ada Fenwick founded it.", "language": "en", "spans": [[0, 11]]}

``spans`` are [start, end) characters. Owns the format, how phrases are found in passages that come
without, and that no text of a test set is among them. Refuses to know tokens.
"""

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from xmrc_jax.data import overlap
from xmrc_jax.data.mending import is_text, is_visible
from xmrc_jax.data.squad import Question
from xmrc_jax.data.tables import Unread, row_of
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_bytes, unpacked, utf8

LONGEST, LEAST = 4, 2  # words of a phrase that is found, and texts of its language it must be in
COMMON = 50  # words of a language that are too frequent to bound a phrase, of 1000 or more
UNSPACED = ('CJK', 'HIRAGANA', 'KATAKANA', 'THAI', 'LAO', 'KHMER', 'MYANMAR')  # no spaces there


class Phrased(NamedTuple):
    """A text and the [start, end) characters of its phrases, in order, none within another."""

    text: str
    language: str
    spans: tuple[tuple[int, int], ...]


class Phrases(NamedTuple):
    """Texts, where they are from, and what was left out: by reason how many, and the first."""

    source: str
    texts: tuple[Phrased, ...]
    dropped: dict[str, dict]

    @property
    def key(self) -> str:
        """Content hash of the texts and their phrases."""
        return hashlib.sha256(json.dumps(self.texts).encode()).hexdigest()

    @property
    def summary(self) -> dict:
        """JSON-ready: counts by language, samples and what was left out."""
        texts, spans, samples = Counter(), Counter(), {}
        for text, language, own in self.texts:
            texts[language] += 1
            spans[language] += len(own)
            chosen = samples.setdefault(language, [])
            chosen += [text[lo:hi] for lo, hi in own[: 5 - len(chosen)]]
        return {
            'source': self.source,
            'texts': dict(texts),
            'phrases': dict(spans),
            'samples': samples,
            'dropped': self.dropped,
        }


def read(path: str | Path) -> Phrases:
    """The texts of a file; those that are defective are left out, counted and named by their line.

    Raises:
      UserError: it cannot be read, or no text in it has a phrase.
    """
    path, texts, dropped = Path(path), [], {}
    lines = utf8(path, unpacked(path, read_bytes(path))).splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        fault, text = _parsed(line)
        if text is not None:
            texts.append(text)
        else:
            _drop(dropped, fault, f'line {number}')
    if not texts:
        reasons = _reasons(dropped) or 'the file is empty'
        raise UserError(
            f'{path}: no text with phrases ({reasons}); a line is '
            '{"text": .., "language": .., "spans": [[start, end], ..]}'
        )
    return Phrases(str(path), tuple(texts), dropped)


def found(questions: Iterable[Question]) -> Phrases:
    """Phrases of the passages that questions are asked of.

    Those are the article's title where it stands, and runs of 1 to 4 words that stand in several
    passages of the language: all capitalised, the first no frequent word; or, in a script without
    capitals, several words of which neither the first nor the last is a frequent one.
    """
    passages = {(q.passage, q.context_language): q.title for q in questions}
    words = {key: _words(key[0]) for key in passages}
    frequent: dict[str, Counter] = {}
    for (text, language), own in words.items():
        frequent.setdefault(language, Counter()).update(text[lo:hi] for lo, hi in own)
    common = {
        name: {word for word, _ in words_of.most_common(min(COMMON, len(words_of) // 20))}
        for name, words_of in frequent.items()
    }
    known: dict[str, Counter] = {name: Counter() for name in frequent}
    for (text, language), own in words.items():
        known[language].update(set(_runs(text, own, common[language])))
    texts, dropped = [], {}
    for (text, language), title in passages.items():
        spans = _chosen(text, words[text, language], known[language], title)
        if spans:
            texts.append(Phrased(text, language, spans))
        else:
            _drop(dropped, 'no phrase found', text[:40])
    return Phrases('passages of the training sets', tuple(texts), dropped)


def without(phrases: Phrases, tests: Iterable[Question]) -> Phrases:
    """The same without the passages that tests ask of, which are counted."""
    passages = overlap.passages(tests)
    kept, dropped = [], dict(phrases.dropped)
    for each in phrases.texts:
        if overlap.bare(each.text) in passages:
            _drop(dropped, 'passage of a test set', each.text[:40])
        else:
            kept.append(each)
    if not kept:
        raise UserError(
            f'{phrases.source}: no text with phrases that is no passage of a test set '
            f'({_reasons(dropped)}); name a file of others with data.phrases'
        )
    return phrases._replace(texts=tuple(kept), dropped=dropped)


def _reasons(dropped: dict[str, dict]) -> str:
    return ', '.join(f'{each["count"]} {reason}' for reason, each in dropped.items())


def _drop(dropped: dict[str, dict], reason: str, name: str) -> None:
    each = dropped.setdefault(reason, {'count': 0, 'first': []})
    each['count'] += 1
    each['first'] += [name] * (len(each['first']) < 5)


def _parsed(line: bytes) -> tuple[str, Phrased | None]:
    """Why a line is left out, or its text."""
    record = row_of(line)
    if isinstance(record, Unread):
        return record.reason, None
    try:
        text, language, spans = (record[name] for name in ('text', 'language', 'spans'))
        spans = tuple(sorted((lo, hi) for lo, hi in spans))
    except (ValueError, TypeError, KeyError):
        return 'no object with text, language and spans', None
    if any(type(char) is not int for span in spans for char in span):
        return 'spans that are no pairs of whole numbers', None
    if not is_text(text) or not is_text(language):
        return 'text or language missing or not text', None
    if not is_visible(text):
        return 'text without a visible character', None
    if any(not 0 <= lo < hi <= len(text) for lo, hi in spans):
        return 'phrase outside its text', None
    if any(this[1] > following[0] for this, following in pairwise(spans)):
        return 'phrases overlap', None
    if not all(is_visible(text[lo:hi]) for lo, hi in spans):
        return 'phrase without a visible character', None
    return ('', Phrased(text, language, spans)) if spans else ('no phrase', None)


def _words(text: str) -> list[tuple[int, int]]:
    """The words of a text without the punctuation around them.

    >>> [' by Ada,'[lo:hi] for lo, hi in _words(' by Ada,')]
    ['by', 'Ada']
    """
    words = []
    for match in re.finditer(r'\S+', text):
        lo, hi = match.span()
        while lo < hi and unicodedata.category(text[lo])[0] in 'PS':
            lo += 1
        while lo < hi and unicodedata.category(text[hi - 1])[0] in 'PS':
            hi -= 1
        if lo < hi:
            words.append((lo, hi))
    return words


def _runs(text: str, words: Sequence[tuple[int, int]], common: set[str]) -> Iterator[str]:
    """Every run of words with single spaces between them that may be a phrase."""
    for first in range(len(words)):
        for past in range(first + 1, min(first + LONGEST, len(words)) + 1):
            if past > first + 1 and words[past - 1][0] != words[past - 2][1] + 1:
                break
            run = text[words[first][0] : words[past - 1][1]]
            if _is_phrase(run, common):
                yield run


def _chosen(text: str, words: Sequence[tuple[int, int]], known: Counter, title: str):
    """The title where it stands, then the longest runs first, from left to right."""
    title = title.replace('_', ' ').strip()
    found = re.finditer(re.escape(title), text) if is_visible(title) else ()
    spans = [match.span() for match in found if _is_apart(text, *match.span())]
    taken = {char for lo, hi in spans for char in range(lo, hi)}
    for size in range(LONGEST, 0, -1):
        for first in range(len(words) - size + 1):
            lo, hi = words[first][0], words[first + size - 1][1]
            if known[text[lo:hi]] >= LEAST and taken.isdisjoint(range(lo, hi)):
                spans.append((lo, hi))
                taken.update(range(lo, hi))
    return tuple(sorted(spans))


def _is_apart(text: str, lo: int, hi: int) -> bool:
    """Whether what stands there is no part of a longer word.

    >>> [_is_apart('नमस्ते, 北京是', *span) for span in [(0, 6), (0, 5), (8, 10)]]
    [True, False, True]
    """
    beside = text[max(lo - 1, 0) : lo] + text[hi : hi + 1]
    return not any(
        (char == '_' or unicodedata.category(char)[0] in 'LMN')
        and unicodedata.name(char, '').partition(' ')[0] not in UNSPACED
        for char in beside
    )


def _is_phrase(run: str, common: set[str]) -> bool:
    words = run.split()
    if run.lower() != run.upper():  # a script with capitals
        capitals = all(word[0].isupper() or word[0].isdigit() for word in words)
        return capitals and words[0] not in common
    return len(words) > 1 and common.isdisjoint((words[0], words[-1]))
