"""Real tokens end to end: the encoder pays for no padding where it need not.

Windows of a batch have different lengths. What looks at one token at a time (all matrix products,
LayerNorm, dropout) runs over the real tokens of several windows laid end to end; attention alone
sees windows. Both are gathers of whole rows, one the inverse of the other, forward and backward.

A batch has G groups of B / G windows each. They do not see each other, so they may lie on
different devices.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Packed(NamedTuple):
    """Tokens of a group's windows end to end, padding left out.

    Attributes:
      token_GP: int32 index, among the B / G x L tokens of the group's padded windows, of the token
        at each place; B / G x L where the place is empty.
      place_BL: int32 place of each token in its group; P at padding.
    """

    token_GP: jax.Array
    place_BL: jax.Array

    def pack(self, x_BL: jax.Array) -> jax.Array:
        """[B, L, ...] -> [G, P, ...], zeros at empty places."""
        return _moved(self._grouped(x_BL), self.token_GP, self._grouped(self.place_BL))

    def unpack(self, x_GP: jax.Array) -> jax.Array:
        """[G, P, ...] -> [B, L, ...], zeros at padding."""
        x = _moved(x_GP, self._grouped(self.place_BL), self.token_GP)
        return x.reshape(self.place_BL.shape + x.shape[2:])

    @property
    def number_GP(self) -> jax.Array:
        """int32 of each token among the B x L of the whole padded batch."""
        G, size = len(self.token_GP), self.place_BL.size
        return self.token_GP + jnp.arange(0, size, size // G, dtype=jnp.int32)[:, None]

    def _grouped(self, x_BL):
        return x_BL.reshape(len(self.token_GP), -1, *x_BL.shape[2:])


class Padded(NamedTuple):
    """Windows as they come: a group is a window, its places are its tokens.

    Attributes:
      number_GP: int32 of each token of the batch.
    """

    number_GP: jax.Array

    def pack(self, x_BL: jax.Array) -> jax.Array:
        """[B, L, ...], unchanged."""
        return x_BL

    unpack = pack


def layout(mask_BL: jax.Array, token_GP: jax.Array | None) -> Packed | Padded:
    """How the encoder lays out the tokens of a batch.

    Args:
      mask_BL: True at real tokens.
      token_GP: see ``Packed``; None leaves the windows padded.

    Example:
      >>> mask = jnp.array([[True, True, False], [True, False, False]])
      >>> packed = layout(mask, jnp.array([[0, 1, 3, 6]]))
      >>> packed.pack(jnp.array([[1.0, 2.0, 0.0], [3.0, 0.0, 0.0]])).tolist()
      [[1.0, 2.0, 3.0, 0.0]]
      >>> packed.number_GP.tolist()
      [[0, 1, 3, 6]]
    """
    if token_GP is None:
        return Padded(jnp.arange(mask_BL.size, dtype=jnp.int32).reshape(mask_BL.shape))
    G, P = token_GP.shape
    place = jnp.cumsum(mask_BL.reshape(G, -1), axis=1, dtype=jnp.int32) - 1
    return Packed(token_GP, jnp.where(mask_BL, place.reshape(mask_BL.shape), P))


@jax.custom_vjp
def _moved(x, index, inverse):
    """``x[g, index[g]]`` for every group g, zero where the index is out of range.

    ``inverse`` undoes the move, so that the gradient is a gather too: no additions, no scatter.
    """
    return jax.vmap(lambda x, index: x.at[index].get(mode='fill', fill_value=0))(x, index)


def _moved_forward(x, index, inverse):
    return _moved(x, index, inverse), (index, inverse)


def _moved_backward(indices, gradient):
    index, inverse = indices
    return _moved(gradient, inverse, index), None, None


_moved.defvjp(_moved_forward, _moved_backward)
