import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xmrc_jax.answers import spans
from xmrc_jax.ground.errors import UserError


def by_enumeration(start_L, end_L, passage_L, k, max_tokens):
    """Every legal span sorted by (score down, start up, length up)."""
    legal = [
        (-(start_L[s] + end_L[e]), s, e)
        for s in range(len(start_L))
        for e in range(s, min(s + max_tokens, len(start_L)))
        if passage_L[s] and passage_L[e]
    ]
    best = sorted(legal)[:k]
    filler = [(np.inf, 0, 0)] * (k - len(best))
    score, start, end = zip(*(best + filler), strict=True)
    return -np.array(score), np.stack([start, end], axis=-1)


# k beyond L, beyond the legal spans, and beyond every slot of the band (9 starts x 4 = 36).
@pytest.mark.parametrize(('k', 'max_tokens'), [(1, 4), (5, 1), (7, 3), (12, 4), (20, 30), (40, 4)])
@pytest.mark.parametrize('values', [2, 1000])
def test_top_spans_are_those_of_enumeration(k, max_tokens, values):
    # Two values make nearly every score a tie; whole numbers add up without rounding.
    rng = np.random.default_rng(k + values)
    start_BL, end_BL = rng.integers(0, values, (2, 30, 9)).astype(np.float32)
    lo_B = rng.integers(0, 9, 30)
    hi_B = rng.integers(lo_B, 10)  # an empty passage is among them
    passage_BL = (lo_B[:, None] <= np.arange(9)) & (np.arange(9) < hi_B[:, None])
    top = jax.jit(spans.top_spans, static_argnames=('k', 'max_tokens'))
    score_BK, spans_BK2 = top(start_BL, end_BL, passage_BL, k=k, max_tokens=max_tokens)
    for row in range(30):
        score_K, spans_K2 = by_enumeration(
            start_BL[row], end_BL[row], passage_BL[row], k, max_tokens
        )
        np.testing.assert_array_equal(score_BK[row], score_K)
        np.testing.assert_array_equal(spans_BK2[row], spans_K2)


def test_top_spans_of_bfloat16_logits_are_added_in_float32():
    # 256 + 1 is 256 in bfloat16: the better span would be lost in a tie.
    start_BL = jnp.array([[256.0, 256.0]], jnp.bfloat16)
    end_BL = jnp.array([[0.0, 1.0]], jnp.bfloat16)
    score_BK, spans_BK2 = spans.top_spans(
        start_BL, end_BL, jnp.ones((1, 2), bool), k=1, max_tokens=2
    )
    assert score_BK.tolist() == [[257.0]]
    assert spans_BK2.tolist() == [[[0, 1]]]


def test_pool_is_the_mean_of_the_tokens_in_float32():
    # One dimension stands out by +20, as in trained encoders; bfloat16 sums would lose the rest.
    rng = np.random.default_rng(0)
    hidden_BLD = rng.normal(size=(3, 17, 8)) + 20.0 * (np.arange(8) == 2)
    hidden_BLD = jnp.asarray(hidden_BLD, jnp.bfloat16)
    spans_BK2 = np.sort(rng.integers(0, 17, (3, 5, 2)), axis=-1)
    exact_BLD = np.asarray(hidden_BLD.astype(jnp.float32), np.float64)
    mean_BKD = [[exact_BLD[b, s : e + 1].mean(axis=0) for s, e in spans_BK2[b]] for b in range(3)]
    pooled_BKD = jax.jit(spans.pool)(hidden_BLD, spans_BK2)
    assert pooled_BKD.dtype == jnp.float32
    np.testing.assert_allclose(pooled_BKD, mean_BKD, rtol=1e-5, atol=1e-6)


def test_pool_range_is_half_open_and_an_empty_range_is_zero():
    hidden_BLD = jnp.array([[[1.0], [3.0], [100.0]], [[7.0], [7.0], [7.0]]])
    assert spans.pool_range(hidden_BLD, jnp.array([[0, 2], [1, 1]])).tolist() == [[2.0], [0.0]]


def test_gradient_of_pool_reaches_the_tokens_of_the_span_only():
    hidden_BLD = jnp.ones((1, 4, 1))
    grad = jax.grad(lambda h: spans.pool(h, jnp.array([[[1, 2]]])).sum())(hidden_BLD)
    assert grad[0, :, 0].tolist() == [0.0, 0.5, 0.5, 0.0]  # each token is half of the mean


def test_cosine_and_its_gradient_are_finite_at_the_zero_vector():
    vectors_BKD = jnp.array([[[3.0, 4.0], [0.0, 0.0], [-4.0, 3.0]]])
    gold_BD = jnp.array([[6.0, 8.0]])
    value_BK = spans.cosine(vectors_BKD, gold_BD)
    np.testing.assert_allclose(value_BK, [[1.0, 0.0, 0.0]], atol=1e-6)
    grads = jax.grad(lambda v, g: spans.cosine(v, g).sum(), (0, 1))(vectors_BKD, 0 * gold_BD)
    assert all(jnp.isfinite(grad).all() for grad in grads)


def test_a_span_that_is_none_repeats_no_text():
    repeat_end_BL = jnp.array([[-1, 1, -1]])
    none_or_gold = jnp.array([[[-1, -1], [1, 1]]])
    assert spans.same_text(none_or_gold, repeat_end_BL).tolist() == [[False, True]]


# The gold text stands at 1..2 and again at 4..5; the last member of A does not exist.
A = jnp.array([[[1, 2], [4, 5], [1, 1], [3, 5], [0, 0]]])
SCORE = jnp.array([[9.0, 8.0, 7.0, 6.0, -jnp.inf]])
GOLD = jnp.array([[1, 2]])
REPEAT_END = jnp.array([[-1, 2, -1, -1, 5, -1]])


@pytest.mark.parametrize(
    ('strict', 'expected'),
    [(False, [False, False, True, True, False]), (True, [False] + 3 * [True] + [False])],
)
def test_gold_and_its_repeats_are_not_eligible(strict, expected):
    assert spans.eligible(SCORE, A, GOLD, REPEAT_END, strict).tolist() == [expected]


# Tokens on a circle: token i at the angle of its entry. The gold 1..2 points to 0 degrees;
# (1, 1) to 10, (3, 5) to roughly 60, (4, 5) to 0 degrees exactly like the gold.
ANGLES = np.deg2rad([90.0, 10.0, -10.0, 170.0, 10.0, -10.0])
HIDDEN = jnp.asarray(np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=-1)[None], jnp.float32)


def negatives(policy, count=1, strict=False, key=None):
    return spans.hard_negatives(
        HIDDEN,
        SCORE,
        A,
        GOLD,
        spans.eligible(SCORE, A, GOLD, REPEAT_END, strict),
        policy=policy,
        count=count,
        key=key,
    )


def test_similar_takes_the_nearest_wrong_span():
    spans_BT2, valid_BT, similarity_BT = negatives('similar', count=3)
    assert spans_BT2[0, :2].tolist() == [[1, 1], [3, 5]]
    assert valid_BT.tolist() == [[True, True, False]]
    np.testing.assert_allclose(similarity_BT[0, 0], np.cos(np.deg2rad(10)), rtol=1e-6)


def test_strict_takes_the_repeat_of_the_gold_text():
    assert negatives('similar', strict=True)[0].tolist() == [[[4, 5]]]


def test_top1_takes_the_best_scoring_wrong_span_although_another_is_more_similar():
    swapped = jnp.array([[9.0, 8.0, 6.0, 7.0, -jnp.inf]])
    eligible_BK = spans.eligible(swapped, A, GOLD, REPEAT_END)
    spans_BT2, _, _ = spans.hard_negatives(HIDDEN, swapped, A, GOLD, eligible_BK, policy='top1')
    assert spans_BT2.tolist() == [[[3, 5]]]


def test_random_takes_every_eligible_member_and_no_other(key):
    taken = [negatives('random', key=k)[0] for k in jax.random.split(key, 30)]
    assert {tuple(spans_BT2[0, 0].tolist()) for spans_BT2 in taken} == {(1, 1), (3, 5)}


def test_a_row_without_an_eligible_member_has_no_valid_negative():
    _, valid_BT, _ = spans.hard_negatives(HIDDEN, SCORE, A, GOLD, jnp.zeros((1, 5), bool))
    assert valid_BT.tolist() == [[False]]


def test_the_choice_carries_no_gradient():
    def hardness(hidden_BLD):
        return spans.hard_negatives(hidden_BLD, SCORE, A, GOLD, jnp.ones((1, 5), bool))[2].sum()

    assert not jax.grad(hardness)(HIDDEN).any()


def test_unknown_policy_lists_the_choices():
    with pytest.raises(UserError, match=r"negative policy: .*'hard'.* similar, top1, random$"):
        negatives('hard')
