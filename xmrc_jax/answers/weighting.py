"""The weight w of every candidate in eq. 5 (Chen et al. 2022), which the paper calls learnable.

Owns where weights come from and their start values. Knows nothing of spans or logits: a slot is a
place in Z, or one of the paper's three types, and the gold is last wherever a slot has a fixed
meaning.

Differs from the paper, which says no more than "learnable": free weights would minimise the loss at
minus infinity, so here they are a softmax with a floor under the gold's. Floor and start value are
this project's own.
"""

import jax
import jax.numpy as jnp


def initial_logits(slots: int, gold_share: float) -> jax.Array:
    """Start value of the trainable v: softmax(v) gives ``gold_share`` to the last slot.

    The other slots share the rest evenly. With a floor rho the gold's weight starts at
    rho + (1 - rho) gold_share. The share lies between 0 and 1, neither of which a softmax reaches.

    Example:
      >>> [round(float(w), 4) for w in jax.nn.softmax(initial_logits(4, 0.7))]
      [0.1, 0.1, 0.1, 0.7]
    """
    odds = gold_share * max(slots - 1, 1) / (1 - gold_share)
    return jnp.zeros(slots, jnp.float32).at[-1].set(jnp.log(odds))


def learned_weights(logits_K: jax.Array, gold_BK: jax.Array, floor: float) -> jax.Array:
    """softmax(v), of which the gold slot is never given less than ``floor``: float32 [B, K].

    Every other slot gives up the share ``floor`` of its weight to the gold, so rows sum to one.

    Args:
      logits_K: the trainable v, float32.
      gold_BK: True at the gold's slot; a row without one sums to 1 - floor.
      floor: rho in [0, 1].

    Example:
      >>> weights = learned_weights(jnp.zeros(2), jnp.array([[False, True]]), floor=0.5)
      >>> weights.tolist()  # 0.5 x (1/2, 1/2) + 0.5 x (0, 1)
      [[0.25, 0.75]]
    """
    return floor * gold_BK + (1 - floor) * jax.nn.softmax(logits_K)[None, :]


def normalised(weights_BK: jax.Array, present_BK: jax.Array) -> jax.Array:
    """Weights scaled to sum to one over the candidates present, 0 elsewhere.

    A row whose present candidates weigh nothing stays 0.
    """
    weights_BK = jnp.where(present_BK, weights_BK, 0.0)
    total_B1 = weights_BK.sum(axis=1, keepdims=True)
    return weights_BK / jnp.where(total_B1 > 0, total_B1, 1.0)


def _learned(gold_BK, slots_K, floor):
    return learned_weights(slots_K, gold_BK, floor)


def _uniform(gold_BK, slots_K, floor):
    return jnp.ones(gold_BK.shape, jnp.float32)


def _fixed(gold_BK, slots_K, floor):
    return jnp.broadcast_to(slots_K[None, :], gold_BK.shape)


LEARNED = ('learned', 'free')  # v is a parameter

# Each takes (gold_BK, slots_K, floor); what comes out is then normalised over the candidates
# present, but for `free`, which nothing holds: it shrinks as far as it is let. slots_K is the
# trainable v, or the given weights of `fixed`.
WEIGHTS = {
    'learned': _learned,
    'free': _fixed,  # v itself
    'uniform': _uniform,
    'fixed': _fixed,
}
