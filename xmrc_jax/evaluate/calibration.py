"""What a reader's scores are worth, fitted on a dev set and kept beside the reader.

Two things: the threshold of the null odds beyond which it gives no answer, and the confidence of an
answer, how likely it is right. The softmax over an n-best list is neither: it says nothing of what
is not on the list, and a reader may be sure and wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xmrc_jax.data.squad import Question
from xmrc_jax.evaluate import metrics
from xmrc_jax.evaluate.nbest import NBest, null_odds, predictions, shares, texts
from xmrc_jax.evaluate.no_answer import Best, best_threshold
from xmrc_jax.ground.values import leaf

SURE = 1e-6  # a share is kept that far from 0 and 1


@dataclass(frozen=True)
class Calibration:
    """Of a reader.

    Attributes:
      null_threshold: null odds beyond which there is no answer; None: there always is one.
      confidence: slope and intercept, see ``confidences``; () where they never were fitted.
    """

    null_threshold: float | None = leaf(before=None)
    confidence: tuple[float, ...] = leaf(before=())

    def ranked(self, nbest: NBest) -> tuple[NBest, np.ndarray]:
        """The answers, 'there is no answer' among them where it may be: see ``NBest.with_null``."""
        if self.null_threshold is None:
            ranks_K = np.arange(nbest.log_p_QK.shape[1])
            return nbest, np.broadcast_to(ranks_K, nbest.log_p_QK.shape)
        return nbest.with_null(self.null_threshold)

    def confidences(self, ranked: NBest, among: int | None = None) -> np.ndarray | None:
        """How likely each answer is right: sigmoid(slope x log odds of its share + intercept).

        Args:
          ranked: as ``ranked`` gives them.
          among: how many of the best have a share, as many as when it was fitted: of fewer each
            would have more; by default all.

        Returns:
          float64 [Q, K] of answers that there are; None where the reader is not calibrated.
        """
        if not self.confidence:
            return None
        slope, intercept = self.confidence
        return _sigmoid(slope * self.log_odds(ranked, among) + intercept)

    def log_odds(self, ranked: NBest, among: int | None = None) -> np.ndarray:
        """Log odds of each answer's share in the n-best, the null's score less its threshold."""
        logits_QK2 = ranked.logits_QK2.astype(np.float64)
        is_null_QK = (ranked.chars_QK2 == 0).all(axis=-1)
        logits_QK2[is_null_QK, 0] -= self.null_threshold or 0.0
        share_QK = shares(logits_QK2)
        share_QK /= np.maximum(share_QK[:, :among].sum(axis=1, keepdims=True), SURE)
        share_QK = np.clip(share_QK, SURE, 1 - SURE)
        return np.log(share_QK) - np.log1p(-share_QK)


UNCALIBRATED = Calibration(None, ())


def best_f1(questions: Sequence[Question], nbest: NBest, metric: str, language: str) -> Best:
    """F1 in percent with the threshold of null odds that is best for it, and that threshold."""
    best = predictions(questions, nbest)
    f1_of = metrics.each(questions, best, metric, language)
    scores = {question.id: f1 for question, (_, f1) in zip(questions, f1_of, strict=True)}
    return best_threshold(scores, questions, best, null_odds(questions, nbest))


def fit(questions: Sequence[Question], nbest: NBest, metric: str, language: str) -> Calibration:
    """The calibration of a reader by its answers to a dev set.

    The threshold is that of the best F1 by the official rule, where some question has no answer.
    Slope and intercept are those of the logistic regression of 'is an exact match' on the log odds
    of the share, over all answers of all n-best lists; a Gaussian of unit variance around (1, 0),
    where a share is taken for what it says, keeps them finite on a small or a perfect dev set.

    Args:
      questions: of the dev set.
      nbest: answers to them, spans alone.
      metric: a key of ``metrics.METRICS``.
      language: of the passages.

    Reference:
      Platt 1999, of a classifier's score. Temperature scaling (Guo et al. 2017), which has no
      intercept, cannot say that none of the listed answers is right.
    """
    threshold = None
    if not all(question.answers for question in questions):
        threshold = best_f1(questions, nbest, metric, language).threshold
    ranking = Calibration(threshold, ())
    ranked, _ = ranking.ranked(nbest)
    log_odds_QK = ranking.log_odds(ranked)
    listed = texts(questions, ranked)
    x, right = [], []
    for own_K, exact in zip(
        log_odds_QK, metrics.exact(questions, listed, metric, language), strict=True
    ):
        x.extend(own_K[: len(exact)])
        right.extend(exact)
    return Calibration(threshold, _logistic(np.array(x), np.array(right)))


def _logistic(x_I: np.ndarray, right_I: np.ndarray) -> tuple[float, float]:
    """Slope and intercept at the maximum of the posterior, by Newton's method."""
    inputs_I2 = np.stack([x_I, np.ones_like(x_I)], axis=1)
    prior_2 = np.array([1.0, 0.0])
    weights_2 = prior_2
    for _ in range(100):
        p_I = _sigmoid(inputs_I2 @ weights_2)
        gradient_2 = inputs_I2.T @ (p_I - right_I) + weights_2 - prior_2
        hessian_22 = (inputs_I2.T * (p_I * (1 - p_I))) @ inputs_I2 + np.eye(2)
        step_2 = np.linalg.solve(hessian_22, gradient_2)
        weights_2 = weights_2 - step_2 / max(1.0, np.abs(step_2).max())  # never far at once
        if np.abs(step_2).max() < 1e-9:
            break
    slope, intercept = weights_2.tolist()
    return slope, intercept


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
