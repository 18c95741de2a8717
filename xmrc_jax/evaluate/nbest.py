"""The n-best answers of questions, and the layouts they are handed out in.

It knows nothing of a reader, gold answers or scores. Answers are character spans of the original
passage, never text put together from tokens.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from xmrc_jax.data.squad import Question

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

        null_Q13 = self.null_Q3[:, None]
        with_last = NBest(
            np.concatenate([self.chars_QK2, np.zeros_like(null_Q13[..., :2], np.int32)], axis=1),
            np.concatenate([self.logits_QK2, null_Q13[..., :2]], axis=1),
            np.concatenate([self.log_p_QK, null_Q13[..., 2]], axis=1),
            self.null_Q3,
        )
        return with_last.ordered(order_QK), order_QK

    def ordered(self, order_QK: np.ndarray) -> 'NBest':
        """The answers whose ranks these are, in this order."""
        return replace(
            self,
            chars_QK2=np.take_along_axis(self.chars_QK2, order_QK[..., None], axis=1),
            logits_QK2=np.take_along_axis(self.logits_QK2, order_QK[..., None], axis=1),
            log_p_QK=np.take_along_axis(self.log_p_QK, order_QK, axis=1),
        )


def shares(logits_QK2: np.ndarray) -> np.ndarray:
    """Softmax of start + end logit over the k best: float64 [Q, K]; 0 where they are -inf.

    As in run_qa's n-best files; not the share among all spans of the passage.

    Example:
      >>> shares(np.log([[[3.0, 2.0], [2.0, 1.0]]])).round(2).tolist()  # 6 and 2 of 8
      [[0.75, 0.25]]
    """
    score_QK = logits_QK2.sum(axis=-1, dtype=np.float64)
    lowest = np.finfo(np.float64).min  # of a question without any answer
    weight_QK = np.exp(score_QK - score_QK.max(axis=1, keepdims=True, initial=lowest))
    return weight_QK / np.maximum(weight_QK.sum(axis=1, keepdims=True), 1.0)  # the best weighs 1


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
) -> str:
    """The n-best answers of each question id in run_qa's layout, as the text of a JSON file.

    Returns:
      `{id: [{start_logit, end_logit, text, probability, start, end}, ...]}`, best first,
      with a `confidence` where the reader is calibrated. Differs from run_qa in the characters
      [start, end) of the passage, and where there is no answer: the list is empty, without the
      invented answer 'empty'. To the byte what ``ground.files.write_json`` would write of such
      lists, and several times faster.
    """
    columns_QK = [*np.moveaxis(nbest.chars_QK2, 2, 0), *np.moveaxis(nbest.logits_QK2, 2, 0)]
    columns_QK.append(shares(nbest.logits_QK2))
    names = ['start_logit', 'end_logit', 'text', 'probability', 'start', 'end']
    if confidence_QK is not None:
        columns_QK.append(confidence_QK)
        names.append('confidence')
    form = ',\n'.join(f'   "{name}": %{"s" if name == "text" else "r"}' for name in names)
    form, quoted, listed = f'  {{\n{form}\n  }}', json.encoder.encode_basestring, []
    for question, *own in zip(questions, *(each.tolist() for each in columns_QK), strict=True):
        passage = question.passage
        answers = [
            form % (start_logit, end_logit, quoted(passage[start:end]), share, start, end, *rest)
            for start, end, start_logit, end_logit, share, *rest in zip(*own, strict=True)
            if start >= 0
        ]
        value = '[\n' + ',\n'.join(answers) + '\n ]' if answers else '[]'
        listed.append(f' {quoted(question.id)}: {value}')
    return '{\n' + ',\n'.join(listed) + '\n}\n' if listed else '{}\n'
