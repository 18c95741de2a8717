"""XLM's tokenizer with character offsets, which its library's own, the last slow one, has not.

Text is cut at white space and each word tokenised by itself, as the question answering scripts of
XLM's time did. A word's pieces are lower-cased, without accents, and their punctuation is rewritten
by Moses, so they are aligned with the word as it stands, and no error of that leaves the word. In
every language Moses' rules are those of English, as in the library's own ``tokenizer(text)``.

Nothing but ``tokenizer.load_tokenizer`` imports this file.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from transformers import PreTrainedTokenizer

# Those of the model of 15 languages in the order of its table, where its files do not say.
LANGUAGES = (
    'ar', 'bg', 'de', 'el', 'en', 'es', 'fr', 'hi', 'ru', 'sw', 'th', 'tr', 'ur', 'vi', 'zh',
)  # fmt: skip
ROWS = 95_000  # of its vocabulary
END = '</w>'  # of a word, in its last piece


class Encoding(NamedTuple):
    """What is asked of the encodings of fast tokenizers."""

    ids: list[int]
    offsets: list[tuple[int, int]]
    sequence_ids: list[int | None]


class XlmTokenizer:
    """A slow XLM tokenizer as the fast tokenizer, and its backend, that the package knows.

    Attributes:
      languages: id of each language; None where the encoder has none.
    """

    is_fast = True

    def __init__(self, slow: PreTrainedTokenizer):
        self._slow, self._words = slow, {}
        known = dict(enumerate(LANGUAGES)) if len(slow.get_vocab()) == ROWS else {}
        own = slow.lang2id or {language: number for number, language in known.items()}
        self.languages = own or None

    def __getattr__(self, name: str):
        if name.startswith('_'):  # asked for before there is a slow one, when this is copied
            raise AttributeError(name)
        return getattr(self._slow, name)

    def __len__(self) -> int:
        return len(self._slow)

    def __call__(self, question: str, passage: str) -> dict:
        return {'input_ids': self.encode(question, passage).ids}

    @property
    def model_max_length(self) -> int:
        return self._slow.model_max_length

    @model_max_length.setter
    def model_max_length(self, tokens: int) -> None:
        self._slow.model_max_length = tokens

    # -- the backend -------------------------------------------------------------------------------

    @property
    def backend_tokenizer(self) -> 'XlmTokenizer':
        return self

    def no_truncation(self) -> None:
        """Nothing is ever cut here."""

    def no_padding(self) -> None:
        """Nor filled up."""

    @cached_property
    def _content(self) -> str:
        slow = self._slow
        own = slow.get_vocab(), list(slow.bpe_ranks), slow.do_lowercase_and_remove_accent
        return json.dumps(['xlm, word by word', *own, self.languages])

    def to_str(self) -> str:
        """All that this does to a text."""
        return self._content

    def encode(
        self, text: str, pair: str | None = None, add_special_tokens: bool = True
    ) -> Encoding:
        """Of a text, or of two in the library's template."""
        sides = [self._plain(each) for each in (text, pair) if each is not None]
        ids = [[number for number, _ in side] for side in sides]
        if not add_special_tokens:
            return Encoding(ids[0], [span for _, span in sides[0]], [0] * len(ids[0]))
        inner = iter([(span, i) for i, side in enumerate(sides) for _, span in side])
        outer = (0, 0), None
        mask = self._slow.get_special_tokens_mask(*ids)
        offsets, sequence_ids = zip(
            *(outer if special else next(inner) for special in mask), strict=True
        )
        whole = self._slow.build_inputs_with_special_tokens(*ids)
        return Encoding(whole, list(offsets), list(sequence_ids))

    def encode_batch(self, texts: Sequence[str], add_special_tokens: bool = True) -> list[Encoding]:
        return [self.encode(text, add_special_tokens=add_special_tokens) for text in texts]

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        tokens = self._slow.convert_ids_to_tokens(ids, skip_special_tokens=skip_special_tokens)
        return ''.join(tokens).replace(END, ' ').strip()

    def _plain(self, text: str) -> list[tuple[int, tuple[int, int]]]:
        """Id and characters of each piece."""
        return [
            (number, (word.start() + start, word.start() + end))
            for word in re.finditer(r'\S+', text)
            for number, (start, end) in self._word(word[0])
        ]

    def _word(self, word: str) -> list[tuple[int, tuple[int, int]]]:
        if word not in self._words:
            pieces = self._slow.tokenize(word)
            said = [piece.removesuffix(END) for piece in pieces]
            spans = aligned(word, said, lowered=self._slow.do_lowercase_and_remove_accent)
            ids = self._slow.convert_tokens_to_ids(pieces)
            self._words[word] = list(zip(ids, spans, strict=True))
        return self._words[word]


def aligned(word: str, pieces: Sequence[str], lowered: bool = True) -> list[tuple[int, int]]:
    """[start, end) characters of a word that each of its pieces says.

    Equal characters are matched; others, such as the three dots of an ellipsis, are spread over the
    characters between those that match, and a piece for which none are left has none. What a
    tokenizer drops behind a character goes with it: accents and vowel signs of their own.

    Example:
      >>> aligned('Müller…', ['mu', 'ller', '...'])
      [(0, 2), (2, 6), (6, 7)]
    """
    plain, place = [], []
    for number, character in enumerate(word):
        kept = _plain(character) if lowered else character
        plain += kept
        place += [number] * len(kept)
    said = ''.join(pieces)
    if not place:
        return [(0, len(word))] * len(pieces)
    index, at, past = [], 0, 0
    for block in SequenceMatcher(None, ''.join(plain), said, autojunk=False).get_matching_blocks():
        gap, free = block.b - past, block.a - at
        index += [at + j * free // gap if free else -1 for j in range(gap)]
        index += range(block.a, block.a + block.size)
        at, past = block.a + block.size, block.b + block.size
    places = sorted({*place, len(word)})
    behind = dict(pairwise(places))
    spans, first = [], 0
    for piece in pieces:
        own = [each for each in index[first : first + len(piece)] if each >= 0]
        first += len(piece)
        if own:
            spans.append((place[own[0]], behind[place[own[-1]]]))
        else:
            start = spans[-1][0] if spans else 0
            spans.append((start, start))
    return spans


def _plain(character: str) -> str:
    """What lower-casing, without accents and unprintable characters, leaves of one."""
    parts = unicodedata.normalize('NFD', character.lower())
    return ''.join(c for c in parts if unicodedata.category(c) != 'Mn' and c.isprintable()).lower()
