"""Questions -> tokenised windows with character offsets and gold token spans.

Owns what a window is and the cache of windows on disk; ``cutting`` makes them, ``offsets`` maps
tokens to characters. Refuses to know where questions come from, how windows are batched, and any
model.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerFast

from xmrc_jax.data.cutting import cut
from xmrc_jax.data.languages import primary
from xmrc_jax.data.offsets import cover
from xmrc_jax.data.squad import Question
from xmrc_jax.data.tokenizer import tokenizer_hash
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import locked, replacing
from xmrc_jax.ground.values import leaf

FORMAT = 1  # part of the key: raise it when the meaning of a cached array changes


@dataclass(frozen=True)
class WindowSize:
    """Lengths in tokens: of a window, of the overlap of two windows, of the longest question."""

    max_tokens: int = leaf(at_least=1, below=2**31)
    stride: int = leaf(at_least=0, below=2**31)
    max_question_tokens: int = leaf(at_least=1, below=2**31)


@dataclass(frozen=True)
class Windows:
    """All windows of a set of questions, end to end on axis T; a question's windows adjoin.

    Attributes:
      ids_T: int32 token ids, special tokens included.
      chars_T2: int32 [start, end) characters of the passage; (-1, -1) outside the passage;
        start >= end marks a blank piece, where no span may begin or end.
      bounds_W2: int64 [first, past-last) token of each window on axis T.
      question_W2: int32 [lo, hi) tokens of the question in the window, no special tokens.
      passage_W2: int32 [lo, hi) tokens of the passage in the window.
      gold_W2: int32 inclusive token span of the first answer; (-1, -1) where not held whole.
      question_W: int32 index into the questions.
      repeats_C3: int32 (window, start, end) of every token span that reads exactly like the first
        answer, ordered by window; the gold is among them even where it is not exact.
      pad_id: token id that fills a batch.
      key: content hash of questions, tokenizer and size; '' where the windows are not kept.
      language_W2: int32 language ids of question and passage; None where the tokenizer has none.
      mark_W2: int32 inclusive token span that is marked for a second pass, (-1, -1) for none; None
        where nothing is.
    """

    ids_T: np.ndarray
    chars_T2: np.ndarray
    bounds_W2: np.ndarray
    question_W2: np.ndarray
    passage_W2: np.ndarray
    gold_W2: np.ndarray
    question_W: np.ndarray
    repeats_C3: np.ndarray
    pad_id: int
    key: str
    mark_W2: np.ndarray | None = None
    language_W2: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.bounds_W2)

    @property
    def length_W(self) -> np.ndarray:
        """int64 tokens of each window, special tokens included."""
        return self.bounds_W2[:, 1] - self.bounds_W2[:, 0]

    @property
    def gold_chars_W2(self) -> np.ndarray:
        """int32 [start, end) characters that the tokens of the gold span say, (-1, -1) for none.

        Not always the answer's own: a token may reach over its edge, or the tokenizer drop what is
        there. An answer that a reader gives is of these characters, too.
        """
        spans_W2 = np.maximum(self.gold_W2, 0) + self.bounds_W2[:, :1]  # token 0 is the question's
        return self.chars_T2[spans_W2, [0, 1]]

    def locate(self, window: int, chars_K2: np.ndarray) -> np.ndarray:
        """The smallest token spans of a window that cover some characters of its passage.

        Args:
          window: index on axis W.
          chars_K2: int [start, end) characters; (-1, -1) means none.

        Returns:
          int32 inclusive token spans, shape [K, 2]; (-1, -1) where not wholly in the window.
        """
        chars_K2 = np.asarray(chars_K2)
        lo, hi = self.passage_W2[window]
        chars_U2 = np.asarray(self.chars_T2[self.bounds_W2[window, 0] :][lo:hi])
        spans_K2 = cover(chars_U2, chars_K2)
        inside_K = (chars_U2[0, 0] <= chars_K2[:, 0]) & (chars_K2[:, 1] <= chars_U2[-1, 1])
        found_K1 = (inside_K & (spans_K2[:, 0] >= 0))[:, None]
        return np.where(found_K1, spans_K2 + lo, -1).astype(np.int32)

    def marked(self, chars_Q2: np.ndarray) -> 'Windows':
        """The same windows with one answer to each question marked where it lies wholly inside.

        Args:
          chars_Q2: int [start, end) characters of the passage; (-1, -1) means none.
        """
        spans = [self.locate(w, chars_Q2[q, None])[0] for w, q in enumerate(self.question_W)]
        return replace(self, mark_W2=np.array(spans, np.int32))

    def of_questions(self, rows: slice) -> 'Windows':
        """The windows of a run of questions, which are numbered from 0 there."""
        first, past = np.searchsorted(self.question_W, [rows.start, rows.stop])
        lo, hi = np.searchsorted(self.repeats_C3[:, 0], [first, past])
        return replace(
            self,
            bounds_W2=self.bounds_W2[first:past],
            question_W2=self.question_W2[first:past],
            passage_W2=self.passage_W2[first:past],
            gold_W2=self.gold_W2[first:past],
            question_W=self.question_W[first:past] - np.int32(rows.start),
            repeats_C3=self.repeats_C3[lo:hi] - np.array([first, 0, 0], np.int32),
            mark_W2=None if self.mark_W2 is None else self.mark_W2[first:past],
            language_W2=None if self.language_W2 is None else self.language_W2[first:past],
        )


# The arrays and their files.
ARRAYS = {field.name: f'{field.name}.npy' for field in fields(Windows) if field.type is np.ndarray}
ARRAYS['repeats_C3'] = 'repeats_R3.npy'  # as it was first called


def build(
    questions: Sequence[Question],
    tokenizer: PreTrainedTokenizerFast,
    size: WindowSize,
    *,
    cache: Path | None = None,
) -> Windows:
    """Cut the passage of every question into windows, exactly where Hugging Face cuts.

    A window is ``question + passage`` in the tokenizer's own pair template. The passage part has
    room = max_tokens - question tokens - special tokens; the next one starts room - stride later.

    Args:
      questions: leading white space is stripped, tokens beyond max_question_tokens are cut off.
      tokenizer: any fast tokenizer; truncation and padding last set on it do not matter.
      size: lengths in tokens.
      cache: folder that keeps the windows, below ``windows/<key>``; they are then memory-mapped.

    Raises:
      UserError: no question; a question that leaves no room, or not more room than the stride; a
        text without tokens, or in a language that the encoder is not told of; offsets that do not
        run along the text; an unwritable cache.
    """
    if not questions:
        raise UserError('no questions to cut into windows: the corpus is empty')
    language_Q2 = _languages(questions, tokenizer)
    windows = _kept(questions, tokenizer, size, cache)
    if language_Q2 is None:
        return windows
    return replace(windows, language_W2=language_Q2[windows.question_W])


def _languages(questions, tokenizer) -> np.ndarray | None:
    """Language ids of every question and its passage, where the tokenizer has such."""
    ids = getattr(tokenizer, 'languages', None)
    if ids is None:
        return None
    found = np.zeros((len(questions), 2), np.int32)
    for question, own in zip(questions, found, strict=True):
        for side, code in enumerate((question.question_language, question.context_language)):
            if (language := primary(code).lower()) not in ids:
                raise UserError(
                    f'question {question.id!r}: language {code!r} is none of the {len(ids)} of '
                    f'{tokenizer.name_or_path}: {", ".join(ids)}'
                )
            own[side] = ids[language]
    return found


def _kept(questions, tokenizer, size, cache: Path | None) -> Windows:
    if cache is None:  # the hash of a large tokenizer takes longer than to cut one question
        return _built(questions, tokenizer, size, key='')
    key = _key(questions, tokenizer, size)
    folder = Path(cache) / 'windows' / key
    windows = _read(folder)
    if windows is None:
        with _alone(folder):
            windows = _read(folder)
            if windows is None:
                shutil.rmtree(folder, ignore_errors=True)  # what is damaged
                windows = _built(questions, tokenizer, size, key)
                _write(folder, windows)
                windows = _read(folder) or windows
    return windows


def _built(questions, tokenizer, size, key) -> Windows:
    arrays = cut(questions, tokenizer, **asdict(size))
    return Windows(**arrays, pad_id=tokenizer.pad_token_id, key=key)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Of all processes that share a cache, one builds the same windows; the others wait for it."""
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder.with_name(f'.{folder.name}.lock')))
        except OSError as error:
            raise _unwritable(folder, error) from error
        yield


def _key(questions, tokenizer, size) -> str:
    header = [FORMAT, tokenizer_hash(tokenizer), tokenizer.pad_token_id, asdict(size)]
    digest = hashlib.sha256(json.dumps(header).encode())
    for question in questions:
        record = [question.id, question.text, question.passage, question.answers]
        digest.update(json.dumps(record).encode())
    return digest.hexdigest()


def _write(folder: Path, windows: Windows) -> None:
    try:
        with replacing(folder) as part:
            part.mkdir()
            for name, file in ARRAYS.items():
                np.save(part / file, getattr(windows, name))
            scalars = {'pad_id': windows.pad_id, 'key': windows.key}
            (part / 'windows.json').write_text(json.dumps(scalars))
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> UserError:
    reason = f'windows cannot be kept here ({error.strerror}); name another cache folder'
    return UserError(f'{folder.parent}: {reason}')


def _read(folder: Path) -> Windows | None:
    """The windows kept in a folder; None where there are none, or damaged ones."""
    try:
        scalars = json.loads((folder / 'windows.json').read_text())
        # As plain arrays: a slice of numpy.memmap takes several times as long.
        arrays = {
            name: np.asarray(np.load(folder / file, mmap_mode='r')) for name, file in ARRAYS.items()
        }
        return Windows(**arrays, **scalars)
    except (OSError, EOFError, ValueError, TypeError):
        return None
