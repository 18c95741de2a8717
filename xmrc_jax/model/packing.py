"""Several windows in one row: the encoder pays for little padding.

Windows of a batch have different lengths. The encoder computes fewer rows, of P places, in which
whole windows lie end to end, and attention sees the tokens of its own window alone. Packing and
unpacking are gathers of whole vectors, one the inverse of the other, before the first layer and
behind the last.

A batch has G groups of B / G windows each, with R / G rows each. Groups do not see each other, so
they may lie on different devices.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Layout(NamedTuple):
    """What lies where in the R rows of a batch.

    Attributes:
      number_RP: int32 number of the token at each place among the tokens of the padded windows of
        the whole batch; anything at empty places.
      window_RP: int32 number of its window in that batch; at empty places -1.
      real_RP: where there is a real token.
      position_RP: int32 position in its window.
      moves: (token_GP, place_GP), how a group's tokens come into its rows and back; None where
        rows are windows.
    """

    number_RP: jax.Array
    window_RP: jax.Array
    real_RP: jax.Array
    position_RP: jax.Array
    moves: tuple[jax.Array, jax.Array] | None

    @property
    def same_RPM(self) -> jax.Array:
        """True where M is a real token of the window of P: what P may attend to."""
        window_RP, real_RP = self.window_RP, self.real_RP
        return (window_RP[:, :, None] == window_RP[:, None, :]) & real_RP[:, None, :]

    def pack(self, x_BL: jax.Array) -> jax.Array:
        """[B, L, ...] -> [R, P, ...], zeros at empty places."""
        if self.moves is None:
            return x_BL
        token_GP, place_GP = self.moves
        return _moved(x_BL, token_GP, place_GP, len(self.number_RP))

    def unpack(self, x_RP: jax.Array, windows: int) -> jax.Array:
        """[R, P, ...] -> [B, L, ...] of B ``windows``, zeros at padding."""
        if self.moves is None:
            return x_RP
        token_GP, place_GP = self.moves
        return _moved(x_RP, place_GP, token_GP, windows)


def layout(
    mask_BL: jax.Array, token_GRP: jax.Array | None, number_B: jax.Array | None = None
) -> Layout:
    """How the encoder lays out the tokens of a batch.

    Args:
      mask_BL: True at real tokens.
      token_GRP: int32 for every place of the R / G rows of each group: the index of the token there
        among the B / G x L tokens of the group's padded windows; B / G x L where the place is
        empty. None: every window is a row of its own.
      number_B: int32 number of each window, where they are a part of a batch; None: in their order.

    Example:
      >>> mask_BL = jnp.array([[True, True, False], [True, False, False]])
      >>> packed = layout(mask_BL, jnp.array([[[0, 1, 3, 6]]]))
      >>> packed.pack(jnp.array([[1.0, 2.0, 0.0], [3.0, 0.0, 0.0]])).tolist()
      [[1.0, 2.0, 3.0, 0.0]]
      >>> packed.window_RP.tolist(), packed.position_RP.tolist()
      ([[0, 0, 1, -1]], [[0, 1, 0, 0]])
    """
    B, L = mask_BL.shape
    number_B = jnp.arange(B, dtype=jnp.int32) if number_B is None else number_B
    if token_GRP is None:
        number_BL = L * number_B[:, None] + jnp.arange(L, dtype=jnp.int32)[None]
        return Layout(number_BL, number_BL // L, mask_BL, number_BL % L, None)
    G, _, P = token_GRP.shape
    size = B * L // G
    token_GP = token_GRP.reshape(G, -1)

    def places(token_P):  # of the group's tokens; out of range at padding
        place_P = jnp.arange(len(token_P), dtype=jnp.int32)
        return jnp.full(size, len(token_P), jnp.int32).at[token_P].set(place_P, mode='drop')

    window_GP = jnp.take_along_axis(number_B.reshape(G, -1), token_GP // L, axis=1, mode='clip')
    number_GP = L * window_GP + token_GP % L
    number_RP, real_RP = number_GP.reshape(-1, P), token_GP.reshape(-1, P) < size
    window_RP = jnp.where(real_RP, number_RP // L, -1)
    moves = token_GP, jax.vmap(places)(token_GP)
    return Layout(number_RP, window_RP, real_RP, number_RP % L, moves)


def _moved(x, index_GP, inverse_GP, rows):
    x_GP = x.reshape(len(index_GP), -1, *x.shape[2:])
    return _gathered(x_GP, index_GP, inverse_GP).reshape(rows, -1, *x.shape[2:])


@jax.custom_vjp
def _gathered(x_GP, index_GP, inverse_GP):
    """``x[g, index[g]]`` for every group g, zero where the index is out of range.

    ``inverse`` undoes the move, so that the gradient is a gather too: no additions, no scatter.
    """
    return jax.vmap(lambda x, index: x.at[index].get(mode='fill', fill_value=0))(x_GP, index_GP)


def _gathered_forward(x_GP, index_GP, inverse_GP):
    return _gathered(x_GP, index_GP, inverse_GP), (index_GP, inverse_GP)


def _gathered_backward(indices, gradient_GP):
    index_GP, inverse_GP = indices
    return _gathered(gradient_GP, inverse_GP, index_GP), None, None


_gathered.defvjp(_gathered_forward, _gathered_backward)
