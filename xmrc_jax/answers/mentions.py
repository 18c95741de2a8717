"""Candidates of Z that read alike: one answer may be mentioned in several places of a passage.

Table 3 of Chen et al. 2022 lists texts where its equations have spans. Owns what becomes of several
mentions of one text; knows no loss. Texts are compared as tokens, so that a mention with another
space or capital before it is another text.
"""

import jax
import jax.numpy as jnp


def same_tokens(ids_BL: jax.Array, spans_BK2: jax.Array, max_tokens: int) -> jax.Array:
    """Which candidates of a window have equal tokens: bool [B, K, K].

    Args:
      ids_BL: the window's tokens.
      spans_BK2: inclusive token spans; what is no span may be anything.
      max_tokens: of longer spans the first so many are compared, and their length.

    Example:
      >>> ids = jnp.array([[5, 6, 7, 5, 6]])
      >>> same_tokens(ids, jnp.array([[[0, 1], [3, 4], [0, 0]]]), 2)[0].astype(int).tolist()
      [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    """
    start_BK1, end_BK1 = spans_BK2[..., :1], spans_BK2[..., 1:]
    place_BKS = start_BK1 + jnp.arange(max_tokens)[None, None]
    inside_BKS = place_BKS <= end_BK1
    place_BKS = jnp.clip(place_BKS, 0, ids_BL.shape[1] - 1)
    token_BKS = jnp.take_along_axis(ids_BL[:, None], place_BKS, axis=2)
    token_BKS = jnp.where(inside_BKS, token_BKS, -1)
    read_BKS = jnp.concatenate([token_BKS, end_BK1 - start_BK1], axis=2)
    return jnp.all(read_BKS[:, :, None] == read_BKS[:, None], axis=3)


def _apart(log_p_BK, valid_BK, gold_BK, same_BKK):
    return log_p_BK, valid_BK


def _gold_once(log_p_BK, valid_BK, gold_BK, same_BKK):
    repeat_BK = jnp.any(same_BKK & (gold_BK & valid_BK)[:, None], axis=2)
    return log_p_BK, valid_BK & (gold_BK | ~repeat_BK)


def _summed(log_p_BK, valid_BK, gold_BK, same_BKK):
    K = log_p_BK.shape[1]
    present_BK = valid_BK & (log_p_BK != -jnp.inf)
    rank_BK = jnp.arange(K)[None] + K * gold_BK
    mention_BKK = same_BKK & present_BK[:, None]
    before_BKK = mention_BKK & (rank_BK[:, None] > rank_BK[:, :, None])
    first_BK = present_BK & ~before_BKK.any(axis=2)
    summed_BK = jax.nn.logsumexp(jnp.where(mention_BKK, log_p_BK[:, None], -jnp.inf), axis=2)
    return jnp.where(first_BK, summed_BK, -jnp.inf), first_BK


# Each takes (log_p_BK, valid_BK, gold_BK, same_BKK) and gives log_p_BK and valid_BK.
MENTIONS = {
    'apart': _apart,  # each is a candidate of its own
    'gold_once': _gold_once,  # but those of the gold's text, of which the gold alone stays
    'summed': _summed,  # one candidate a text: the gold or the last, of their summed probability
}
