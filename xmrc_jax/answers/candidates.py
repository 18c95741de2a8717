"""The mined set Z: the k best answers of the base reader to every training question.

Owns what its parts on disk hold (``parts`` has their folder), the gold's place in Z (footnote 1 of
Chen et al. 2022) and the way from characters of a passage to token spans of its windows. Knows no
JAX and no reader: answers come as character spans, windows by ``question_W`` and ``locate``.
"""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xmrc_jax.answers.parts import Binding, Parts, damaged
from xmrc_jax.ground.choices import choose
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import write_bytes

SIZES = ('questions', 'k', 'block')


class Mining:
    """A mined set in the making, or finished when nothing is ``missing``.

    What is mined is ``chars_QK2``: int32 [start, end) characters of the passage of the k best
    answers to each question, best first; (-1, -1) where there are fewer.

    Args:
      folder: where it lies; one that was begun before is gone on with.
      binding: what it is mined from.
      questions: how many questions there are.
      k: candidates per question.
      block: questions per part.

    Raises:
      UserError: the folder holds a set of another binding or size, is damaged or not writable.
    """

    def __init__(self, folder: str | Path, binding: Binding, *, questions: int, k: int, block: int):
        size = dict(zip(SIZES, (questions, k, block), strict=True))
        self._parts = Parts.begun(folder, binding, size, '.npz')
        self.blocks, self.missing = self._parts.blocks, self._parts.missing

    def write(self, rows: slice, chars_QK2: np.ndarray) -> None:
        """Keeps the candidates of one of the ``missing`` blocks."""
        buffer = io.BytesIO()
        np.savez(buffer, chars_QK2=chars_QK2)
        write_bytes(self._parts.path(rows), buffer.getvalue())


def read(folder: str | Path, binding: Binding) -> np.ndarray:
    """Reads ``chars_QK2`` of a mined set, if it was mined from what ``binding`` says.

    Raises:
      UserError: it is absent, unfinished, damaged, or bound to another checkpoint, tokenizer or
        text, which the line names.
    """
    kept = Parts.finished(folder, binding, SIZES, '.npz')
    parts = [_read_part(kept.path(rows), rows, kept.size['k']) for rows in kept.blocks]
    return np.concatenate(parts)


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


def merge(mined: Sequence[np.ndarray], fold_Q: np.ndarray) -> np.ndarray:
    """Puts the folds' candidates back in the order of the questions.

    Args:
      mined: per fold, the candidates of its questions in their order.
      fold_Q: from ``folds``.
    """
    order_Q = np.argsort(np.argsort(fold_Q, kind='stable'), kind='stable')
    return np.concatenate(mined)[order_Q]


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


def _read_part(path: Path, rows: slice, k: int) -> np.ndarray:
    try:
        with np.load(path) as arrays:
            part = arrays['chars_QK2']
        if part.shape != (rows.stop - rows.start, k, 2):
            raise ValueError('another size')
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise damaged(path) from error
    return part
