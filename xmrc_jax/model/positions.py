"""What the positions of two tokens do to the attention between them: turn, limit, add.

Positions count inside a window, wherever in a row it lies, so that packed windows are read as
padded ones are.
"""

import jax
import jax.numpy as jnp
import numpy as np


def frequencies(width: int, theta: float, stretch: float) -> np.ndarray:
    """float32 radians by which one position turns each pair of a head of this width, [C].

    .. math:: f_c = theta^{-2c / A} / stretch

    Reference: Su et al. 2021, section 3.2.2.
    """
    exponent_C = np.arange(0, width, 2, dtype=np.float32) / np.float32(width)
    return (1 / np.float32(theta) ** exponent_C / np.float32(stretch)).astype(np.float32)


def rotated(x_RPHA: jax.Array, position_RP: jax.Array, frequency_C: jax.Array) -> jax.Array:
    """Queries or keys, each turned by its position, in their dtype; angles are float32.

    Entry c of a head and entry c + A / 2 are a pair.

    Example:
      >>> x_RPHA = jnp.array([[[[1.0, 0.0]], [[1.0, 0.0]]]])
      >>> turned = rotated(x_RPHA, jnp.array([[0, 1]]), jnp.array([jnp.pi / 2]))
      >>> jnp.round(turned[0, :, 0]).astype(int).tolist()
      [[1, 0], [0, 1]]
    """
    angle_RPC = position_RP[..., None].astype(jnp.float32) * frequency_C[None, None]
    cos_RP1A, sin_RP1A = (
        jnp.concatenate([turn, turn], axis=-1)[:, :, None]
        for turn in (jnp.cos(angle_RPC), jnp.sin(angle_RPC))
    )
    first_RPHC, second_RPHC = jnp.split(x_RPHA.astype(jnp.float32), 2, axis=-1)
    crossed_RPHA = jnp.concatenate([-second_RPHC, first_RPHC], axis=-1)
    return (x_RPHA * cos_RP1A + crossed_RPHA * sin_RP1A).astype(x_RPHA.dtype)


def within(position_RP: jax.Array, reach: jax.Array) -> jax.Array:
    """True where two places are at most so many positions apart, [R, P, M]."""
    return jnp.abs(position_RP[:, :, None] - position_RP[:, None, :]) <= reach


def bucket_of(distances: np.ndarray, buckets: int, limit: int) -> np.ndarray:
    """DeBERTa's bucket of a distance, of its sign, between -buckets and buckets.

    Up to half the buckets a distance is its own; the others share the rest in equal steps of its
    logarithm, the last at ``limit`` - 1. Computed in float32, whose rounding decides at the steps.

    Reference: He et al. 2021, DeBERTa; the log buckets of its second version.

    Example:
      >>> bucket_of(np.array([-3, 4, 5, 9, 15]), 8, 16).tolist()
      [-3, 4, 5, 6, 7]
    """
    mid = buckets // 2
    size = np.maximum(np.abs(distances), mid).astype(np.float32) / np.float32(mid)
    steps = np.log(size) / np.log(np.float32((limit - 1) / mid)) * np.float32(mid - 1)
    far = np.sign(distances) * (np.ceil(steps).astype(int) + mid)
    return np.where(np.abs(distances) <= mid, distances, far)


def relative_rows(position_RP: jax.Array, longest: int, buckets: int, limit: int) -> jax.Array:
    """int32 row of the table of relative positions for a query at P and a key at M, [R, P, M].

    Args:
      position_RP: below ``longest``.
      longest: length of the longest window.
      buckets, limit: as ``bucket_of`` has them; the table has a row for each bucket of either sign.
    """
    distances = np.arange(1 - longest, longest)
    rows = np.clip(buckets + bucket_of(distances, buckets, limit), 0, 2 * buckets - 1)
    distance_RPM = position_RP[:, :, None] - position_RP[:, None, :]
    return jnp.asarray(rows, jnp.int32)[distance_RPM + longest - 1]
