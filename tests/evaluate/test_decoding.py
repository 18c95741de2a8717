"""Minimum-risk decoding against a loop over all pairs of answers."""

import numpy as np
import pytest

from xmrc_jax.data.squad import Question
from xmrc_jax.evaluate.decoding import minimum_risk
from xmrc_jax.evaluate.metrics import METRICS, f1
from xmrc_jax.evaluate.nbest import NBest, predictions, texts

PASSAGE = 'the red fox and a lazy dog met the quick red fox'


def nbest_of(chars_QK2, score_QK):
    logits_QK2 = np.stack([score_QK, np.zeros_like(score_QK)], axis=-1)
    chars_QK2 = np.where(np.isfinite(score_QK)[..., None], chars_QK2, -1)
    return NBest(chars_QK2, logits_QK2, score_QK - 1, np.zeros((len(score_QK), 3)))


@pytest.fixture
def answered():
    """Forty questions with six answers each, the last ones with fewer; the last with none."""
    rng = np.random.default_rng(0)
    words = [(m, m + len(w)) for m, w in zip(starts(), PASSAGE.split(), strict=True)]
    questions = [Question(str(number), '', PASSAGE, ()) for number in range(40)]
    first_QK, more_QK = rng.integers(0, 9, (40, 6)), rng.integers(0, 3, (40, 6))
    chars_QK2 = np.array(
        [
            [(words[a][0], words[min(a + b, 10)][1]) for a, b in zip(*row, strict=True)]
            for row in zip(first_QK, more_QK, strict=True)
        ]
    )
    score_QK = -np.sort(-rng.normal(size=(40, 6)), axis=1)
    score_QK[36:, 3:] = -np.inf
    score_QK[39] = -np.inf
    return questions, nbest_of(chars_QK2, score_QK)


def starts():
    place = 0
    for word in PASSAGE.split():
        yield place
        place += len(word) + 1


def test_the_best_answer_is_of_the_highest_expected_f1(answered):
    questions, nbest = answered
    found = predictions(questions, minimum_risk(questions, nbest, 'squad', 'en'))
    changed = 0
    for row, question in enumerate(questions):
        listed = texts([question], nbest_row(nbest, row))[question.id]
        weights = np.exp(nbest.logits_QK2[row, : len(listed)].sum(axis=1))
        best, answer = -1.0, ''
        for one in listed:
            expected = 0.0
            for two, weight in zip(listed, weights / weights.sum(), strict=True):
                expected += weight * f1(METRICS['squad'](one), METRICS['squad'](two))
            if expected > best + 1e-12:
                best, answer = expected, one
        assert found[question.id] == answer
        changed += answer != (listed or [''])[0]
    assert changed > 5  # that is, it is not the likeliest


def nbest_row(nbest, row):
    return NBest(*(getattr(nbest, name)[row : row + 1] for name in nbest.__dataclass_fields__))


def test_the_answers_are_the_same_with_their_own_numbers(answered):
    questions, nbest = answered
    found = minimum_risk(questions, nbest, 'squad', 'en')
    for row in range(len(questions)):
        pairs = [
            sorted(zip(map(tuple, each.chars_QK2[row]), each.log_p_QK[row], strict=True))
            for each in (nbest, found)
        ]
        assert pairs[0] == pairs[1]
    np.testing.assert_array_equal(found.null_odds_Q, nbest.null_odds_Q)


def test_whether_there_is_an_answer_is_still_the_likeliest_ones_to_say():
    # Of answers 3, 2 and 1 logits the second is the best; the null stands between them.
    chars_132 = np.array([[(4, 11), (0, 7), (4, 7)]])
    reordered = nbest_of(chars_132, np.array([[1.0, 3.0, 2.0]]))
    for null, rank in ((0.5, 3), (1.5, 3), (2.5, 2), (3.5, 0)):
        ranked, order_QK = NBest(
            reordered.chars_QK2,
            reordered.logits_QK2,
            reordered.log_p_QK,
            np.array([[null, 0.0, 0.0]]),
        ).with_null(0.0)
        assert (order_QK[0] == 3).any() == (rank < 3)
        if rank < 3:
            assert ranked.chars_QK2[0, rank].tolist() == [0, 0]
