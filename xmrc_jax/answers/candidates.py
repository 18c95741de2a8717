"""The mined set Z: the k best answers of the base reader to every training question.

Owns what its parts on disk hold (``parts`` has their folder), the gold's place in Z (footnote 1 of
Chen et al. 2022) and the way from characters of a passage to token spans of its windows. Knows no
JAX and no reader: answers come as character spans, windows by ``question_W`` and ``locate``.
"""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from xmrc_jax.answers.parts import Binding, Parts, damaged
from xmrc_jax.ground.choices import choose
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import write_bytes

SIZES = ('questions', 'k', 'block')


class Candidates(NamedTuple):
    """The k best answers to each question, best first.

    chars_QK2: int32 [start, end) characters of the passage; (-1, -1) where there are fewer than k.
    probability_QK: float32, their shares of one among the k; 0 where there is none.
    """

    chars_QK2: np.ndarray
    probability_QK: np.ndarray


def from_logits(chars_QK2: np.ndarray, logits_QK2: np.ndarray) -> Candidates:
    """Candidates of an n-best list, with the softmax of start + end logits over the k best.

    As in run_qa's n-best files; not the share among all spans of the passage.

    Example:
      >>> chars = np.array([[[0, 4], [5, 9], [-1, -1]]])
      >>> logits = np.log([[[3.0, 2.0], [2.0, 1.0], [1.0, 1.0]]])  # weights 6 and 2, and no third
      >>> from_logits(chars, logits).probability_QK.tolist()
      [[0.75, 0.25, 0.0]]
    """
    found_QK = chars_QK2[..., 0] >= 0
    share_QK = shares(np.where(found_QK[..., None], logits_QK2, -np.inf))
    return Candidates(chars_QK2.astype(np.int32), share_QK.astype(np.float32))


def shares(logits_QK2: np.ndarray) -> np.ndarray:
    """Softmax of start + end logit over the k best: float64 [Q, K]; 0 where they are -inf."""
    score_QK = logits_QK2.sum(axis=-1, dtype=np.float64)
    lowest = np.finfo(np.float64).min  # of a question without any answer
    weight_QK = np.exp(score_QK - score_QK.max(axis=1, keepdims=True, initial=lowest))
    return weight_QK / np.maximum(weight_QK.sum(axis=1, keepdims=True), 1.0)  # the best weighs 1


class Mining:
    """A mined set in the making, or finished when nothing is ``missing``.

    Args:
      folder: where it lies; one that was begun before is gone on with.
      binding: what it is mined from.
      questions: how many questions there are.
      k: candidates per question.
      block: questions per part.

    Raises:
      UserError: the folder holds a set of another binding or size, is damaged or not writable.
    """

    def __init__(
        self, folder: str | Path, binding: Binding, *, questions: int, k: int, block: int = 4096
    ):
        size = dict(zip(SIZES, (questions, k, block), strict=True))
        self._parts = Parts.begun(folder, binding, size, '.npz')
        self.blocks, self.missing = self._parts.blocks, self._parts.missing

    def write(self, rows: slice, candidates: Candidates) -> None:
        """Keeps the candidates of one of the ``missing`` blocks."""
        buffer = io.BytesIO()
        np.savez(buffer, **candidates._asdict())
        write_bytes(self._parts.path(rows), buffer.getvalue())


def write(folder: str | Path, candidates: Candidates, binding: Binding) -> None:
    """Writes a whole mined set at once. Raises as ``Mining``."""
    questions, k, _ = candidates.chars_QK2.shape
    mining = Mining(folder, binding, questions=questions, k=k, block=questions)
    mining.write(slice(0, questions), candidates)


def read(folder: str | Path, binding: Binding) -> Candidates:
    """Reads a mined set, if it was mined from what ``binding`` says.

    Raises:
      UserError: it is absent, unfinished, damaged, or bound to another checkpoint, tokenizer or
        text, which the line names.
    """
    kept = Parts.finished(folder, binding, SIZES, '.npz')
    parts = [_read_part(kept.path(rows), rows, kept.size['k']) for rows in kept.blocks]
    return Candidates(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def folds(questions: int, folds: int, seed: int, group_Q: Sequence | None = None) -> np.ndarray:
    """The fold of every question, int32 [Q]: each fold is mined by a reader trained on the others.

    Args:
      questions: Q.
      folds: how many.
      seed: of the shuffle; the same arguments always give the same folds.
      group_Q: questions of one group (a passage, an article) share a fold; by default each
        question is its own. Folds have equally many groups, up to one.

    Raises:
      UserError: fewer groups than folds.
    """
    groups, group_Q = np.unique(
        np.arange(questions) if group_Q is None else group_Q, return_inverse=True
    )
    if not 1 <= folds <= len(groups):
        raise UserError(
            f'mine.folds={folds}: questions are of {len(groups)} passages, a passage and its '
            'translations counted once; choose fewer folds'
        )
    fold_G = np.random.default_rng(seed).permutation(len(groups)) % folds
    return fold_G[group_Q].astype(np.int32)


def merge(mined: Sequence[Candidates], fold_Q: np.ndarray) -> Candidates:
    """Puts the folds' candidates back in the order of the questions.

    Args:
      mined: per fold, the candidates of its questions in their order.
      fold_Q: from ``folds``.
    """
    order_Q = np.argsort(np.argsort(fold_Q, kind='stable'), kind='stable')
    return Candidates(*(np.concatenate(arrays)[order_Q] for arrays in zip(*mined, strict=True)))


def _gold_last(chars_QK2, rank_Q, gold_Q2):
    slot_K = np.arange(chars_QK2.shape[1] - 1)
    slot_QK = slot_K + (slot_K >= rank_Q[:, None])  # the others close up in rank order
    others_QK2 = np.take_along_axis(chars_QK2, slot_QK[..., None], axis=1)
    return np.concatenate([others_QK2, gold_Q2[:, None]], axis=1)


def _gold_by_rank(chars_QK2, rank_Q, gold_Q2):
    chars_QK2[np.arange(len(rank_Q)), rank_Q] = gold_Q2
    return chars_QK2


PLACES = {'last': _gold_last, 'by_rank': _gold_by_rank}


def membership(
    chars_QK2: np.ndarray, gold_Q2: np.ndarray, *, k: int | None = None, place: str = 'last'
) -> np.ndarray:
    """Z of every question: the k best of the mined answers, the gold among them exactly once.

    Where the gold is not among the k best it replaces the last of them (footnote 1, Chen et al.
    2022).

    Args:
      chars_QK2: mined answers, best first.
      gold_Q2: [start, end) characters of the gold answer, those that its tokens say: else it is not
        found among mined answers, which end where tokens do.
      k: size of Z; by default all that were mined.
      place: ``last`` stores the gold in the last slot and keeps the others in rank order, so that
        a slot has one meaning; ``by_rank`` leaves it at its rank.

    Returns:
      int32 [Q, k, 2], (-1, -1) where there are fewer.

    Raises:
      UserError: more than were mined, or an unknown place.

    Example:
      >>> mined = np.array([[[0, 4], [5, 9], [0, 9]]])
      >>> membership(mined, np.array([[0, 4]])).tolist()
      [[[5, 9], [0, 9], [0, 4]]]
      >>> membership(mined, np.array([[2, 3]])).tolist()  # not found: in place of (0, 9)
      [[[0, 4], [5, 9], [2, 3]]]
    """
    mined = chars_QK2.shape[1]
    k = mined if k is None else k
    if not 1 <= k <= mined:
        raise UserError(
            f'|Z| = {k}: must lie between 1 and the {mined} mined; mine with a larger k'
        )
    chars_QK2 = chars_QK2[:, :k].astype(np.int32)
    gold_Q2 = np.asarray(gold_Q2, np.int32)
    found_QK = (chars_QK2 == gold_Q2[:, None]).all(axis=-1)
    rank_Q = np.where(found_QK.any(axis=1), found_QK.argmax(axis=1), k - 1)
    return choose(PLACES, place, 'place of the gold in Z')(chars_QK2, rank_Q, gold_Q2)


def join(chars_QK2: np.ndarray, windows) -> tuple[np.ndarray, np.ndarray]:
    """The candidates of every window: those of its question, as tokens of that window.

    Z belongs to a question and its windows share it; a candidate that does not lie wholly inside
    a window is not valid there. Nor is one that covers the same tokens as a later one, as when
    several tokens share a character: the last is kept, which is the gold's place then.

    Args:
      chars_QK2: Z of every question, from ``membership``.
      windows: with ``question_W`` and ``locate(window, chars_K2) -> spans_K2``.

    Returns:
      int32 inclusive spans_WK2, (-1, -1) where not valid, and bool valid_WK.
    """
    spans_WK2 = np.empty((len(windows.question_W), *chars_QK2.shape[1:]), np.int32)
    for window, question in enumerate(windows.question_W):
        spans_WK2[window] = windows.locate(window, chars_QK2[question])
    valid_WK = spans_WK2[..., 0] >= 0
    for later in range(1, spans_WK2.shape[1]):
        same_WK = (spans_WK2[:, :later] == spans_WK2[:, later : later + 1]).all(axis=-1)
        valid_WK[:, :later] &= ~same_WK
    return np.where(valid_WK[..., None], spans_WK2, -1), valid_WK


def _read_part(path: Path, rows: slice, k: int) -> Candidates:
    questions = rows.stop - rows.start
    try:
        with np.load(path) as arrays:
            part = Candidates(**arrays)
        if [array.shape for array in part] != [(questions, k, 2), (questions, k)]:
            raise ValueError('another size')
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise damaged(path) from error
    return part
