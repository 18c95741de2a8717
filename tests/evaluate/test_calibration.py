"""Calibrations: the threshold is the official best, confidences are as often right as they say."""

import numpy as np
import pytest
from scipy.optimize import minimize

from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.evaluate import calibration, no_answer
from xmrc_jax.evaluate.calibration import UNCALIBRATED, Calibration
from xmrc_jax.evaluate.nbest import NBest, null_odds, predictions, texts

PASSAGE = 'ab cd ef gh ij kl mn op qr st'
WORDS = [(3 * place, 3 * place + 2) for place in range(10)]


def made(seed, count, K=5, unanswerable=0.0, sharpness=2.0):
    """Questions whose right answer is drawn by the softmax of scores, which are then sharpened."""
    rng = np.random.default_rng(seed)
    score_QK = -np.sort(-rng.normal(0, 1.5, (count, K)), axis=1)
    weight_QK = np.exp(score_QK)
    chars_QK2 = np.array([rng.permutation(WORDS)[:K] for _ in range(count)], np.int32)
    logits_QK2 = np.stack([sharpness * score_QK, np.zeros_like(score_QK)], axis=2)
    null_Q3 = np.zeros((count, 3), np.float32)
    questions = []
    for number in range(count):
        none = rng.random() < unanswerable
        right = rng.choice(K, p=weight_QK[number] / weight_QK[number].sum())
        start, end = chars_QK2[number, right].tolist()
        answers = () if none else (Answer(start, PASSAGE[start:end]),)
        questions.append(Question(str(number), '?', PASSAGE, answers))
        null_Q3[number, 0] = rng.normal(3.0 if none else -3.0, 2.0)
    logits_QK2 = logits_QK2.astype(np.float32)
    return questions, NBest(chars_QK2, logits_QK2, logits_QK2.sum(axis=2), null_Q3)


def right_of(questions, nbest):
    listed = texts(questions, nbest)
    return np.array(
        [
            [text in ([a.text for a in question.answers] or ['']) for text in listed[question.id]]
            for question in questions
        ]
    )


def test_where_every_question_has_an_answer_there_is_no_threshold():
    questions, nbest = made(0, 50)
    found = calibration.fit(questions, nbest, 'squad', 'en')
    assert found.null_threshold is None
    ranked, order_QK = found.ranked(nbest)
    assert ranked is nbest
    assert (order_QK == np.arange(5)).all()


@pytest.mark.parametrize('sharpness', [0.5, 1.0, 3.0])
def test_slope_and_intercept_are_those_of_the_greatest_likelihood(sharpness):
    questions, nbest = made(1, 200, sharpness=sharpness)
    found = calibration.fit(questions, nbest, 'squad', 'en')
    right_QK = right_of(questions, nbest)
    score_QK = nbest.logits_QK2.sum(axis=2, dtype=np.float64)
    share_QK = np.exp(score_QK) / np.exp(score_QK).sum(axis=1, keepdims=True)
    share_QK = np.clip(share_QK, 1e-6, 1 - 1e-6)
    x_QK = np.log(share_QK / (1 - share_QK))

    def loss(weights):
        z = weights[0] * x_QK + weights[1]
        likelihood = np.logaddexp(0, z) - right_QK * z
        return likelihood.sum() + ((weights[0] - 1) ** 2 + weights[1] ** 2) / 2

    expected = minimize(loss, [1.0, 0.0], method='BFGS', options={'gtol': 1e-7}).x
    np.testing.assert_allclose(found.confidence, expected, atol=1e-4)
    z = expected[0] * x_QK + expected[1]
    np.testing.assert_allclose(found.confidences(nbest), 1 / (1 + np.exp(-z)), atol=1e-4)


def test_a_reader_that_is_too_sure_is_brought_down_to_how_often_it_is_right():
    questions, nbest = made(2, 2000, sharpness=3.0)
    others, of_others = made(3, 2000, sharpness=3.0)
    found = calibration.fit(questions, nbest, 'squad', 'en')
    assert found.confidence[0] < 0.6  # a third, but for what is not on the list
    right_Q = right_of(others, of_others)[:, 0]
    confidence_Q = found.confidences(of_others)[:, 0]
    assert abs(confidence_Q.mean() - right_Q.mean()) < 0.03
    sure_Q = confidence_Q > np.median(confidence_Q)
    for half in (sure_Q, ~sure_Q):
        assert abs(confidence_Q[half].mean() - right_Q[half].mean()) < 0.05


@pytest.mark.parametrize('right', [True, False])
def test_a_small_dev_set_that_is_all_right_or_all_wrong_leaves_confidences_finite(right):
    questions, nbest = made(4, 3)
    listed = predictions(questions, nbest)
    golds = [(Answer(0, listed[each.id] if right else 'zz'),) for each in questions]
    questions = [
        Question(each.id, '?', PASSAGE, gold) for each, gold in zip(questions, golds, strict=True)
    ]
    found = calibration.fit(questions, nbest, 'squad', 'en')
    assert np.isfinite(found.confidence).all()
    assert ((found.confidences(nbest) > 0) & (found.confidences(nbest) < 1)).all()


def test_the_threshold_is_the_official_best_of_f1():
    questions, nbest = made(5, 80, unanswerable=0.4)
    found = calibration.fit(questions, nbest, 'squad2', 'en')
    official = no_answer.score(
        questions, predictions(questions, nbest), null_odds(questions, nbest)
    )
    assert found.null_threshold == official['best_f1_thresh'] != 0.0
    # With it in its place the best answers score what the script says.
    ranked, _ = found.ranked(nbest)
    again = no_answer.score(questions, predictions(questions, ranked))
    assert again['f1'] == pytest.approx(official['best_f1'])
    assert '' in predictions(questions, ranked).values()


def test_that_there_is_no_answer_has_a_confidence_of_its_own():
    questions, nbest = made(6, 3000, unanswerable=0.4, sharpness=1.0)
    found = calibration.fit(questions, nbest, 'squad2', 'en')
    ranked, _ = found.ranked(nbest)
    confidence_Q = found.confidences(ranked)[:, 0]
    null_Q = (ranked.chars_QK2[:, 0] == 0).all(axis=1)
    right_Q = right_of(questions, ranked)[:, 0]
    assert 0.2 < null_Q.mean() < 0.6
    assert abs(confidence_Q.mean() - right_Q.mean()) < 0.05


def test_a_shift_of_the_null_score_moves_the_threshold_and_no_confidence():
    questions, nbest = made(7, 200, unanswerable=0.4)
    found = calibration.fit(questions, nbest, 'squad2', 'en')
    before = found.confidences(found.ranked(nbest)[0])
    nbest.null_Q3[:, 0] += 8.0
    moved = calibration.fit(questions, nbest, 'squad2', 'en')
    assert moved.null_threshold == pytest.approx(found.null_threshold + 8.0, abs=1e-4)
    np.testing.assert_allclose(moved.confidences(moved.ranked(nbest)[0]), before, atol=1e-4)


def test_what_was_never_fitted_has_no_confidence():
    _, nbest = made(8, 3)
    assert UNCALIBRATED.confidences(nbest) is None
    assert Calibration(0.5, ()).confidences(nbest) is None
