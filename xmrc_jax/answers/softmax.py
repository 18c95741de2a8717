"""Logits to the probability of a span: equation 2, and how both ends make one.

Owns the softmax over a window and its readings. Knows nothing of candidates or of losses.
"""

import jax
import jax.numpy as jnp

from xmrc_jax.answers.spans import span_scores
from xmrc_jax.ground.choices import choose


def log_probs(logits_BL: jax.Array, mask_BL: jax.Array) -> jax.Array:
    """Log softmax over the positions of the mask (eq. 2): float32 [B, L], -inf outside it.

    The mask is the caller's reading of "the entire sequence": all real tokens, or the passage
    only. Each row holds at least one token of it.
    """
    return jax.nn.log_softmax(jnp.where(mask_BL, logits_BL.astype(jnp.float32), -jnp.inf))


def _product(start_logits_BL, end_logits_BL, mask_BL, spans_BK2, max_tokens):
    start_BK = jnp.take_along_axis(log_probs(start_logits_BL, mask_BL), spans_BK2[..., 0], axis=1)
    end_BK = jnp.take_along_axis(log_probs(end_logits_BL, mask_BL), spans_BK2[..., 1], axis=1)
    return start_BK + end_BK


def _joint(start_logits_BL, end_logits_BL, mask_BL, spans_BK2, max_tokens):
    score_BLS = span_scores(start_logits_BL, end_logits_BL, mask_BL, max_tokens)
    start_BK, length_BK = spans_BK2[..., 0], spans_BK2[..., 1] - spans_BK2[..., 0]
    legal_BK = (length_BK >= 0) & (length_BK < max_tokens)
    flat_BS = score_BLS.reshape(score_BLS.shape[0], -1)
    index_BK = jnp.where(legal_BK, start_BK * max_tokens + length_BK, 0)
    score_BK = jnp.take_along_axis(flat_BS, index_BK, axis=1)
    total_B1 = jax.nn.logsumexp(flat_BS, axis=1, keepdims=True)
    return jnp.where(legal_BK, score_BK - total_B1, -jnp.inf)


NORMALISERS = {'product': _product, 'joint': _joint}


def span_log_probs(
    start_logits_BL: jax.Array,
    end_logits_BL: jax.Array,
    mask_BL: jax.Array,
    spans_BK2: jax.Array,
    *,
    normaliser: str = 'product',
    max_tokens: int = 30,
) -> jax.Array:
    r"""Log probability of candidate spans.

    ``product`` is :math:`\log P_{start}(s) + \log P_{end}(e)`, each a softmax over the mask;
    ``joint`` is one softmax of start + end over the legal spans, those of 1 to ``max_tokens``
    tokens inside the mask.

    Args:
      start_logits_BL: unnormalised start scores.
      end_logits_BL: unnormalised end scores.
      mask_BL: True at the positions that share the probability (see ``log_probs``).
      spans_BK2: inclusive token spans.
      normaliser: ``product`` or ``joint``.
      max_tokens: longest legal span; read by ``joint`` only.

    Returns:
      float32 [B, K]; -inf for a span of no probability (outside the mask or, under ``joint``, too
      long), which the losses take as absent.

    Raises:
      UserError: unknown normaliser.

    Reference:
      Eq. 2 and 3, Chen et al. 2022: ``product``. ``joint`` differs from the paper.

    Example:
      >>> start = jnp.log(jnp.array([[0.50, 0.25, 0.25]]))
      >>> end = jnp.log(jnp.array([[0.25, 0.25, 0.50]]))
      >>> real = jnp.array([[True, True, True]])
      >>> log_p = span_log_probs(start, end, real, jnp.array([[[0, 2], [1, 1]]]))
      >>> print([f'{p:.4f}' for p in jnp.exp(log_p[0])])  # 0.5 x 0.5 and 0.25 x 0.25
      ['0.2500', '0.0625']
    """
    log_p = choose(NORMALISERS, normaliser, 'span normaliser')
    return log_p(start_logits_BL, end_logits_BL, mask_BL, spans_BK2, max_tokens)
