"""Label smoothing and the distance of R-Drop, in closed form."""

import jax
import jax.numpy as jnp
import numpy as np

from xmrc_jax.answers.regularisation import distance, even_loss
from xmrc_jax.answers.softmax import span_log_probs

MASK_BL = np.arange(6)[None] < np.array([[6], [4]])
RANDOM = np.random.default_rng(0)
START_BL, END_BL, AGAIN_BL = RANDOM.normal(size=(3, 2, 6)).astype(np.float32)


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum()


def test_the_smoothed_loss_is_the_cross_entropy_with_the_smoothed_target():
    gold_B2, share = np.array([[1, 3], [2, 2]]), 0.2
    gold_B = -span_log_probs(START_BL, END_BL, MASK_BL, gold_B2[:, None])[:, 0]
    found_B = (1 - share) * gold_B + share * even_loss(START_BL, END_BL, MASK_BL)
    for row, length in enumerate((6, 4)):
        expected = 0.0
        for logits_BL, gold in ((START_BL, gold_B2[row, 0]), (END_BL, gold_B2[row, 1])):
            target = np.full(length, share / length)
            target[gold] += 1 - share
            expected -= (target * np.log(softmax(logits_BL[row, :length]))).sum()
        np.testing.assert_allclose(found_B[row], expected, rtol=1e-5)


def test_the_distance_is_the_mean_of_both_divergences():
    found_B = distance(START_BL, AGAIN_BL, MASK_BL)
    for row, length in enumerate((6, 4)):
        p, q = (softmax(each[row, :length]) for each in (START_BL, AGAIN_BL))
        expected = ((p * np.log(p / q)).sum() + (q * np.log(q / p)).sum()) / 2
        np.testing.assert_allclose(found_B[row], expected, rtol=1e-5)


def test_equal_draws_are_not_apart_and_the_gradient_is_finite():
    gradient_BL = jax.grad(lambda one_BL: distance(one_BL, START_BL, MASK_BL).sum())(
        jnp.array(START_BL)
    )
    np.testing.assert_allclose(gradient_BL, 0.0, atol=1e-6)
    even = jax.grad(lambda one_BL: even_loss(one_BL, START_BL, MASK_BL).sum())(jnp.array(START_BL))
    assert np.isfinite(even).all()
    assert not even[~MASK_BL].any()
