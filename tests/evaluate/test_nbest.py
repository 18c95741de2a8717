"""Where the null has its place, and the layouts of answers."""

import json

import numpy as np
import pytest

from xmrc_jax.data.squad import Question
from xmrc_jax.evaluate import nbest
from xmrc_jax.evaluate.nbest import NBest


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
    listed = json.loads(nbest.nbest_json(*answered))
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


@pytest.mark.parametrize('calibrated', [False, True])
@pytest.mark.parametrize('count', [0, 1, 2])
def test_the_text_is_that_of_a_json_file_byte_for_byte(answered, calibrated, count):
    """Quotes, backslashes, controls, other scripts, and numbers with many digits."""
    questions, (passage, ids) = answered[0], ('"\\\n\x01 é灯🏮/\u2028', ('"1"', '灯'))
    questions = [Question(id_, '', passage, ()) for id_ in ids][:count]
    chars_QK2 = np.array([[[0, 10], [4, 7], [1, 3]], [[-1, -1]] * 3], np.int32)[:count]
    logits_QK2 = np.full((2, 3, 2), -np.inf, np.float32)
    logits_QK2[0] = [[1 / 3, 2e9], [1e-7, -5e20], [-1e21, 0.0]]
    own = NBest(chars_QK2, logits_QK2[:count], np.zeros((count, 3)), np.zeros((count, 3)))
    confidence_QK = np.array([[0.1, 1.0, 1 / 7], [0.0, 0.0, 0.0]])[:count] if calibrated else None
    expected = {}
    for question, answers in zip(questions, nbest.found(own, confidence_QK), strict=True):
        expected[question.id] = [
            {
                'start_logit': each.start_logit,
                'end_logit': each.end_logit,
                'text': question.passage[each.start : each.end],
                'probability': each.probability,
                'start': each.start,
                'end': each.end,
            }
            | ({'confidence': each.confidence} if calibrated else {})
            for each in answers
        ]
    text = json.dumps(expected, indent=1, ensure_ascii=False) + '\n'
    assert nbest.nbest_json(questions, own, confidence_QK) == text
