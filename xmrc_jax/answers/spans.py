"""Answer spans on the device: the k best, their vectors, the hardest wrong ones.

Owns which spans are legal answers, how a span becomes a vector (eq. 6) and which span is the hard
negative (eq. 7). Knows nothing of losses, parameters or text: the caller says by token positions
where the passage, the gold answer and its repeats lie. Everything here runs under ``jax.jit`` with
static shapes; rows do not see each other, so the batch may be split over devices in any way.
"""

import jax
import jax.numpy as jnp

from xmrc_jax.ground.choices import choose


def span_scores(
    start_logits_BL: jax.Array, end_logits_BL: jax.Array, mask_BL: jax.Array, max_tokens: int
) -> jax.Array:
    """The score of every legal span, laid out as start x (length - 1).

    Args:
      start_logits_BL: unnormalised start scores.
      end_logits_BL: unnormalised end scores.
      mask_BL: True where a span may lie; one unbroken run of tokens in each row.
      max_tokens: longest legal span S, in tokens.

    Returns:
      float32 start + end, shape [B, L, S]; -inf where the span is not legal.
    """
    start_BL, end_BL = _legal(start_logits_BL, end_logits_BL, mask_BL, max_tokens)
    end_LS = jnp.arange(start_BL.shape[1])[:, None] + jnp.arange(max_tokens)[None, :]
    return start_BL[:, :, None] + end_BL[:, end_LS]


def top_spans(
    start_logits_BL: jax.Array,
    end_logits_BL: jax.Array,
    passage_BL: jax.Array,
    *,
    k: int,
    max_tokens: int,
) -> tuple[jax.Array, jax.Array]:
    """The k best legal spans of every window, exact, best first.

    A span is legal when it lies inside the passage and has 1 to ``max_tokens`` tokens; its score
    is its start logit plus its end logit. Equal scores are ordered by start, then by length.

    Two levels: a span among the k best can only begin at one of the k starts whose best span is
    best, for otherwise each of those k spans would come before it. So k starts are chosen first,
    by the best end that each can reach, and only their spans are scored and ranked.

    Args:
      start_logits_BL: unnormalised start scores.
      end_logits_BL: unnormalised end scores.
      passage_BL: True at the tokens of the passage, one unbroken run.
      k: number of spans K; may exceed the number of legal ones.
      max_tokens: longest answer, in tokens.

    Returns:
      float32 score_BK and int32 inclusive spans_BK2. Where a window has fewer than k legal spans
      of finite score the rest has score -inf and the span (0, 0).

    Reference:
      Chen et al. 2022: the n-best predictions behind Z and A. The limit on the length is common
      practice (run_qa), the paper states none.

    Example:
      >>> start = jnp.array([[0.0, 3.0, 1.0, 0.0]])
      >>> end = jnp.array([[0.0, 1.0, 2.0, 9.0]])
      >>> passage = jnp.array([[False, True, True, False]])  # token 3 is not in the passage
      >>> score, spans = top_spans(start, end, passage, k=4, max_tokens=2)
      >>> score.tolist(), spans.tolist()
      ([[5.0, 4.0, 3.0, -inf]], [[[1, 2], [1, 1], [2, 2], [0, 0]]])
    """
    B, L = start_logits_BL.shape
    start_BL, end_BL = _legal(start_logits_BL, end_logits_BL, passage_BL, max_tokens)
    _, start_BK = jax.lax.top_k(start_BL + _best_within(end_BL, max_tokens), min(k, L))
    start_BK = jnp.sort(start_BK, axis=1)  # ascending, so that ties are ordered as over all spans
    end_BKS = start_BK[:, :, None] + jnp.arange(max_tokens)[None, None]
    score_BKS = jnp.take_along_axis(start_BL, start_BK, axis=1)[:, :, None]
    score_BKS += jnp.take_along_axis(end_BL[:, None], end_BKS, axis=2)
    flat_BS = score_BKS.reshape(B, -1)
    missing = max(0, k - flat_BS.shape[1])
    flat_BS = jnp.pad(flat_BS, ((0, 0), (0, missing)), constant_values=-jnp.inf)
    score_BK, index_BK = jax.lax.top_k(flat_BS, k)
    row_BK, length_BK = jnp.divmod(index_BK, max_tokens)
    start_BK = jnp.take_along_axis(start_BK, row_BK, axis=1)
    spans_BK2 = jnp.stack([start_BK, start_BK + length_BK], axis=-1)
    return score_BK, jnp.where(jnp.isfinite(score_BK)[:, :, None], spans_BK2, 0)


def _legal(start_logits_BL, end_logits_BL, mask_BL, max_tokens):
    """float32 logits, -inf off the mask; ends have ``max_tokens`` - 1 places more, all -inf."""
    start_BL = jnp.where(mask_BL, start_logits_BL.astype(jnp.float32), -jnp.inf)
    end_BL = jnp.where(mask_BL, end_logits_BL.astype(jnp.float32), -jnp.inf)
    return start_BL, jnp.pad(end_BL, ((0, 0), (0, max_tokens - 1)), constant_values=-jnp.inf)


def _best_within(x_BL, size):
    """The greatest of every ``size`` neighbours, as many fewer: runs are doubled until they fit."""
    run = 1
    while run < size:
        step = min(run, size - run)
        x_BL = jnp.maximum(x_BL[:, :-step], x_BL[:, step:])
        run += step
    return x_BL


def range_mask(ranges_B2: jax.Array, length: int) -> jax.Array:
    """True at the positions of half-open ranges [lo, hi): bool [B, length].

    Further leading axes are allowed.

    Example:
      >>> range_mask(jnp.array([[1, 3], [0, 0]]), 4).astype(int).tolist()
      [[0, 1, 1, 0], [0, 0, 0, 0]]
    """
    lo, hi = ranges_B2[..., :1], ranges_B2[..., 1:]
    position = jnp.arange(length).reshape((1,) * (ranges_B2.ndim - 1) + (length,))
    return (lo <= position) & (position < hi)


def pool(hidden_BLD: jax.Array, spans_BK2: jax.Array) -> jax.Array:
    """The mean hidden vector over the tokens of each span (eq. 6, Chen et al. 2022).

    A product with a 0/1 mask, accumulated in float32: as exact as a gathered mean and several
    times faster, where differences of prefix sums lose 4 digits to cancellation.

    Args:
      hidden_BLD: last encoder layer, float32 or bfloat16.
      spans_BK2: inclusive token spans; (-1, -1) pools nothing and gives the zero vector.

    Returns:
      float32 vectors, shape [B, K, D].

    Example:
      >>> hidden = jnp.array([[[1.0], [2.0], [6.0]]])
      >>> pool(hidden, jnp.array([[[0, 1], [1, 2], [-1, -1]]])).tolist()
      [[[1.5], [4.0], [0.0]]]
    """
    lo_BK, hi_BK = spans_BK2[..., 0], spans_BK2[..., 1] + 1
    mask_BKL = range_mask(jnp.stack([lo_BK, hi_BK], axis=-1), hidden_BLD.shape[1])
    sum_BKD = jnp.einsum(
        'bkl,bld->bkd',
        mask_BKL.astype(hidden_BLD.dtype),
        hidden_BLD,
        precision=jax.lax.Precision.HIGHEST,
        preferred_element_type=jnp.float32,
    )
    return sum_BKD / jnp.maximum(hi_BK - lo_BK, 1)[:, :, None]


def pool_range(hidden_BLD: jax.Array, ranges_B2: jax.Array) -> jax.Array:
    """The mean hidden vector over one half-open range [lo, hi) per window: float32 [B, D].

    The question's vector of eq. 8, when the range holds its tokens without the special ones.
    """
    spans_B2 = ranges_B2 - jnp.array([[0, 1]])
    return pool(hidden_BLD, spans_B2[:, None])[:, 0]


def unit(vectors: jax.Array) -> jax.Array:
    """Vectors of length 1 along the last axis, in float32; the zero vector stays zero.

    The squared norm is kept above 1e-12, so the gradient is finite everywhere.
    """
    vectors = vectors.astype(jnp.float32)
    square = jnp.sum(vectors * vectors, axis=-1, keepdims=True)
    return vectors * jax.lax.rsqrt(jnp.maximum(square, 1e-12))


def cosine(vectors_BKD: jax.Array, gold_BD: jax.Array) -> jax.Array:
    """Cosine similarity of K vectors with one vector of the same window: float32 [B, K]."""
    return jnp.sum(unit(vectors_BKD) * unit(gold_BD)[:, None], axis=-1)


def same_text(spans_BK2: jax.Array, repeat_end_BL: jax.Array) -> jax.Array:
    """Whether a span repeats the text of the gold answer: bool [B, K].

    Args:
      spans_BK2: inclusive token spans.
      repeat_end_BL: for a token where a repeat of the gold text starts, the token where that
        repeat ends, else -1; the gold span itself is included.

    Example:
      >>> repeat_end = jnp.array([[-1, 2, -1, -1, 5, -1]])  # the gold text is at 1..2 and at 4..5
      >>> same_text(jnp.array([[[1, 2], [4, 5], [1, 5], [0, 0]]]), repeat_end).tolist()
      [[True, True, False, False]]
    """
    start_BK, end_BK = spans_BK2[..., 0], spans_BK2[..., 1]
    repeat_end_BK = jnp.take_along_axis(repeat_end_BL, jnp.maximum(start_BK, 0), axis=1)
    return (repeat_end_BK == end_BK) & (end_BK >= 0)


def eligible(
    score_BK: jax.Array,
    spans_BK2: jax.Array,
    gold_B2: jax.Array,
    repeat_end_BL: jax.Array,
    strict: bool = False,
) -> jax.Array:
    """Which members of the running set A may be the hard negative: bool [B, K].

    Those that exist (finite score) and are neither the gold span nor its text elsewhere.

    Differs from the paper in the repeats: 10-15 % of the passages repeat the answer's text, and a
    repeat would be a false negative of cosine 1. ``strict`` is the paper's print: only the gold
    span itself is left out.
    """
    gold_BK = jnp.all(spans_BK2 == gold_B2[:, None], axis=-1)
    wrong_BK = ~gold_BK if strict else ~gold_BK & ~same_text(spans_BK2, repeat_end_BL)
    return jnp.isfinite(score_BK) & wrong_BK


def hardest(
    preference_BK: jax.Array, eligible_BK: jax.Array, count: int
) -> tuple[jax.Array, jax.Array]:
    """The ``count`` eligible members of the highest preference, best first.

    Returns:
      int32 index_BE and bool valid_BE, E = count <= K; valid is False where a row has fewer
      eligible members. No gradient passes.

    Example:
      >>> similarity = jnp.array([[0.9, 0.2, 0.5]])
      >>> index, valid = hardest(similarity, jnp.array([[False, True, True]]), 3)
      >>> index[0, :2].tolist(), valid.tolist()
      ([2, 1], [[True, True, False]])
    """
    preference_BK = jax.lax.stop_gradient(jnp.where(eligible_BK, preference_BK, -jnp.inf))
    value_BE, index_BE = jax.lax.top_k(preference_BK, count)
    return index_BE, jnp.isfinite(value_BE)


# What makes a member of A preferred, given its similarity to the gold, its score and a key.
NEGATIVES = {
    'similar': lambda similarity_BK, score_BK, key: similarity_BK,
    'top1': lambda similarity_BK, score_BK, key: score_BK,
    'random': lambda similarity_BK, score_BK, key: jax.random.uniform(key, score_BK.shape),
}


def hard_negatives(
    hidden_BLD: jax.Array,
    score_BK: jax.Array,
    spans_BK2: jax.Array,
    gold_B2: jax.Array,
    eligible_BK: jax.Array,
    *,
    policy: str = 'similar',
    count: int = 1,
    key: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The hard negatives of every window among its running set A.

    The choice carries no gradient; ``pool`` the returned spans for vectors that do. That way the
    backward pass touches E spans instead of K.

    Args:
      hidden_BLD: last encoder layer.
      score_BK: scores of A, from ``top_spans``.
      spans_BK2: the spans of A.
      gold_B2: inclusive gold span.
      eligible_BK: from ``eligible``.
      policy: ``similar``, the most cosine-similar to the gold; ``top1``, the best scoring;
        ``random``, any.
      count: E, the paper's Theta.
      key: for ``random`` only.

    Returns:
      spans_BE2, bool valid_BE, and their cosine similarity_BE to the gold, the hardness.

    Raises:
      UserError: unknown policy.

    Reference:
      Eq. 7 and appendix B, Chen et al. 2022. Differs from the paper in eq. 7's print: max stands
      there for argmax.
    """
    prefer = choose(NEGATIVES, policy, 'negative policy')
    hidden_BLD = jax.lax.stop_gradient(hidden_BLD)
    gold_BD = pool(hidden_BLD, gold_B2[:, None])[:, 0]
    similarity_BK = cosine(pool(hidden_BLD, spans_BK2), gold_BD)
    index_BE, valid_BE = hardest(prefer(similarity_BK, score_BK, key), eligible_BK, count)
    spans_BE2 = jnp.take_along_axis(spans_BK2, index_BE[:, :, None], axis=1)
    return spans_BE2, valid_BE, jnp.take_along_axis(similarity_BK, index_BE, axis=1)
