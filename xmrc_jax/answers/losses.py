r"""The losses on a set of candidate spans: equations 3, 4, 5 and 9.

Owns the readings of these equations. Every function is pure and returns float32 values per window,
not reduced: averaging is left to the caller, who knows which rows are real and how the batch is
split. Knows nothing of encoders, of where candidates come from, or of the step's schedule.

Candidates come as ``log_p_BK`` with ``valid_BK``. One that is not valid (padding, a span outside
this window) or whose probability is zero is *absent*: it adds neither loss nor gradient, even where
masked logits are -inf, and weights are renormalised over the candidates that are present.

Reference: Chen et al. 2022, "From Good to Best: Two-Stage Training for Cross-lingual Machine
Reading Comprehension".
"""

import jax
import jax.numpy as jnp

from xmrc_jax.answers.weighting import WEIGHTS, normalised
from xmrc_jax.ground.choices import choose

BOTH_WRONG, ONE_RIGHT, GOLD = range(3)


def right_boundaries(spans_BK2: jax.Array, gold_B2: jax.Array) -> jax.Array:
    """How many boundaries a candidate shares with the gold span, which is its type in the paper.

    Returns:
      int32 [B, K]: 2 the gold span, 1 start or end right, 0 both wrong.

    Example:
      >>> right_boundaries(jnp.array([[[3, 4], [3, 9], [4, 3]]]), jnp.array([[3, 4]])).tolist()
      [[2, 1, 0]]
    """
    return jnp.sum(spans_BK2 == gold_B2[:, None], axis=-1, dtype=jnp.int32)


def _present(log_p_BK, valid_BK):
    return valid_BK & (log_p_BK != -jnp.inf)  # a NaN stays: it must not pass for an absent one


def _log_sum(log_p_BK, present_BK):
    """Log of the summed probability of the candidates present; 0 in a row that has none."""
    total_B = jax.nn.logsumexp(jnp.where(present_BK, log_p_BK, -jnp.inf), axis=1)
    return jnp.where(present_BK.any(axis=1), total_B, 0.0)


def mml_loss(log_p_BK: jax.Array, valid_BK: jax.Array) -> jax.Array:
    r"""Maximum marginal likelihood: :math:`-\log \sum_k P(z_k)`, float32 [B].

    Reference:
      Eq. 4, Chen et al. 2022. Eq. 5 as printed, whose inner sum does not depend on the outer
      index, is this loss times the sum of the weights.

    Example:
      >>> log_p = jnp.log(jnp.array([[0.25, 0.25, 0.4]]))
      >>> print(f'{mml_loss(log_p, jnp.array([[True, True, False]]))[0]:.4f}')  # log 2
      0.6931
    """
    return -_log_sum(log_p_BK, _present(log_p_BK, valid_BK))


def weighted_loss(log_p_BK: jax.Array, valid_BK: jax.Array, weights_BK: jax.Array) -> jax.Array:
    r"""Cross entropy against a weighted set of spans: :math:`-\sum_k w_k \log P(z_k)`, float32 [B].

    The weights of the candidates present are scaled to sum to one. Left as they are, learned
    weights would escape to the slots that are absent most often, where they cost nothing.
    A window of no positive weight has loss 0.

    Args:
      log_p_BK: from ``span_log_probs``.
      valid_BK: False at padding.
      weights_BK: non-negative.

    Reference:
      Eq. 5, Chen et al. 2022, read with one term per candidate. Differs from the paper's print,
      where the logarithm stands before a sum over all of Z. One candidate of weight 1 is eq. 3.

    Example:
      >>> log_p = jnp.log(jnp.array([[0.25, 0.0625, 0.0]]))
      >>> weights = jnp.array([[0.75, 0.25, 9.0]])  # 0.75 log 4 + 0.25 log 16
      >>> print(f'{weighted_loss(log_p, jnp.array([[True, True, False]]), weights)[0]:.4f}')
      1.7329
    """
    present_BK = _present(log_p_BK, valid_BK)
    return _cross_entropy(log_p_BK, present_BK, normalised(weights_BK, present_BK))


def _cross_entropy(log_p_BK, present_BK, weights_BK):
    weighted_BK = jnp.where(present_BK, weights_BK, 0.0) * jnp.where(present_BK, log_p_BK, 0.0)
    return -jnp.sum(weighted_BK, axis=1)


def gold_loss(log_p_BK: jax.Array, valid_BK: jax.Array, right_BK: jax.Array) -> jax.Array:
    """Cross entropy of the gold span alone (eq. 3, Chen et al. 2022): float32 [B].

    The sum of the start's and the end's, where run_qa scripts take their mean. A window without
    the gold span among its candidates has loss 0.
    """
    return weighted_loss(log_p_BK, valid_BK, (right_BK == GOLD).astype(jnp.float32))


def by_type(
    log_p_BK: jax.Array, valid_BK: jax.Array, right_BK: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Log of the summed probability of each of the paper's three types, as three candidates.

    Returns:
      log_p_B3 and valid_B3 in the order both wrong, one boundary right, gold.
    """
    present_B3K = _present(log_p_BK, valid_BK)[:, None] & (
        right_BK[:, None] == jnp.array([BOTH_WRONG, ONE_RIGHT, GOLD])[None, :, None]
    )
    log_p_B3 = jax.vmap(_log_sum, in_axes=(None, 1), out_axes=1)(log_p_BK, present_B3K)
    return log_p_B3, present_B3K.any(axis=2)


def as_printed(log_p_BK: jax.Array, valid_BK: jax.Array) -> jax.Array:
    """The log of the summed probability of all of Z in the place of every candidate: [B, K]."""
    present_BK = _present(log_p_BK, valid_BK)
    return jnp.where(present_BK, _log_sum(log_p_BK, present_BK)[:, None], -jnp.inf)


# Each takes (log_p_BK, valid_BK, right_BK, weigh); `weigh` is the weighted loss over candidates or
# types, given which of them is the gold.
READINGS = {
    'per_candidate': lambda log_p, valid, right, weigh: weigh(log_p, valid, right == GOLD),
    'per_type': lambda log_p, valid, right, weigh: weigh(
        *by_type(log_p, valid, right), jnp.arange(3)[None, :] == GOLD
    ),
    'as_printed': lambda log_p, valid, right, weigh: weigh(
        as_printed(log_p, valid), valid, right == GOLD
    ),
    'mml': lambda log_p, valid, right, weigh: mml_loss(log_p, valid),
    'gold_only': lambda log_p, valid, right, weigh: gold_loss(log_p, valid, right),
}


def slots(reading: str, k: int) -> int:
    """How many weights a reading has: one for each of k candidates, or for each of the types."""
    return 3 if reading == 'per_type' else k


def hard_loss(
    log_p_BK: jax.Array,
    valid_BK: jax.Array,
    right_BK: jax.Array,
    slots_K: jax.Array | None = None,
    *,
    reading: str = 'per_candidate',
    weights: str = 'learned',
    floor: float = 0.0,
) -> jax.Array:
    """The hard-learning loss, eq. 5, in the reading asked for: float32 [B].

    A window whose gold span is absent has loss 0: the paper's Z always holds the gold, and wrong
    candidates alone would teach the wrong answers.

    Args:
      log_p_BK: from ``span_log_probs``.
      valid_BK: False at padding and at candidates outside this window.
      right_BK: from ``right_boundaries``.
      slots_K: v of the weights that are ``LEARNED``, or the weights of ``fixed``; its length is
        ``slots(reading, K)``, the gold's (or the gold type's) place last.
      reading: ``per_candidate``; ``per_type`` with one weight for each type and the log of the
        type's summed probability; ``as_printed``, eq. 4 times the sum of the weights; ``mml``;
        ``gold_only``. The last two have no weights.
      weights: ``learned``, ``free``, ``uniform`` or ``fixed``; of these ``free`` is not scaled to
        sum to one.
      floor: least share of the gold slot in learned weights.

    Raises:
      UserError: unknown reading or weights.

    Reference:
      Eq. 5, Chen et al. 2022. Differs from the paper's print (see ``mml_loss``): the default is
      the one reading with K weights for K candidates that is not the paper's own MML ablation.
    """
    make = choose(WEIGHTS, weights, 'weights')

    def weigh(log_p_BX, valid_BX, gold_BX):
        present_BX = _present(log_p_BX, valid_BX)
        weights_BX = make(jnp.broadcast_to(gold_BX, log_p_BX.shape), slots_K, floor)
        if weights != 'free':
            weights_BX = normalised(weights_BX, present_BX)
        return _cross_entropy(log_p_BX, present_BX, weights_BX)

    loss = choose(READINGS, reading, 'reading of eq. 5')
    loss_B = loss(log_p_BK, valid_BK, right_BK, weigh)
    gold_BK = _present(log_p_BK, valid_BK) & (right_BK == GOLD)
    return jnp.where(gold_BK.any(axis=1), loss_B, 0.0)


def final_loss(
    contrast_B: jax.Array,
    hard_B: jax.Array,
    gold_B: jax.Array | float = 0.0,
    *,
    alpha: jax.Array | float,
    gold_weight: float = 0.0,
) -> jax.Array:
    """alpha contrast + (1 - alpha) hard + gold_weight gold, float32 [B].

    Reference:
      Eq. 9, Chen et al. 2022, with gold_weight 0: there the gold enters through Z only. A weight
      on its own cross entropy (eq. 3) differs from the paper.

    Example:
      >>> final_loss(jnp.array([2.0]), jnp.array([4.0]), jnp.array([8.0]), alpha=0.25).tolist()
      [3.5]
    """
    return alpha * contrast_B + (1 - alpha) * hard_B + gold_weight * gold_B
