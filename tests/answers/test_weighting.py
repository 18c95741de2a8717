import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xmrc_jax.answers import weighting


@pytest.mark.parametrize('slots', [1, 2, 3, 20])
def test_start_value_gives_the_gold_its_share_and_the_rest_evenly(slots):
    share = 1.0 if slots == 1 else 0.6
    weights_K = jax.nn.softmax(weighting.initial_logits(slots, 0.6))
    np.testing.assert_allclose(weights_K[-1], share, rtol=1e-6)
    np.testing.assert_allclose(weights_K[:-1], 0.4 / max(slots - 1, 1), rtol=1e-6)


def test_gold_never_falls_below_the_floor_in_whichever_slot_it_is():
    logits_K = jnp.array([50.0, 0.0, -50.0])  # training has all but given up the gold
    gold_BK = jnp.array([[False, False, True], [False, True, False]])
    weights_BK = weighting.learned_weights(logits_K, gold_BK, floor=0.3)
    np.testing.assert_allclose(weights_BK, [[0.7, 0.0, 0.3], [0.7, 0.3, 0.0]], atol=1e-6)


def test_weights_are_scaled_over_the_candidates_present():
    weights_BK = jnp.array([[0.2, 0.2, 0.6], [0.2, 0.2, 0.6]])
    present_BK = jnp.array([[True, False, True], [False, False, False]])
    np.testing.assert_allclose(
        weighting.normalised(weights_BK, present_BK), [[0.25, 0.0, 0.75], [0.0, 0.0, 0.0]]
    )
