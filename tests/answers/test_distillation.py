"""The distance from teachers: against loops in numpy, at the limits, with and without padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xmrc_jax.answers.distillation import COEFFICIENTS, coefficients, distillation_loss

B, L, Y, T = 3, 14, 2, 2.0
LENGTH_B = np.array([14, 12, 9])
MASK_BL = np.arange(L) < LENGTH_B[:, None]
GOLD_B2 = np.array([[3, 5], [0, 11], [8, 8]])


def drawn(seed, *shape):
    return np.random.default_rng(seed).normal(scale=2, size=shape).astype(np.float32)


def softmax(x):
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


def test_it_is_the_mean_over_teachers_of_the_two_divergences():
    start_BL, end_BL, teacher_BLY2 = drawn(1, B, L), drawn(2, B, L), drawn(3, B, L, Y, 2)
    weights_BY = np.array([[1, 0.5], [0, 1], [0.25, 0.25]], np.float32)
    found_B = distillation_loss(start_BL, end_BL, MASK_BL, teacher_BLY2, weights_BY, T)
    for row, length in enumerate(LENGTH_B):
        total = 0
        for teacher in range(Y):
            for side, logits_BL in enumerate((start_BL, end_BL)):
                q = softmax(logits_BL[row, :length] / T)
                p = softmax(teacher_BLY2[row, :length, teacher, side] / T)
                total += weights_BY[row, teacher] * np.sum(p * np.log(p / q))
        np.testing.assert_allclose(found_B[row], T**2 * total / Y, rtol=1e-5)


def test_a_student_like_its_teacher_loses_nothing_and_has_no_gradient():
    start_BL, end_BL = drawn(1, B, L), drawn(2, B, L)
    teacher_BLY2 = np.stack([start_BL, end_BL], axis=-1)[:, :, None] - 3.0  # any constant
    one_BY = np.ones((B, 1), np.float32)

    def total(both_2BL):
        return distillation_loss(*both_2BL, MASK_BL, teacher_BLY2, one_BY, T).sum()

    loss, gradient = jax.value_and_grad(total)(jnp.stack([start_BL, end_BL]))
    assert abs(loss) < 1e-5
    assert np.abs(gradient).max() < 1e-5
    moved, gradient = jax.value_and_grad(total)(jnp.stack([end_BL, start_BL]))
    assert moved > 1
    assert np.isfinite(gradient).all()
    assert not gradient[:, ~MASK_BL].any()  # padding neither counts nor learns


def test_a_coefficient_of_nought_silences_a_teacher():
    start_BL, teacher_BLY2 = drawn(1, B, L), drawn(3, B, L, 1, 2)
    silent = distillation_loss(start_BL, start_BL, MASK_BL, teacher_BLY2, np.zeros((B, 1)), T)
    assert silent.tolist() == [0, 0, 0]


@pytest.mark.parametrize('name', COEFFICIENTS)
def test_coefficients_are_those_of_loops(name):
    teacher_BLY2 = drawn(4, B, L, Y, 2)

    def expected(log_p_L2, gold_2):
        p_2 = [softmax(log_p_L2[:, side]) for side in range(2)]
        if name == 'uniform':
            return 1.0
        if name == 'gold':
            return p_2[0][gold_2[0]] * p_2[1][gold_2[1]]
        precisions = []
        for side in range(2):
            best = sorted(range(len(log_p_L2)), key=lambda token: -p_2[side][token])[:10]
            right = [abs(token - gold_2[side]) <= 5 for token in best]
            hits = [sum(right[: k + 1]) / (k + 1) for k in range(len(best)) if right[k]]
            precisions.append(np.mean(hits) if hits else 0.0)
        return np.mean(precisions)

    found_BY = coefficients(name, teacher_BLY2, MASK_BL, jnp.asarray(GOLD_B2))
    for row, length in enumerate(LENGTH_B):
        for teacher in range(Y):
            own = expected(teacher_BLY2[row, :length, teacher], GOLD_B2[row])
            np.testing.assert_allclose(found_BY[row, teacher], own, rtol=1e-5)


def test_the_n_best_coefficient_is_one_for_a_teacher_that_is_right_and_low_for_one_that_is_not():
    place_L = np.arange(40)
    near_L, far_L = -np.abs(place_L - 20.0), -np.abs(place_L - 33.0)
    teacher_BLY2 = np.stack([near_L, far_L])[None].transpose(0, 2, 1)[..., None].repeat(2, -1)
    real_BL, gold_B2 = np.ones((1, 40), bool), jnp.array([[20, 20]])
    right, wrong = coefficients('n_best', teacher_BLY2, real_BL, gold_B2)[0].tolist()
    assert (right, wrong) == (1.0, 0.0)  # best: 15 to 25, and 28 to 38
