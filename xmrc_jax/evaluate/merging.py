"""Answers of windows to the n-best answers of questions, and theirs to those of pools."""

from dataclasses import replace

import numpy as np

from xmrc_jax.data.windows import Windows
from xmrc_jax.evaluate.nbest import NBest


def merge(windows: Windows, spans: NBest, *, questions: int, k: int) -> NBest:
    """Merges the answers of each question's windows.

    The same characters found twice count once, with the better score; spans without text are
    dropped; equal scores are ordered by start, then by end.

    Args:
      windows: what was read.
      spans: answers of each window, as if it were a question, with inclusive (start, end) tokens in
        the place of characters.
      questions: number of questions Q.
      k: answers per question; may differ from the spans per window.
    """
    chars_WK2, real_WK = _characters(windows, spans.chars_QK2)
    found = replace(
        spans,
        chars_QK2=np.where(real_WK[..., None], chars_WK2, -1),
        logits_QK2=np.where(real_WK[..., None], spans.logits_QK2, -np.inf),
        log_p_QK=np.where(real_WK, spans.log_p_QK, -np.inf),
    )
    score_WK = found.logits_QK2.sum(axis=2)
    place_WK = chars_WK2[..., 0].astype(np.int64) << 32 | chars_WK2[..., 1]
    alone_W = np.bincount(windows.question_W)[windows.question_W] == 1
    ranked_W = alone_W & _ranked(score_WK, place_WK, real_WK)
    nbest = none(questions, k)

    own_O, most = np.flatnonzero(ranked_W), slice(min(k, real_WK.shape[1]))
    _put(nbest, (windows.question_W[own_O], most), found, (own_O, most))

    # Axis C: the spans of the other windows; axis X: distinct ones, ranked within their question.
    window_C, slot_C = np.nonzero(real_WK & ~ranked_W[:, None])
    of_C = window_C, slot_C
    question_C, score_C, place_C = windows.question_W[window_C], score_WK[of_C], place_WK[of_C]
    best_first = np.lexsort((-score_C, place_C, question_C))
    best_first = best_first[_changes(question_C[best_first], place_C[best_first])]
    ranking = best_first[np.lexsort((-score_C[best_first], question_C[best_first]))]
    kept_X, at = _ranks(question_C[ranking], k)
    _put(nbest, at, found, (window_C[ranking][kept_X], slot_C[ranking][kept_X]))
    nbest.null_Q3[:] = _least(spans.null_Q3, windows.question_W, questions)
    return nbest


def _characters(windows: Windows, spans_WK2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int32 [start, end) characters of spans, and which of them are spans with text."""
    tokens_WK2 = windows.bounds_W2[:, None, :1] + np.maximum(spans_WK2, 0)
    sides = (windows.chars_T2[:, side][tokens_WK2[..., side]] for side in (0, 1))
    chars_WK2 = np.stack([*sides], axis=-1)
    return chars_WK2, (spans_WK2[..., 0] >= 0) & (chars_WK2[..., 0] < chars_WK2[..., 1])


def _ranked(score_WK: np.ndarray, place_WK: np.ndarray, real_WK: np.ndarray) -> np.ndarray:
    """Which windows have distinct answers, each with less score than the one before it.

    Most have: then nothing is left to be sorted.
    """
    falls_WK = (score_WK[:, 1:] < score_WK[:, :-1]) & real_WK[:, :-1]
    sorted_WK = np.sort(np.where(real_WK, place_WK, ~np.arange(real_WK.shape[1])), axis=1)
    distinct_W = (sorted_WK[:, 1:] != sorted_WK[:, :-1]).all(axis=1)
    return (falls_WK | ~real_WK[:, 1:]).all(axis=1) & distinct_W


def _least(null_I3: np.ndarray, group_I: np.ndarray, groups: int) -> np.ndarray:
    """Of each group the row whose two logits have the least sum; the first of equals."""
    order = np.lexsort((null_I3[:, :2].sum(axis=1), group_I))
    first = order[_changes(group_I[order])]
    least = np.full((groups, 3), -np.inf, np.float32)
    least[group_I[first]] = null_I3[first]
    return least


def pooled(nbest: NBest, pool_Q: np.ndarray, pools: int) -> tuple[NBest, np.ndarray]:
    """The n-best answers of pools of questions: one that is asked of several passages is a pool.

    Of equal scores the answer to the earlier question comes first.

    Args:
      nbest: of all the questions.
      pool_Q: the pool of each.
      pools: their number E.

    Returns:
      The answers of each pool, as many as ``nbest`` has of a question, and question_EK, the
      question that each answers; -1 where there is no answer.
    """
    k = nbest.chars_QK2.shape[1]
    question_X, slot_X = np.nonzero(nbest.chars_QK2[..., 0] >= 0)
    score_X = nbest.logits_QK2[question_X, slot_X].sum(axis=1)
    ranking = np.lexsort((-score_X, pool_Q[question_X]))
    kept_X, at = _ranks(pool_Q[question_X[ranking]], k)
    kept = question_X[ranking][kept_X], slot_X[ranking][kept_X]
    best, question_EK = none(pools, k), np.full((pools, k), -1, np.int32)
    _put(best, at, nbest, kept)
    question_EK[at] = kept[0]
    best.null_Q3[:] = _least(nbest.null_Q3, pool_Q, pools)
    return best, question_EK


def none(questions: int, k: int) -> NBest:
    """Of questions without any answer, to be filled in."""
    return NBest(
        np.full((questions, k, 2), -1, np.int32),
        np.full((questions, k, 2), -np.inf, np.float32),
        np.full((questions, k), -np.inf, np.float32),
        np.full((questions, 3), -np.inf, np.float32),
    )


def _put(nbest: NBest, at: tuple, found: NBest, kept: tuple) -> None:
    """Answers that are kept, to their places by question and rank."""
    nbest.chars_QK2[at] = found.chars_QK2[kept]
    nbest.logits_QK2[at] = found.logits_QK2[kept]
    nbest.log_p_QK[at] = found.log_p_QK[kept]


def _ranks(question_X: np.ndarray, k: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Which answers, sorted by question and best first, are kept; their question and rank."""
    first_X = np.flatnonzero(_changes(question_X))
    rank_X = np.arange(len(question_X)) - np.repeat(
        first_X, np.diff(first_X, append=len(question_X))
    )
    kept_X = rank_X < k
    return kept_X, (question_X[kept_X], rank_X[kept_X])


def _changes(*keys_C: np.ndarray) -> np.ndarray:
    """True where a row of the keys differs from the row before it; True at the first."""
    changed_C = np.ones(len(keys_C[0]), bool)
    changed_C[1:] = np.any([key_C[1:] != key_C[:-1] for key_C in keys_C], axis=0)
    return changed_C
