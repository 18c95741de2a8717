r"""What a reader may lose besides eq. 3 without another reader or mined answers: controls.

Hard learning spreads the target of eq. 3 over several spans, and two stages train twice; these are
the plain ways to do the like. Rows do not see each other, and nothing is reduced over them.
"""

import jax
import jax.numpy as jnp

from xmrc_jax.answers.softmax import log_probs


def even_loss(start_logits_BL: jax.Array, end_logits_BL: jax.Array, mask_BL: jax.Array):
    r"""Cross entropy of start and end against an even distribution over the mask: float32 [B].

    With label smoothing :math:`\epsilon` a boundary's target is :math:`1 - \epsilon` at the gold
    and :math:`\epsilon` spread evenly, so the loss is
    :math:`(1 - \epsilon)` eq. 3 + :math:`\epsilon` of this.

    Reference:
      Szegedy et al. 2016, section 7.

    Example:
      >>> flat, real = jnp.zeros((1, 4)), jnp.array([[True, True, True, False]])
      >>> print(f'{even_loss(flat, flat, real)[0]:.4f}')  # 2 log 3
      2.1972
    """

    def of(logits_BL):
        log_p_BL = log_probs(logits_BL, mask_BL)
        return -jnp.mean(log_p_BL, axis=1, where=mask_BL)

    return of(start_logits_BL) + of(end_logits_BL)


def distance(one_BL: jax.Array, two_BL: jax.Array, mask_BL: jax.Array) -> jax.Array:
    r"""Mean of both KL divergences between two softmaxes over the mask: float32 [B].

    Args:
      one_BL: unnormalised scores of one boundary.
      two_BL: of the same boundary, drawn again.
      mask_BL: the positions that share the probability.

    Reference:
      R-Drop, Wu et al. 2021, eq. 2, of which this is the mean over both directions.

    Example:
      >>> real = jnp.ones((1, 2), bool)
      >>> one, two = jnp.log(jnp.array([[0.5, 0.5]])), jnp.log(jnp.array([[0.8, 0.2]]))
      >>> print(f'{distance(one, two, real)[0]:.4f}')  # (0.3 log 4) / 2
      0.2079
    """
    one_BL, two_BL = (
        jnp.where(mask_BL, log_probs(each_BL, mask_BL), 0.0) for each_BL in (one_BL, two_BL)
    )
    both_BL = (jnp.exp(one_BL) - jnp.exp(two_BL)) * (one_BL - two_BL)
    return jnp.sum(both_BL, axis=1) / 2
