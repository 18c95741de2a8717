"""Questions -> tokenised windows with character offsets and gold token spans.

Owns how text becomes tokens: the cut into overlapping windows, the template of special tokens, the
map between tokens and characters of the original passage, and the cache of all this on disk.
Refuses to know where questions come from, how windows are batched, and any model.

Three kinds of pieces need care, because offsets of fast tokenizers are not always what they seem:

* a piece may include the space before it: its span is trimmed to the visible text;
* a blank piece (XLM-R's lone ``▁``) claims characters of its neighbour, or a space. It gets
  (start of the next visible piece, end of the visible piece before), so that start >= end marks
  it, no gold begins or ends there, and any slice from or to it is still tight;
* several pieces may share one character (``½`` becomes ``1``, ``⁄``, ``2``): tolerated. A span
  begins at the last and ends at the first of such pieces, the smallest that covers the text.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from xmrc_jax.data.squad import Question
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import locked, replacing

FORMAT = 1  # part of the key: raise it when the meaning of a cached array changes
BLOCK = 1000  # texts between two updates of the progress bar
FAR = np.iinfo(np.int64).max  # beyond every character


@dataclass(frozen=True)
class WindowSize:
    """Lengths in tokens: of a window, of the overlap of two windows, of the longest question."""

    max_tokens: int = 384
    stride: int = 128
    max_question_tokens: int = 64

    def __post_init__(self):
        if min(self.max_tokens, self.max_question_tokens) < 1 or self.stride < 0:
            raise UserError(
                'max_tokens and max_question_tokens must be at least 1 and stride at least 0, '
                f'not {self.max_tokens}, {self.max_question_tokens} and {self.stride}'
            )


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
      repeats_R3: int32 (window, start, end) of every token span that reads exactly like the first
        answer, ordered by window; the gold is among them even where it is not exact.
      pad_id: token id that fills a batch.
      key: content hash of questions, tokenizer and size.
    """

    ids_T: np.ndarray
    chars_T2: np.ndarray
    bounds_W2: np.ndarray
    question_W2: np.ndarray
    passage_W2: np.ndarray
    gold_W2: np.ndarray
    question_W: np.ndarray
    repeats_R3: np.ndarray
    pad_id: int
    key: str

    def __len__(self) -> int:
        return len(self.bounds_W2)

    @property
    def length_W(self) -> np.ndarray:
        """int64 tokens of each window, special tokens included."""
        return self.bounds_W2[:, 1] - self.bounds_W2[:, 0]

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
        chars_P2 = np.asarray(self.chars_T2[self.bounds_W2[window, 0] :][lo:hi])
        spans_K2 = _cover(chars_P2, chars_K2)
        inside_K = (chars_P2[0, 0] <= chars_K2[:, 0]) & (chars_K2[:, 1] <= chars_P2[-1, 1])
        found_K1 = (inside_K & (spans_K2[:, 0] >= 0))[:, None]
        return np.where(found_K1, spans_K2 + lo, -1).astype(np.int32)

    def of_questions(self, rows: slice) -> 'Windows':
        """The windows of a run of questions, which are numbered from 0 there."""
        first, past = np.searchsorted(self.question_W, [rows.start, rows.stop])
        lo, hi = np.searchsorted(self.repeats_R3[:, 0], [first, past])
        return replace(
            self,
            bounds_W2=self.bounds_W2[first:past],
            question_W2=self.question_W2[first:past],
            passage_W2=self.passage_W2[first:past],
            gold_W2=self.gold_W2[first:past],
            question_W=self.question_W[first:past] - np.int32(rows.start),
            repeats_R3=self.repeats_R3[lo:hi] - np.array([first, 0, 0], np.int32),
        )


ARRAYS = [field.name for field in fields(Windows) if field.type is np.ndarray]


def load_tokenizer(name_or_folder: str | Path) -> PreTrainedTokenizerFast:
    """A fast tokenizer from a local folder or a hub id; code from the hub is never run.

    Raises:
      UserError: there is none, it cannot be reached, or it has no fast form.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(name_or_folder), trust_remote_code=False)
    except Exception as error:  # the tokenizers library raises bare Exception for a broken file
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f'{name_or_folder}: no tokenizer could be loaded ({reason})') from error
    if not tokenizer.is_fast:
        raise UserError(
            f'{name_or_folder}: only a slow tokenizer, without character offsets; '
            'name a folder or hub id that has a tokenizer.json'
        )
    if tokenizer.pad_token_id is None:
        raise UserError(f'{name_or_folder}: no padding token; set pad_token in its configuration')
    return tokenizer


def tokenizer_hash(tokenizer: PreTrainedTokenizerFast) -> str:
    """sha256 of all that the tokenizer does to a text, whatever it was last used for."""
    return hashlib.sha256(_backend(tokenizer).to_str().encode()).hexdigest()


def _backend(tokenizer):
    """Without truncation and padding, which transformers sets anew at every call of its own."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    return backend


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
        text without tokens; offsets that do not run along the text; an unwritable cache.
    """
    if not questions:
        raise UserError('no questions to cut into windows: the corpus is empty')
    key = _key(questions, tokenizer, size)
    if cache is None:
        return _cut(questions, tokenizer, size, key)
    folder = Path(cache) / 'windows' / key
    windows = _read(folder)
    if windows is None:
        with _alone(folder):
            windows = _read(folder)
            if windows is None:
                windows = _cut(questions, tokenizer, size, key)
                _write(folder, windows)
                windows = _read(folder) or windows
    return windows


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


class _Pieces(NamedTuple):
    """Every distinct text tokenised once: runs of tokens, end to end on axis P.

    The first three runs are the special tokens before, between and after question and passage;
    ``text_Q`` and ``passage_Q`` name the runs of a question. Characters count through all passages
    end to end, ``char_Q`` being where a question's passage begins; they are -1 elsewhere.
    """

    ids_P: np.ndarray
    chars_P2: np.ndarray
    first: np.ndarray
    size: np.ndarray
    text_Q: np.ndarray
    passage_Q: np.ndarray
    char_Q: np.ndarray


def _tokenise(questions, tokenizer, max_question_tokens) -> _Pieces:
    backend = _backend(tokenizer)
    texts, text_Q = _distinct(question.text.lstrip() for question in questions)
    passages, passage_Q = _distinct(question.passage for question in questions)

    pair = backend.encode('a', 'a')
    a, b = (np.flatnonzero([side == i for side in pair.sequence_ids]) for i in (0, 1))
    runs = [pair.ids[: a[0]], pair.ids[a[-1] + 1 : b[0]], pair.ids[b[-1] + 1 :]]
    runs += [code.ids[:max_question_tokens] for code in _encode(backend, texts, 'question')]
    offsets = [np.full((sum(map(len, runs)), 2), -1)]
    char_first, char_size = _extents(passages)
    for number, code in enumerate(_encode(backend, passages, 'passage')):
        chars_P2 = np.array(code.offsets, np.int64).reshape(-1, 2)
        if np.any(np.diff(chars_P2[:, 0], prepend=0) < 0) or np.any(chars_P2 > char_size[number]):
            raise UserError(
                f'question {questions[np.argmax(passage_Q == number)].id!r}: the tokenizer gives '
                'character offsets that do not run along the passage; use another tokenizer'
            )
        runs.append(np.array(code.ids, np.int32))
        offsets.append(chars_P2 + char_first[number])
    first, size = _extents(runs)
    ids_P = np.concatenate([np.array(run, np.int32) for run in runs])
    chars_P2 = _trim(np.concatenate(offsets), ''.join(passages), _blank(ids_P, backend))
    text_Q, passage_Q, char_Q = text_Q + 3, passage_Q + 3 + len(texts), char_first[passage_Q]
    return _Pieces(ids_P, chars_P2, first, size, text_Q, passage_Q, char_Q)


def _encode(backend, texts: list[str], unit: str) -> Iterator:
    with tqdm(total=len(texts), desc=f'tokenise {unit}s', unit=f' {unit}s', delay=1) as bar:
        for start in range(0, len(texts), BLOCK):
            block = backend.encode_batch(texts[start : start + BLOCK], add_special_tokens=False)
            yield from block
            bar.update(len(block))


def _blank(ids_P, backend) -> np.ndarray:
    """True for pieces without a visible character, whatever their offsets claim."""
    ids, index_P = np.unique(ids_P, return_inverse=True)
    texts = (backend.decode([id_], skip_special_tokens=False) for id_ in ids.tolist())
    return np.array([not text.strip() for text in texts])[index_P]


def _trim(chars_P2, text: str, blank_P) -> np.ndarray:
    """Cuts leading spaces off pieces and gives blank pieces their place, see the module's head."""
    start_P, end_P = chars_P2.T
    spaces = [ord(char) for char in set(text) if char.isspace()]
    space = np.isin(np.frombuffer(text.encode('utf-32-le') + bytes(4), np.uint32), spaces)
    while np.any(leading_P := (start_P < end_P) & space[start_P]):
        start_P = start_P + leading_P
    blank_P = blank_P | (start_P >= end_P)
    end_P = np.maximum.accumulate(np.where(blank_P, -1, end_P))
    return np.stack([np.where(blank_P, np.maximum(start_P, end_P), start_P), end_P], axis=1)


def _cut(questions, tokenizer, size, key) -> Windows:
    pieces = _tokenise(questions, tokenizer, size.max_question_tokens)
    text_Q, passage_Q = pieces.text_Q, pieces.passage_Q
    room_Q = size.max_tokens - pieces.size[text_Q] - pieces.size[:3].sum()
    beyond_Q = np.maximum(pieces.size[passage_Q] - room_Q, 0)
    for bad_Q, problem in (
        (pieces.size[text_Q] == 0, 'no tokens in its text; write a question'),
        (pieces.size[passage_Q] == 0, 'no tokens in its passage; give it a text'),
        (room_Q < 1, 'longer than the window; raise max_tokens or lower max_question_tokens'),
        (
            (beyond_Q > 0) & (room_Q <= size.stride),
            f'stride={size.stride} must be less than the tokens a window has left for its passage; '
            'lower stride or max_question_tokens, or raise max_tokens',
        ),
    ):
        if bad_Q.any():
            raise UserError(f'question {questions[bad_Q.argmax()].id!r}: {problem}')

    # The windows of a question begin step pieces apart until one reaches the passage's end.
    step_Q = np.maximum(room_Q - size.stride, 1)
    count_Q = 1 + -(-beyond_Q // step_Q)
    question_W = np.repeat(np.arange(len(questions)), count_Q)
    skip_W = _ranges(np.zeros_like(count_Q), count_Q) * step_Q[question_W]

    # A window is five runs: special tokens, question, special tokens, passage, special tokens.
    runs_W5 = np.tile([0, 0, 1, 0, 2], (len(question_W), 1))
    runs_W5[:, 1], runs_W5[:, 3] = text_Q[question_W], passage_Q[question_W]
    first_W5, size_W5 = pieces.first[runs_W5], pieces.size[runs_W5]
    first_W5[:, 3] += skip_W
    size_W5[:, 3] = np.minimum(size_W5[:, 3] - skip_W, room_Q[question_W])
    take_T = _ranges(first_W5.ravel(), size_W5.ravel())
    past_W5 = np.cumsum(size_W5, axis=1).astype(np.int32)
    passage_W2 = past_W5[:, 2:4]
    past_W = np.cumsum(past_W5[:, 4], dtype=np.int64)

    base = np.zeros_like(pieces.size)
    base[passage_Q] = pieces.char_Q
    local_P2 = np.maximum(pieces.chars_P2 - np.repeat(base, pieces.size)[:, None], 0)
    local_P2 = np.where(pieces.chars_P2[:, :1] < 0, -1, local_P2).astype(np.int32)

    # Places of the answer's text, as spans of axis P, then in every window that holds them.
    places_O3, gold_O = _occurrences(questions)
    question_O, chars_O2 = places_O3[:, 0], places_O3[:, 1:] + pieces.char_Q[places_O3[:, :1]]
    spans_O2 = _cover(pieces.chars_P2, chars_O2)
    exact_O = np.all(pieces.chars_P2[spans_O2, [0, 1]] == chars_O2, axis=1)
    place_R = np.repeat(np.arange(len(gold_O)), count_Q[question_O])
    window_R = _ranges((np.cumsum(count_Q) - count_Q)[question_O], count_Q[question_O])
    spans_R2 = spans_O2[place_R] + (passage_W2[:, 0] - first_W5[:, 3])[window_R, None]
    lo_R, hi_R = passage_W2[window_R].T
    held_R = (lo_R <= spans_R2[:, 0]) & (spans_R2[:, 1] < hi_R) & (exact_O | gold_O)[place_R]
    place_R, rows_R3 = place_R[held_R], np.column_stack([window_R, spans_R2])[held_R]
    gold_W2 = np.full((len(question_W), 2), -1, np.int32)
    gold_W2[rows_R3[gold_O[place_R], 0]] = rows_R3[gold_O[place_R], 1:]

    return Windows(
        ids_T=pieces.ids_P[take_T],
        chars_T2=local_P2[take_T],
        bounds_W2=np.stack([past_W - past_W5[:, 4], past_W], axis=1),
        question_W2=past_W5[:, 0:2],
        passage_W2=passage_W2,
        gold_W2=gold_W2,
        question_W=question_W.astype(np.int32),
        repeats_R3=np.unique(rows_R3, axis=0).astype(np.int32),
        pad_id=tokenizer.pad_token_id,
        key=key,
    )


def _occurrences(questions) -> tuple[np.ndarray, np.ndarray]:
    """(question, start, end) of every place where the first answer's text stands; True at gold."""
    rows = []
    for number, question in enumerate(questions):
        for gold, text in question.answers[:1]:
            start = question.passage.find(text)
            while start >= 0:
                rows.append((number, start, start + len(text), start == gold))
                start = question.passage.find(text, start + 1)
    rows = np.array(rows, np.int64).reshape(-1, 4)
    return rows[:, :3], rows[:, 3].astype(bool)


def _cover(chars_P2, chars_K2) -> np.ndarray:
    """The smallest inclusive spans of visible pieces that cover [start, end) characters, or -1.

    A character of no piece (U+200B, which the normaliser drops) is not covered at an edge.
    """
    solid_R = np.flatnonzero(chars_P2[:, 0] < chars_P2[:, 1])
    start_R, end_R = (np.append(side, FAR) for side in chars_P2[solid_R].T)
    solid_R = np.append(solid_R, -1)
    start_K, end_K = chars_K2.T
    first_K = np.maximum(
        np.searchsorted(start_R, start_K, 'right') - 1, np.searchsorted(end_R, start_K, 'right')
    )
    last_K = np.minimum(
        np.searchsorted(end_R, end_K, 'left'), np.searchsorted(start_R, end_K, 'left') - 1
    )
    found_K = (start_R[first_K] < end_K) & (start_K < end_R[last_K])
    spans_K2 = np.stack([solid_R[first_K], solid_R[np.maximum(first_K, last_K)]], axis=1)
    return np.where(found_K[:, None], spans_K2, -1)


def _distinct(texts: Iterable[str]) -> tuple[list[str], np.ndarray]:
    """The distinct texts and which of them each text is."""
    numbers = {}
    index_Q = np.array([numbers.setdefault(text, len(numbers)) for text in texts])
    return list(numbers), index_Q


def _extents(runs: Sequence) -> tuple[np.ndarray, np.ndarray]:
    """First index and size of every run when all lie end to end."""
    size = np.array([len(run) for run in runs], np.int64)
    return np.cumsum(size) - size, size


def _ranges(first_R, size_R) -> np.ndarray:
    """``first, first + 1, ...`` for every run, end to end."""
    past_R = np.cumsum(size_R)
    return np.arange(size_R.sum()) + np.repeat(first_R - past_R + size_R, size_R)


def _write(folder: Path, windows: Windows) -> None:
    try:
        with replacing(folder) as part:
            part.mkdir()
            for name in ARRAYS:
                np.save(part / f'{name}.npy', getattr(windows, name))
            scalars = {'pad_id': windows.pad_id, 'key': windows.key}
            (part / 'windows.json').write_text(json.dumps(scalars))
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> UserError:
    reason = f'windows cannot be kept here ({error.strerror}); name another cache folder'
    return UserError(f'{folder.parent}: {reason}')


def _read(folder: Path) -> Windows | None:
    """The windows kept in a folder; None where there are none, or damaged ones, which go."""
    try:
        scalars = json.loads((folder / 'windows.json').read_text())
        # As plain arrays: a slice of numpy.memmap takes several times as long.
        arrays = {
            name: np.asarray(np.load(folder / f'{name}.npy', mmap_mode='r')) for name in ARRAYS
        }
        return Windows(**arrays, **scalars)
    except (OSError, EOFError, ValueError, TypeError):
        shutil.rmtree(folder, ignore_errors=True)
        return None
