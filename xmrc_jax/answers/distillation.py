r"""What a student loses against the start and end distributions of its teachers.

After LBMRC (Liu et al. 2020), of which no code is public: distillation at a temperature (Hinton et
al. 2015) from one teacher or several. How a teacher is weighed is a row of ``COEFFICIENTS``;
``n_best`` is after Carrino et al. 2023.

A window's ``teacher_BLY2`` holds log P(start) and log P(end) of Y teachers over its real tokens.
"""

import jax
import jax.numpy as jnp

from xmrc_jax.ground.choices import choose

BEST, NEAR = 10, 5  # boundaries that are looked at, and tokens from the gold that count as right


def distillation_loss(
    start_logits_BL: jax.Array,
    end_logits_BL: jax.Array,
    mask_BL: jax.Array,
    teacher_BLY2: jax.Array,
    coefficient_BY: jax.Array,
    temperature: float,
) -> jax.Array:
    r"""The mean over the teachers of :math:`c\,T^2\,[KL(start) + KL(end)]`, float32 [B].

    Both distributions are a softmax over the mask at temperature T; KL runs from the teacher's to
    the student's, so that it is zero where they agree. T squared keeps the size of the gradient.

    Args:
      start_logits_BL: the student's unnormalised start scores.
      end_logits_BL: likewise of the end.
      mask_BL: the positions that share a probability; at least one in each row.
      teacher_BLY2: the teachers' log probabilities, anything outside the mask.
      coefficient_BY: of each teacher, from ``coefficients``.
      temperature: T.

    Reference:
      Hinton et al. 2015; Liu et al. 2020.

    Example:
      >>> logits = jnp.log(jnp.array([[0.5, 0.25, 0.25]]))
      >>> teacher = jnp.log(jnp.array([[[[0.5, 1.0]], [[0.25, 1.0]], [[0.25, 1.0]]]]))  # end even
      >>> real, one = jnp.ones((1, 3), bool), jnp.ones((1, 1))
      >>> flat = jnp.zeros((1, 3))
      >>> abs(round(float(distillation_loss(logits, flat, real, teacher, one, 2.0)[0]), 6))
      0.0
    """
    student_BLY2 = jnp.stack([start_logits_BL, end_logits_BL], axis=-1)[:, :, None]
    student_BLY2 = _log_softmax(student_BLY2, mask_BL, temperature)
    teacher_BLY2 = _log_softmax(teacher_BLY2, mask_BL, temperature)
    apart_BLY2 = jnp.exp(teacher_BLY2) * (teacher_BLY2 - student_BLY2)
    apart_BY = jnp.where(mask_BL[:, :, None, None], apart_BLY2, 0.0).sum(axis=(1, 3))
    return temperature**2 * jnp.mean(coefficient_BY * apart_BY, axis=1)


def _log_softmax(logits_BLY2, mask_BL, temperature):
    """Over the mask; the lowest float outside it, where exp is 0 and a difference finite."""
    lowest = jnp.finfo(jnp.float32).min
    scaled_BLY2 = logits_BLY2.astype(jnp.float32) / temperature
    masked_BLY2 = jnp.where(mask_BL[:, :, None, None], scaled_BLY2, lowest)
    return jax.nn.log_softmax(masked_BLY2, axis=1)


def _uniform(log_p_BLY2, gold_B2):
    return jnp.ones(log_p_BLY2.shape[::2], jnp.float32)


def _gold(log_p_BLY2, gold_B2):
    index_B1Y2 = jnp.broadcast_to(
        gold_B2[:, None, None], (len(log_p_BLY2), 1, *log_p_BLY2.shape[2:])
    )
    return jnp.exp(jnp.take_along_axis(log_p_BLY2, index_B1Y2, axis=1).sum(axis=(1, 3)))


def _n_best(log_p_BLY2, gold_B2):
    log_p_BY2L = jnp.moveaxis(log_p_BLY2, 1, -1)
    best = min(BEST, log_p_BY2L.shape[-1])
    value_BY2K, place_BY2K = jax.lax.top_k(log_p_BY2L, best)
    near_BY2K = jnp.abs(place_BY2K - gold_B2[:, None, :, None]) <= NEAR
    right_BY2K = near_BY2K & (value_BY2K > jnp.finfo(jnp.float32).min / 2)
    rank_111K = jnp.arange(1, best + 1, dtype=jnp.float32)[None, None, None]
    precision_BY2K = jnp.cumsum(right_BY2K, axis=-1) / rank_111K
    count_BY2 = jnp.maximum(right_BY2K.sum(axis=-1), 1)
    return jnp.mean((precision_BY2K * right_BY2K).sum(axis=-1) / count_BY2, axis=-1)


# Each takes the teachers' log probabilities over the mask and the gold span.
COEFFICIENTS = {
    'uniform': _uniform,  # 1
    'gold': _gold,  # the probability that the teacher gives to the gold span
    'n_best': _n_best,  # average precision of its 10 best starts and ends, within 5 tokens right
}


def coefficients(
    name: str, teacher_BLY2: jax.Array, mask_BL: jax.Array, gold_B2: jax.Array
) -> jax.Array:
    """How much each teacher is to be believed of a window: float32 [B, Y] between 0 and 1.

    Args:
      name: a key of ``COEFFICIENTS``.
      teacher_BLY2: the teachers' log probabilities, at temperature 1.
      mask_BL: the positions that share a probability.
      gold_B2: inclusive token span.

    Reference:
      ``n_best``: Carrino et al. 2023, mAP@k, there of the same model on a parallel example; their
      code takes 1 / rank of the first right one instead, and the mean of a batch.

    Example:
      >>> teacher = jnp.log(jnp.array([[[[0.5, 0.25]], [[0.5, 0.75]]]]))
      >>> real, gold = jnp.ones((1, 2), bool), jnp.array([[0, 1]])
      >>> coefficients('gold', teacher, real, gold).tolist()  # 0.5 x 0.75
      [[0.375]]
    """
    log_p_BLY2 = _log_softmax(teacher_BLY2, mask_BL, 1.0)
    return choose(COEFFICIENTS, name, 'distil.coefficient')(log_p_BLY2, gold_B2)
