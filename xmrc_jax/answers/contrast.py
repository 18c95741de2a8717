"""Answer-aware contrastive learning: equation 8 over the whole global batch.

Owns the question's vector, the partners of the denominator and the temperature, and the same cosine
as a part of an answer's score. Knows nothing of how negatives are chosen. Under ``jax.jit`` with
arrays sharded over the batch the partners still are those of all devices, so the value does not
depend on how the batch is split.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from xmrc_jax.answers.spans import cosine, pool, pool_range, unit
from xmrc_jax.ground.choices import choose

# The question's vector, given hidden_BLD and question_B2.
QUESTIONS = {
    'mean': pool_range,
    'first_token': lambda hidden_BLD, question_B2: hidden_BLD[:, 0].astype(jnp.float32),
}

# Whose golds and negatives stand in the denominator: (other rows too, hard negatives too).
DENOMINATORS = {
    'global': (True, True),
    'own_negative': (False, True),
    'in_batch': (True, False),
}

TEMPERATURES = {
    'divide': lambda similarity_BJ, tau: similarity_BJ / tau,
    'multiply': lambda similarity_BJ, tau: similarity_BJ * tau,
}


def contrast_loss(
    question_BD: jax.Array,
    gold_BD: jax.Array,
    negative_BED: jax.Array,
    negative_BE: jax.Array,
    group_B: jax.Array,
    real_B: jax.Array,
    *,
    tau: float = 10.0,
    temperature: str = 'divide',
    denominator: str = 'global',
) -> tuple[jax.Array, jax.Array]:
    r"""Contrast of each question with its answer against partners that are no answer to it.

    .. math:: \ell_b = -\log \frac{\exp(\cos(q_b, a_b) / \tau)}{\sum_j \exp(\cos(q_b, a_j) / \tau)}

    The partners j are the own gold and, by ``denominator``,

    - ``global``: the golds and hard negatives of all rows;
    - ``own_negative``: the own hard negatives only;
    - ``in_batch``: the golds of all rows only.

    Rows of the same question are never partners of each other: their golds are right answers.

    Args:
      question_BD: question vectors.
      gold_BD: gold answer vectors.
      negative_BED: E hard negatives of each row.
      negative_BE: False where a row has no such negative.
      group_B: equal numbers for windows of the same question.
      real_B: False at rows that take no part: padding, windows without the gold.
      tau: temperature.
      temperature: ``divide`` cosine by tau, or ``multiply`` it.
      denominator: see above.

    Returns:
      float32 loss_B, 0 at rows that take no part, and bool correct_B: whether the own gold is more
      similar than every partner (False at rows that take no part).

    Raises:
      UserError: unknown denominator or temperature.

    Reference:
      Eq. 8, Chen et al. 2022, ``divide`` as printed. Differs from the paper in masking partners of
      the same question; ``multiply`` differs from the print, whose tau = 10 leaves the softmax
      nearly flat.

    Example:
      >>> east, north = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])
      >>> loss, correct = contrast_loss(
      ...     east[None], east[None], north[None, None], jnp.array([[True]]),
      ...     jnp.array([0]), jnp.array([True]), tau=1.0)
      >>> print(f'{loss[0]:.4f}', correct[0])  # log(1 + exp(-1)): cosine 1 against 0
      0.3133 True
    """
    others, negatives = choose(DENOMINATORS, denominator, 'contrast denominator')
    scaled = choose(TEMPERATURES, temperature, 'contrast temperature')
    B, E = negative_BE.shape
    own_BB = jnp.eye(B, dtype=bool)
    other_BB = (group_B[:, None] != group_B[None, :]) & real_B[None, :]
    row_BB = own_BB | other_BB if others else own_BB

    partner_JD, partner_BJ = gold_BD, row_BB
    if negatives:
        partner_JD = jnp.concatenate([gold_BD, negative_BED.reshape(B * E, -1)])
        negative_BJ = jnp.repeat(row_BB, E, axis=1) & negative_BE.reshape(1, B * E)
        partner_BJ = jnp.concatenate([row_BB, negative_BJ], axis=1)

    similarity_BJ = jnp.einsum(
        'bd,jd->bj', unit(question_BD), unit(partner_JD), precision=jax.lax.Precision.HIGHEST
    )
    own_B = jnp.diagonal(similarity_BJ)  # golds come first, so column b is the own gold of row b
    wrong_BJ = partner_BJ.at[:, :B].set(partner_BJ[:, :B] & ~own_BB)
    correct_B = real_B & (own_B > jnp.max(jnp.where(wrong_BJ, similarity_BJ, -jnp.inf), axis=1))

    logits_BJ = scaled(jnp.where(partner_BJ, similarity_BJ, -jnp.inf), tau)
    loss_B = jax.nn.logsumexp(logits_BJ, axis=1) - scaled(own_B, tau)
    return jnp.where(real_B, loss_B, 0.0), correct_B


@dataclass(frozen=True)
class Affinity:
    """What eq. 8 trains, added to an answer's score: lambda times its cosine with the question.

    Attributes:
      weight: lambda, in logits.
      question: a key of ``QUESTIONS``.
    """

    weight: float
    question: str

    def of(self, hidden_BLD: jax.Array, spans_BK2: jax.Array, question_B2: jax.Array) -> jax.Array:
        """What is to be added to the scores of spans: float32 [B, K]; 0 for (-1, -1)."""
        question_BD = QUESTIONS[self.question](hidden_BLD, question_B2)
        return self.weight * cosine(pool(hidden_BLD, spans_BK2), question_BD)
