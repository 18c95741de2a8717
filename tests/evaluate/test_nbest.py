"""Merging against dictionaries, pooling against sorting, and the layouts of answers."""

import numpy as np
import pytest

from xmrc_jax.data.squad import Question
from xmrc_jax.data.windows import Windows
from xmrc_jax.evaluate import nbest
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
    W, L, K, Q, k = 9, 6, 5, 4, 4
    chars_T2 = rng.integers(0, 6, (W * L, 2))
    bounds_W2 = np.stack([np.arange(W) * L, np.arange(1, W + 1) * L], axis=1)
    question_W = np.sort(rng.integers(0, Q - 1, W))  # the last question has no window
    windows = windows_of(chars_T2, bounds_W2, question_W)
    spans_WK2 = rng.integers(0, L, (W, K, 2)).astype(np.int32)
    logits_WK2 = rng.integers(-2, 3, (W, K, 2)).astype(np.float32)
    none_WK = rng.random((W, K)) < 0.2
    spans_WK2[none_WK], logits_WK2[none_WK] = -1, -np.inf
    log_p_WK = 2 * logits_WK2.sum(axis=2) - 1  # it goes with its span

    null_W3 = rng.permutation(3 * W).reshape(W, 3).astype(np.float32)  # no two sums need be equal

    merged = nbest.merge(windows, spans_WK2, logits_WK2, log_p_WK, null_W3, questions=Q, k=k)

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

    best, question_EK = nbest.pooled(single, pool_Q, pools)

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


@pytest.mark.parametrize('seed', range(10))
def test_the_null_has_its_rank_among_the_answers(seed):
    """Against sorted lists; whole numbers make ties, in which the span comes first."""
    rng = np.random.default_rng(seed)
    Q, K, threshold = 6, 4, float(rng.integers(-2, 3))
    logits_QK2 = -np.sort(-rng.integers(-3, 4, (Q, K, 2)), axis=1).astype(np.float32)
    chars_QK2 = rng.integers(1, 9, (Q, K, 2)).astype(np.int32)
    none_QK = np.arange(K) >= rng.integers(0, K + 1, (Q, 1))
    chars_QK2[none_QK], logits_QK2[none_QK] = -1, -np.inf
    null_Q3 = rng.integers(-3, 4, (Q, 3)).astype(np.float32)
    spans = NBest(chars_QK2, logits_QK2, logits_QK2.sum(axis=2) - 1, null_Q3)

    both, order_QK = spans.with_null(threshold)

    for question in range(Q):
        ranked = [
            (-logits_QK2[question, rank].sum(), rank, tuple(chars_QK2[question, rank]))
            for rank in range(K)
            if not none_QK[question, rank]
        ]
        null = null_Q3[question, :2].sum()
        ranked = sorted([*ranked, (threshold - null, K, (0, 0))])[:K]
        assert order_QK[question, : len(ranked)].tolist() == [rank for _, rank, _ in ranked]
        for at, (score, rank, chars) in enumerate(ranked):
            assert tuple(both.chars_QK2[question, at]) == chars
            raw = null if rank == K else -score
            assert both.logits_QK2[question, at].sum() == raw
            assert both.log_p_QK[question, at] == (null_Q3[question, 2] if rank == K else raw - 1)
        # The official rule.
        first = both.chars_QK2[question, 0].tolist() == [0, 0]
        assert first == (spans.null_odds_Q[question] > threshold)


@pytest.fixture
def answered():
    """Two answers to the first question, none to the second."""
    passage = 'Founded in September 1876.'
    questions = [Question(id_, '', passage, ()) for id_ in ('1', '2')]
    chars_QK2 = np.array([[[21, 25], [11, 25]], [[-1, -1], [-1, -1]]], np.int32)
    logits_QK2 = np.full((2, 2, 2), -np.inf, np.float32)
    logits_QK2[0] = [[2.0, 1.5], [0.5, 3.0 - np.log(3)]]
    return questions, NBest(
        chars_QK2, logits_QK2, logits_QK2.sum(axis=2), np.zeros((len(logits_QK2), 3))
    )


def test_answers_are_slices_of_the_passage(answered):
    assert nbest.texts(*answered) == {'1': ['1876', 'September 1876'], '2': []}
    assert nbest.predictions(*answered) == {'1': '1876', '2': ''}


def test_null_odds_are_the_null_score_less_the_best_s(answered):
    questions, own = answered
    own.null_Q3[:] = [[3.0, 2.0, -1.0], [-3.0, 2.0, -1.0]]
    # 5 - 3.5; where there is no answer nothing speaks against the null.
    assert nbest.null_odds(questions, own) == {'1': 1.5, '2': nbest.FAR}


def test_the_n_best_have_the_layout_of_run_qa(answered):
    listed = nbest.nbest_json(*answered)
    assert list(listed) == ['1', '2']
    assert listed['2'] == []
    first, second = listed['1']
    assert list(first) == ['start_logit', 'end_logit', 'text', 'probability', 'start', 'end']
    passage = answered[0][0].passage
    assert all(passage[each['start'] : each['end']] == each['text'] for each in (first, second))
    assert (first['start_logit'], first['end_logit'], first['text']) == (2.0, 1.5, '1876')
    assert second['text'] == 'September 1876'
    # Scores 3.5 and 3.5 - log 3: weights 3 to 1.
    assert (first['probability'], second['probability']) == pytest.approx((0.75, 0.25))
