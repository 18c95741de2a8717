"""Dropout that knows which entry of which token it draws for.

A draw is a hash of the key, of the token's number in the batch and of the entry, so it does not
depend on where the token lies: packed or padded, on one device or on many, the same entries go.
``jax.random`` draws by the place in an array, and Threefry's twenty rounds for every attention
probability cost more than the attention itself; two rounds of multiplication are enough to decide
what to drop. (The finaliser of MurmurHash3, over 64 bits of key for each token.)
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from xmrc_jax.ground.hashing import mixed


class Draws(NamedTuple):
    """What tokens draw with: one for each place of the rows, [R, P] both.

    Attributes:
      low, high: uint32, the two halves of a token's key.
    """

    low: jax.Array
    high: jax.Array

    def reshape(self, *shape: int) -> 'Draws':
        return Draws(self.low.reshape(shape), self.high.reshape(shape))


def draws(key: jax.Array, number_RP: jax.Array) -> Draws:
    """The keys of tokens, from the key of a layer and their numbers."""
    low, high = jax.random.bits(key, 2, jnp.uint32)
    number_RP = number_RP.astype(jnp.uint32)
    return Draws(mixed(number_RP ^ low, high), mixed(number_RP ^ high, ~low))


def dropped(x: jax.Array, rate: float, tokens: Draws, entry: jax.Array) -> jax.Array:
    """Zeroes entries with probability ``rate`` and scales the others to keep the mean.

    Args:
      x: values.
      rate: in [0, 1).
      tokens: their keys, of the rank of ``x``, 1 wherever an axis is not of tokens.
      entry: int32 number of each entry among those of its token, likewise.
    """
    number = entry.astype(jnp.uint32) * jnp.uint32(0x9E3779B1)
    kept = mixed(number ^ tokens.low, tokens.high) >= jnp.uint32(round(rate * 2**32))
    return jnp.where(kept, x / (1 - rate), 0)
