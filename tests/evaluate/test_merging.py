"""Merging against dictionaries, pooling against sorting."""

import numpy as np
import pytest

from xmrc_jax.data.windows import Windows
from xmrc_jax.evaluate import merging
from xmrc_jax.evaluate.nbest import NBest


def windows_of(chars_T2, bounds_W2, question_W) -> Windows:
    """Windows of which only what merging reads is filled in."""
    W = len(bounds_W2)
    return Windows(
        ids_T=np.zeros(len(chars_T2), np.int32),
        chars_T2=np.array(chars_T2, np.int32),
        bounds_W2=np.array(bounds_W2, np.int64),
        question_W2=np.zeros((W, 2), np.int32),
        passage_W2=np.zeros((W, 2), np.int32),
        gold_W2=np.zeros((W, 2), np.int32),
        question_W=np.array(question_W, np.int32),
        repeats_C3=np.zeros((0, 3), np.int32),
        pad_id=0,
        key='',
    )


@pytest.mark.parametrize('seed', range(20))
def test_merging_equals_dictionaries(seed):
    """Whole-numbered logits make ties, narrow characters make repeats and empty spans."""
    rng = np.random.default_rng(seed)
    W, L, K, Q = 9, 6, 5, 8
    k = rng.integers(3, 7)  # fewer than the spans of a window, or more
    chars_T2 = rng.integers(0, 6, (W * L, 2))
    bounds_W2 = np.stack([np.arange(W) * L, np.arange(1, W + 1) * L], axis=1)
    question_W = np.sort(rng.integers(0, Q - 1, W))  # the last question has no window
    windows = windows_of(chars_T2, bounds_W2, question_W)
    spans_WK2 = rng.integers(0, L, (W, K, 2)).astype(np.int32)
    logits_WK2 = rng.integers(-9, 9, (W, K, 2)).astype(np.float32)
    none_WK = rng.random((W, K)) < 0.2
    spans_WK2[none_WK], logits_WK2[none_WK] = -1, -np.inf
    ranked_W = rng.random(W) < 0.7  # as the device gives them: best first, most of them distinct
    order_WK = np.argsort(-logits_WK2.sum(axis=2) + 0.0, axis=1, kind='stable')
    order_WK = np.where(ranked_W[:, None], order_WK, np.arange(K))[:, :, None]
    spans_WK2, logits_WK2 = (
        np.take_along_axis(each, order_WK, axis=1) for each in (spans_WK2, logits_WK2)
    )
    log_p_WK = 2 * logits_WK2.sum(axis=2) - 1  # it goes with its span

    null_W3 = rng.permutation(3 * W).reshape(W, 3).astype(np.float32)  # no two sums need be equal

    spans = NBest(spans_WK2, logits_WK2, log_p_WK, null_W3)
    merged = merging.merge(windows, spans, questions=Q, k=k)

    for question in range(Q):
        found = {}
        for window in np.flatnonzero(question_W == question):
            for (start, end), logits in zip(spans_WK2[window], logits_WK2[window], strict=True):
                chars = chars_T2[window * L + start, 0], chars_T2[window * L + end, 1]
                if start >= 0 and chars[0] < chars[1]:
                    found[chars] = max(found.get(chars, -np.inf), logits.sum())
        of_question = null_W3[question_W == question].tolist()
        least = min(of_question, key=lambda null: null[0] + null[1], default=[-np.inf] * 3)
        assert merged.null_Q3[question].tolist() == least
        ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:k]
        ranked += [((-1, -1), -np.inf)] * (k - len(ranked))
        chars_K2, score_K = zip(*ranked, strict=True)
        np.testing.assert_array_equal(merged.chars_QK2[question], chars_K2)
        np.testing.assert_array_equal(merged.logits_QK2[question].sum(axis=1), score_K)
        np.testing.assert_array_equal(merged.log_p_QK[question], 2 * np.array(score_K) - 1)


def test_the_same_characters_found_twice_in_one_window_are_one_answer():
    """Token 1 has no width, so that spans (0, 0) and (0, 1) are the same characters."""
    windows = windows_of([(0, 2), (2, 2), (2, 5)], [(0, 3)], [0])
    spans_1K2 = np.array([[[0, 1], [2, 2], [0, 0], [1, 1]]], np.int32)
    logits_1K2 = np.array([[[4, 0], [3, 0], [2, 0], [1, 0]]], np.float32)
    rest = logits_1K2.sum(axis=2), np.zeros((1, 3), np.float32)
    merged = merging.merge(windows, NBest(spans_1K2, logits_1K2, *rest), questions=1, k=3)
    assert merged.chars_QK2[0].tolist() == [[0, 2], [2, 5], [-1, -1]]
    assert merged.log_p_QK[0].tolist() == [4, 3, -np.inf]


@pytest.mark.parametrize('seed', range(20))
def test_pooling_equals_sorting(seed):
    """Whole-numbered logits make ties; a pool may be of one question, of several, or of none."""
    rng = np.random.default_rng(seed)
    Q, K, pools = 9, 4, 5
    pool_Q = np.sort(rng.integers(0, pools - 1, Q))  # the last pool is empty
    chars_QK2 = rng.integers(0, 9, (Q, K, 2)).astype(np.int32)
    logits_QK2 = rng.integers(-2, 3, (Q, K, 2)).astype(np.float32)
    ranked_QK1 = np.argsort(-logits_QK2.sum(axis=2), axis=1, kind='stable')[:, :, None]
    logits_QK2 = np.take_along_axis(logits_QK2, ranked_QK1, axis=1)
    none_QK = np.arange(K) >= rng.integers(0, K + 1, (Q, 1))
    chars_QK2[none_QK], logits_QK2[none_QK] = -1, -np.inf
    null_Q3 = rng.integers(-3, 4, (Q, 3)).astype(np.float32)
    single = NBest(chars_QK2, logits_QK2, 2 * logits_QK2.sum(axis=2), null_Q3)

    best, question_EK = merging.pooled(single, pool_Q, pools)

    for pool in range(pools):
        expected = [
            (-logits_QK2[question, rank].sum(), question, rank)
            for question in np.flatnonzero(pool_Q == pool)
            for rank in np.flatnonzero(~none_QK[question])
        ]
        expected = [place for _, *place in sorted(expected)[:K]]
        assert question_EK[pool].tolist() == [*(q for q, _ in expected)] + [-1] * (
            K - len(expected)
        )
        for rank, at in enumerate(map(tuple, expected)):
            np.testing.assert_array_equal(best.chars_QK2[pool, rank], chars_QK2[at])
            np.testing.assert_array_equal(best.logits_QK2[pool, rank], logits_QK2[at])
            assert best.log_p_QK[pool, rank] == single.log_p_QK[at]
        of_pool = [tuple(null_Q3[question]) for question in np.flatnonzero(pool_Q == pool)]
        if of_pool:
            assert tuple(best.null_Q3[pool]) == min(of_pool, key=lambda null: sum(null[:2]))
        assert (best.chars_QK2[pool, len(expected) :] == -1).all()
        assert np.isneginf(best.logits_QK2[pool, len(expected) :]).all()
