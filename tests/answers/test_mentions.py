"""Several mentions of one text in Z, against a loop over the candidates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xmrc_jax.answers.mentions import MENTIONS, same_tokens

IDS_L = np.array([0, 5, 6, 7, 5, 6, 7, 5, 6, 9])
SPANS_K2 = np.array([[1, 2], [4, 5], [1, 3], [9, 9], [4, 6], [-1, -1], [7, 8]])  # the gold last
GOLD_BK = np.arange(7)[None] == 6


def texts():
    return [tuple(IDS_L[start : end + 1]) if start >= 0 else () for start, end in SPANS_K2]


@pytest.fixture
def z():
    """log_p_BK and valid_BK; one mention lies in no window, one has no probability."""
    log_p_BK = np.log(np.array([[0.1, 0.2, 0.05, 0.3, 0.04, 0.5, 0.15]]))
    log_p_BK[0, 4] = -np.inf
    return jnp.array(log_p_BK), jnp.array(SPANS_K2[None, :, 0] >= 0)


@pytest.fixture
def same_BKK():
    return same_tokens(jnp.array(IDS_L)[None], jnp.array(SPANS_K2)[None], 3)


@pytest.mark.parametrize('longest', [2, 3, 30])
def test_spans_of_equal_tokens_are_the_same(longest):
    # Also where they are longer than is compared: here 5 6 7 and 5 6 differ in length.
    found_KK = same_tokens(jnp.array(IDS_L)[None], jnp.array(SPANS_K2)[None], longest)[0]
    for one, text in enumerate(texts()):
        for two, other in enumerate(texts()):
            if text and other:
                assert found_KK[one, two] == (text == other)


def test_summed_mentions_are_one_candidate_for_each_text(z, same_BKK):
    log_p_BK, valid_BK = MENTIONS['summed'](*z, GOLD_BK, same_BKK)
    # 5 6 stands three times, and the gold stands for it; 5 6 7 has one mention of a probability.
    expected = {6: 0.1 + 0.2 + 0.15, 2: 0.05, 3: 0.3}
    assert np.flatnonzero(valid_BK[0]).tolist() == sorted(expected)
    for slot, share in expected.items():
        np.testing.assert_allclose(log_p_BK[0, slot], np.log(share), rtol=1e-6)


def test_a_gold_that_is_not_the_last_stands_for_its_text_all_the_same(z, same_BKK):
    gold_BK = np.arange(7)[None] == 0
    _, valid_BK = MENTIONS['summed'](*z, gold_BK, same_BKK)
    assert np.flatnonzero(valid_BK[0]).tolist() == [0, 2, 3]


def test_no_repeat_of_the_gold_is_left(z, same_BKK):
    log_p_BK, valid_BK = MENTIONS['gold_once'](*z, GOLD_BK, same_BKK)
    np.testing.assert_array_equal(log_p_BK, z[0])
    assert np.flatnonzero(valid_BK[0]).tolist() == [2, 3, 4, 6]


@pytest.mark.parametrize('name', MENTIONS)
def test_gradients_are_finite_and_absent_candidates_have_none(name, z, same_BKK):
    log_p_BK, valid_BK = z

    def total(log_p_BK):
        found_BK, present_BK = MENTIONS[name](log_p_BK, valid_BK, GOLD_BK, same_BKK)
        return jnp.where(present_BK & (found_BK != -jnp.inf), found_BK, 0.0).sum()

    gradient_K = jax.grad(total)(log_p_BK)[0]
    assert np.isfinite(gradient_K).all()
    assert gradient_K[5] == gradient_K[4] == 0  # no span here, no probability
    assert gradient_K[3] == 1
