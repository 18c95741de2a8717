"""Marks on the tokens of a span: what a second pass reads of the first one's answer.

Three rows, added to the embeddings of a span's first token, its inner tokens and its last token; a
span of one token is first and last at once. They start at zero, so that a second pass starts as the
reader that it starts from. CalibreNet (Liang et al. 2021) says that the initial answer is an input;
that it comes in as such rows is this project's reading.
"""

import jax
import jax.numpy as jnp

ROWS = 3  # first, inner, last token


def marked(reader: dict) -> dict:
    """A reader's parameters with marks that say nothing yet. Traceable."""
    width = reader['encoder']['embed']['norm']['scale'].shape[0]
    return reader | {'marks': {'embedding': jnp.zeros((ROWS, width), jnp.float32)}}


def added(marks: dict, mark_B2: jax.Array, length: int) -> jax.Array:
    """What marks add to the embeddings: float32 [B, L, D].

    Args:
      marks: from ``marked``.
      mark_B2: inclusive token spans; (-1, -1) marks nothing.
      length: L.

    Example:
      >>> rows = {'embedding': jnp.array([[1.0], [2.0], [4.0]])}
      >>> added(rows, jnp.array([[1, 3], [2, 2], [-1, -1]]), 4)[..., 0].tolist()
      [[0.0, 1.0, 2.0, 4.0], [0.0, 0.0, 5.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    place_1L, (start_B1, end_B1) = jnp.arange(length)[None], jnp.split(mark_B2, 2, axis=1)
    kinds = (
        place_1L == start_B1,
        (start_B1 < place_1L) & (place_1L < end_B1),
        place_1L == end_B1,
    )
    rows = zip(kinds, marks['embedding'], strict=True)
    return sum(jnp.where(kind_BL[..., None], row_D[None, None], 0.0) for kind_BL, row_D in rows)
