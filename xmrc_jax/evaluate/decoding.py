"""Which of the n-best answers is the best: the likeliest, or the one of least expected loss."""

from collections.abc import Sequence

import numpy as np

from xmrc_jax.data.squad import Question
from xmrc_jax.evaluate.metrics import METRICS, f1
from xmrc_jax.evaluate.nbest import NBest, shares, texts


def minimum_risk(questions: Sequence[Question], nbest: NBest, metric: str, language: str) -> NBest:
    """The same answers, those of the highest expected F1 first; equals as they were.

    The expectation is over the answers listed, each as likely to be right as its share, the softmax
    of start + end logit: an answer that shares words with other likely ones gains.

    Args:
      questions: that were answered.
      nbest: their answers.
      metric: a key of ``METRICS``, whose normal forms are compared.
      language: of the passages.

    Raises:
      UserError: the metric has no rules for the language.

    Reference:
      Kumar and Byrne 2004, of machine translation; with F1 in the place of BLEU.
    """
    share_QK = shares(nbest.logits_QK2)
    expected_QK = np.full(share_QK.shape, -np.inf)
    for question, listed in enumerate(texts(questions, nbest).values()):
        forms = [METRICS[metric](text, language) for text in listed]
        f1_XX = np.array([[f1(one, two) for two in forms] for one in forms])
        if forms:
            expected_QK[question, : len(forms)] = f1_XX @ share_QK[question, : len(forms)]
    order_QK = np.argsort(-expected_QK, axis=1, kind='stable')
    return nbest.ordered(order_QK)
