"""Answers of windows to the n-best answers of questions, and the layouts they are handed out in.

It knows nothing of a reader, gold answers or scores. Answers are character spans of the original
passage, never text put together from tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from xmrc_jax.answers.candidates import shares
from xmrc_jax.data.squad import Question
from xmrc_jax.data.windows import Windows

FAR = float(np.finfo(np.float32).max)  # null odds where there is nothing to answer


@dataclass(frozen=True)
class NBest:
    """The k best answers of every question, best first by the sum of their two logits, unless a
    ``decoding`` says otherwise.

    Attributes:
      chars_QK2: int32 [start, end) characters of the passage, distinct; (-1, -1) = no more answers.
        Empty is that there is no answer, where it has its place among them (see ``with_null``).
      logits_QK2: float32 start and end logit; -inf where there is no answer.
      log_p_QK: float32 log P(z) of eq. 2 in the window that gave the answer; likewise -inf.
      null_Q3: float32 start logit, end logit and log P(z) of the first token, of the window where
        the sum of the two logits, the null score, is least.
    """

    chars_QK2: np.ndarray
    logits_QK2: np.ndarray
    log_p_QK: np.ndarray
    null_Q3: np.ndarray

    @property
    def null_odds_Q(self) -> np.ndarray:
        """float64 null score minus that of the best answer, as run_qa has it; finite.

        Where spans alone are listed: it says what speaks against the best of them.
        """
        odds_Q = self._null_score_Q - self._score_QK.max(axis=1)
        return np.nan_to_num(odds_Q, posinf=FAR, neginf=-FAR)

    @property
    def _score_QK(self) -> np.ndarray:
        return self.logits_QK2.sum(axis=2, dtype=np.float64)

    @property
    def _null_score_Q(self) -> np.ndarray:
        return self.null_Q3[:, :2].sum(axis=1, dtype=np.float64)

    def with_null(self, threshold: float) -> tuple['NBest', np.ndarray]:
        """The same with 'there is no answer' at its rank among the answers of each question.

        Its score is the null score less the threshold: so it is the best where the null odds pass
        the threshold, the official rule. Its characters are (0, 0), and its logits as they are.

        Args:
          threshold: see ``no_answer``.

        Returns:
          As many answers as before, and order_QK, the rank that each had; K, that of none, is the
          null's.
        """
        null_Q1 = self._null_score_Q[:, None] - threshold
        # However the answers are ranked, the null is the best where no answer reaches it.
        from_here_QK = np.maximum.accumulate(self._score_QK[:, ::-1], axis=1)[:, ::-1]
        ahead_Q1 = (from_here_QK >= null_Q1).sum(axis=1, keepdims=True)
        rank_K = np.arange(self.logits_QK2.shape[1])
        order_QK = np.where(rank_K == ahead_Q1, len(rank_K), rank_K - (rank_K > ahead_Q1))

        def placed(answers, null):
            index = np.expand_dims(order_QK, tuple(range(2, answers.ndim)))
            return np.take_along_axis(np.concatenate([answers, null], axis=1), index, axis=1)

        null_Q13 = self.null_Q3[:, None]
        ranked = NBest(
            placed(self.chars_QK2, np.zeros((len(order_QK), 1, 2), np.int32)),
            placed(self.logits_QK2, null_Q13[..., :2]),
            placed(self.log_p_QK, null_Q13[..., 2]),
            self.null_Q3,
        )
        return ranked, order_QK


def merge(
    windows: Windows,
    spans_WK2: np.ndarray,
    logits_WK2: np.ndarray,
    log_p_WK: np.ndarray,
    null_W3: np.ndarray,
    *,
    questions: int,
    k: int,
) -> NBest:
    """Merges the answers of each question's windows.

    The same characters found twice count once, with the better score; spans without text are
    dropped; equal scores are ordered by start, then by end.

    Args:
      windows: what was read.
      spans_WK2: int32 inclusive (start, end) tokens in each window; (-1, -1) = none.
      logits_WK2: float32 start and end logits.
      log_p_WK: float32 log P(z).
      null_W3: the first token's.
      questions: number of questions Q.
      k: answers per question; may differ from the spans per window.
    """
    # Axis C: the spans of all windows; axis X: distinct answers, ranked within their question.
    window_C, slot_C = np.nonzero(spans_WK2[..., 0] >= 0)
    tokens_C2 = windows.bounds_W2[window_C, :1] + spans_WK2[window_C, slot_C]
    chars_C2 = np.stack(
        [windows.chars_T2[tokens_C2[:, 0], 0], windows.chars_T2[tokens_C2[:, 1], 1]], axis=-1
    )
    real_C = chars_C2[:, 0] < chars_C2[:, 1]
    window_C, slot_C, chars_C2 = window_C[real_C], slot_C[real_C], chars_C2[real_C]
    question_C = windows.question_W[window_C]
    logits_C2 = logits_WK2[window_C, slot_C]
    score_C = logits_C2.sum(axis=1)
    place_C = chars_C2[:, 0].astype(np.int64) << 32 | chars_C2[:, 1]

    best_first = np.lexsort((-score_C, place_C, question_C))
    best_first = best_first[_changes(question_C[best_first], place_C[best_first])]
    ranking = best_first[np.lexsort((-score_C[best_first], question_C[best_first]))]
    kept_X, at = _ranks(question_C[ranking], k)
    kept = ranking[kept_X]
    nbest = _none(questions, k)
    nbest.chars_QK2[at] = chars_C2[kept]
    nbest.logits_QK2[at] = logits_C2[kept]
    nbest.log_p_QK[at] = log_p_WK[window_C, slot_C][kept]
    nbest.null_Q3[:] = _least(null_W3, windows.question_W, questions)
    return nbest


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
    best, question_EK = _none(pools, k), np.full((pools, k), -1, np.int32)
    best.chars_QK2[at] = nbest.chars_QK2[kept]
    best.logits_QK2[at] = nbest.logits_QK2[kept]
    best.log_p_QK[at] = nbest.log_p_QK[kept]
    question_EK[at] = kept[0]
    best.null_Q3[:] = _least(nbest.null_Q3, pool_Q, pools)
    return best, question_EK


def _none(questions: int, k: int) -> NBest:
    """Of questions without any answer."""
    return NBest(
        np.full((questions, k, 2), -1, np.int32),
        np.full((questions, k, 2), -np.inf, np.float32),
        np.full((questions, k), -np.inf, np.float32),
        np.full((questions, 3), -np.inf, np.float32),
    )


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


def texts(questions: Sequence[Question], nbest: NBest) -> dict[str, list[str]]:
    """The answers of each question id, best first: slices of its passage."""
    return {
        question.id: [question.passage[start:end] for start, end in chars_K2 if start >= 0]
        for question, chars_K2 in zip(questions, nbest.chars_QK2.tolist(), strict=True)
    }


def predictions(questions: Sequence[Question], nbest: NBest) -> dict[str, str]:
    """The best answer of each question id, in the official layout; '' where there is none."""
    return {id_: next(iter(answers), '') for id_, answers in texts(questions, nbest).items()}


def null_odds(questions: Sequence[Question], nbest: NBest) -> dict[str, float]:
    """The null odds of each question id, as run_qa's ``null_odds.json`` has them."""
    ids = (question.id for question in questions)
    return dict(zip(ids, nbest.null_odds_Q.tolist(), strict=True))


class Found(NamedTuple):
    """One of the n-best answers.

    Attributes:
      start: its first character in the passage.
      end: the character behind its last.
      start_logit: of its first token.
      end_logit: of its last token.
      probability: run_qa's, the softmax of start + end logit over the answers listed.
      log_p: log P(z) of eq. 2 in the window that gave it.
      confidence: how likely it is right; None where the reader is not calibrated.
    """

    start: int
    end: int
    start_logit: float
    end_logit: float
    probability: float
    log_p: float
    confidence: float | None


def found(nbest: NBest, confidence_QK: np.ndarray | None = None) -> list[list[Found]]:
    """The answers of each question, best first, with the confidences that a calibration gives."""
    if confidence_QK is None:
        confidence_QK = np.full(nbest.log_p_QK.shape, None)
    numbers_7QK = (
        *np.moveaxis(nbest.chars_QK2, 2, 0),
        *np.moveaxis(nbest.logits_QK2, 2, 0),
        shares(nbest.logits_QK2),
        nbest.log_p_QK,
        confidence_QK,
    )
    columns = [number_QK.tolist() for number_QK in numbers_7QK]
    return [
        [Found(*numbers) for numbers in zip(*answers_7K, strict=True) if numbers[0] >= 0]
        for answers_7K in zip(*columns, strict=True)
    ]


def nbest_json(
    questions: Sequence[Question], nbest: NBest, confidence_QK: np.ndarray | None = None
) -> dict[str, list[dict]]:
    """The n-best answers of each question id in run_qa's layout.

    Returns:
      `{id: [{start_logit, end_logit, text, probability, start, end}, ...]}`, best first,
      with a `confidence` where the reader is calibrated. Differs from run_qa in the characters
      [start, end) of the passage, and where there is no answer: the list is empty, without the
      invented answer 'empty'.
    """
    listed = {}
    for question, answers in zip(questions, found(nbest, confidence_QK), strict=True):
        listed[question.id] = own = []
        for each in answers:
            text = question.passage[each.start : each.end]
            logits = {'start_logit': each.start_logit, 'end_logit': each.end_logit}
            place = {'start': each.start, 'end': each.end}
            own.append(logits | {'text': text, 'probability': each.probability} | place)
            if confidence_QK is not None:
                own[-1]['confidence'] = each.confidence
    return listed
