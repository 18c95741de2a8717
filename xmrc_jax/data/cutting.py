"""Questions and passages to tokens, and tokens to windows: where each begins, what each holds.

Owns the cut into overlapping windows and the template of special tokens; all its results are plain
arrays. Which characters a token has and which tokens an answer has is for ``offsets`` to say.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedTokenizerFast

from xmrc_jax.data.offsets import cover, occurrences, trimmed
from xmrc_jax.data.squad import Question
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.progress import progress

BLOCK = 1000  # texts between two updates of the progress bar


def backend_of(tokenizer: PreTrainedTokenizerFast):
    """Without truncation and padding, which transformers sets anew at every call of its own."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    return backend


class _Pieces(NamedTuple):
    """Every distinct text tokenised once: runs of tokens, end to end on axis U.

    The first three runs are the special tokens before, between and after question and passage;
    ``text_Q`` and ``passage_Q`` name the runs of a question. Characters count through all passages
    end to end, ``char_Q`` being where a question's passage begins; they are -1 elsewhere.
    """

    ids_U: np.ndarray
    chars_U2: np.ndarray
    first: np.ndarray
    size: np.ndarray
    text_Q: np.ndarray
    passage_Q: np.ndarray
    char_Q: np.ndarray


def _tokenised(questions, tokenizer, max_question_tokens) -> _Pieces:
    backend = backend_of(tokenizer)
    texts, text_Q = _distinct(question.text.lstrip() for question in questions)
    passages, passage_Q = _distinct(question.passage for question in questions)

    pair = backend.encode('a', 'a')
    a, b = (np.flatnonzero([side == i for side in pair.sequence_ids]) for i in (0, 1))
    runs = [pair.ids[: a[0]], pair.ids[a[-1] + 1 : b[0]], pair.ids[b[-1] + 1 :]]
    if any(runs) and not runs[1]:
        raise UserError(
            f'{tokenizer.name_or_path}: the tokenizer puts nothing between question and passage; '
            'give its tokenizer.json a template for pairs'
        )
    runs += [code.ids[:max_question_tokens] for code in encoded(backend, texts, 'question')]
    offsets = [np.full((sum(map(len, runs)), 2), -1)]
    char_first, char_size = _extents(passages)
    for number, code in enumerate(encoded(backend, passages, 'passage')):
        chars_U2 = np.array(code.offsets, np.int64).reshape(-1, 2)
        if np.any(np.diff(chars_U2[:, 0], prepend=0) < 0) or np.any(chars_U2 > char_size[number]):
            raise UserError(
                f'question {questions[np.argmax(passage_Q == number)].id!r}: the tokenizer gives '
                'character offsets that do not run along the passage; use another tokenizer'
            )
        runs.append(np.array(code.ids, np.int32))
        offsets.append(chars_U2 + char_first[number])
    first, size = _extents(runs)
    ids_U = np.concatenate([np.array(run, np.int32) for run in runs])
    chars_U2 = trimmed(np.concatenate(offsets), ''.join(passages), _blank(ids_U, backend))
    text_Q, passage_Q, char_Q = text_Q + 3, passage_Q + 3 + len(texts), char_first[passage_Q]
    return _Pieces(ids_U, chars_U2, first, size, text_Q, passage_Q, char_Q)


def encoded(backend, texts: list[str], unit: str) -> Iterator:
    """The encodings of texts, with a progress bar that counts them as ``unit``."""
    with progress(total=len(texts), desc=f'tokenise {unit}s', unit=f' {unit}s', delay=1) as bar:
        for start in range(0, len(texts), BLOCK):
            block = backend.encode_batch(texts[start : start + BLOCK], add_special_tokens=False)
            yield from block
            bar.update(len(block))


def _blank(ids_U, backend) -> np.ndarray:
    """True for pieces without a visible character, whatever their offsets claim."""
    ids, index_U = np.unique(ids_U, return_inverse=True)
    texts = (backend.decode([id_], skip_special_tokens=False) for id_ in ids.tolist())
    return np.array([not text.strip() for text in texts])[index_U]


def cut(
    questions: Sequence[Question],
    tokenizer: PreTrainedTokenizerFast,
    *,
    max_tokens: int,
    stride: int,
    max_question_tokens: int,
) -> dict[str, np.ndarray]:
    """The arrays of ``windows.Windows`` by name; see ``windows.build``."""
    pieces = _tokenised(questions, tokenizer, max_question_tokens)
    text_Q, passage_Q = pieces.text_Q, pieces.passage_Q
    room_Q = max_tokens - pieces.size[text_Q] - pieces.size[:3].sum()
    beyond_Q = np.maximum(pieces.size[passage_Q] - room_Q, 0)
    _check(questions, pieces, room_Q, beyond_Q, stride)

    # The windows of a question begin step pieces apart until one reaches the passage's end.
    step_Q = np.maximum(room_Q - stride, 1)
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
    local_U2 = np.maximum(pieces.chars_U2 - np.repeat(base, pieces.size)[:, None], 0)
    local_U2 = np.where(pieces.chars_U2[:, :1] < 0, -1, local_U2).astype(np.int32)

    shift_W = passage_W2[:, 0] - first_W5[:, 3]  # from axis U to tokens of the window
    gold_W2, repeats_C3 = _answers(questions, pieces, count_Q, step_Q, room_Q, shift_W)

    return {
        'ids_T': pieces.ids_U[take_T],
        'chars_T2': local_U2[take_T],
        'bounds_W2': np.stack([past_W - past_W5[:, 4], past_W], axis=1),
        'question_W2': past_W5[:, 0:2],
        'passage_W2': passage_W2,
        'gold_W2': gold_W2,
        'question_W': question_W.astype(np.int32),
        'repeats_C3': repeats_C3,
    }


def _check(questions, pieces: _Pieces, room_Q, beyond_Q, stride) -> None:
    """UserError for the first question that cannot be cut."""
    text_Q, passage_Q = pieces.text_Q, pieces.passage_Q
    for bad_Q, problem in (
        (pieces.size[text_Q] == 0, 'no tokens in its text; write a question'),
        (pieces.size[passage_Q] == 0, 'no tokens in its passage; give it a text'),
        (room_Q < 1, 'longer than the window; raise max_tokens or lower max_question_tokens'),
        (
            (beyond_Q > 0) & (room_Q <= stride),
            f'stride={stride} must be less than the tokens a window has left for its passage; '
            'lower stride or max_question_tokens, or raise max_tokens',
        ),
    ):
        if bad_Q.any():
            raise UserError(f'question {questions[bad_Q.argmax()].id!r}: {problem}')


def _answers(questions, pieces: _Pieces, count_Q, step_Q, room_Q, shift_W):
    """gold_W2 and repeats_C3: the answer's text as spans of axis U, then in its windows."""
    places_O3, gold_O = occurrences(questions)
    question_O, chars_O2 = places_O3[:, 0], places_O3[:, 1:] + pieces.char_Q[places_O3[:, :1]]
    spans_O2 = cover(pieces.chars_U2, chars_O2)
    exact_O = np.all(pieces.chars_U2[spans_O2, [0, 1]] == chars_O2, axis=1)
    said_O = (spans_O2[:, 0] >= 0) & (exact_O | gold_O)

    # Those windows of a question hold a span that begin before it and do not end within it.
    first_O, last_O = spans_O2.T - pieces.first[pieces.passage_Q[question_O]]
    step_O = step_Q[question_O]
    lo_O = np.maximum(-((room_Q[question_O] - 1 - last_O) // step_O), 0)
    hi_O = np.minimum(first_O // step_O, count_Q[question_O] - 1)
    held_O = np.where(said_O, np.maximum(hi_O - lo_O + 1, 0), 0)

    place_C = np.repeat(np.arange(len(gold_O)), held_O)
    window_C = _ranges((np.cumsum(count_Q) - count_Q)[question_O] + lo_O, held_O)
    copies_C3 = np.column_stack([window_C, spans_O2[place_C] + shift_W[window_C, None]])
    gold_W2 = np.full((len(shift_W), 2), -1, np.int32)
    gold_W2[window_C[gold_O[place_C]]] = copies_C3[gold_O[place_C], 1:]
    return gold_W2, np.unique(copies_C3, axis=0).astype(np.int32)


def _distinct(texts: Iterable[str]) -> tuple[list[str], np.ndarray]:
    """The distinct texts and which of them each text is."""
    numbers = {}
    index_Q = np.array([numbers.setdefault(text, len(numbers)) for text in texts])
    return list(numbers), index_Q


def _extents(runs: Sequence) -> tuple[np.ndarray, np.ndarray]:
    """First index and size of every run when all lie end to end."""
    size = np.array([len(run) for run in runs], np.int64)
    return np.cumsum(size) - size, size


def _ranges(first_I, size_I) -> np.ndarray:
    """``first, first + 1, ...`` for every run, end to end."""
    past_I = np.cumsum(size_I)
    return np.arange(size_I.sum()) + np.repeat(first_I - past_I + size_I, size_I)
