"""Every way to attend is the sum over the tokens of a window, with its gradient."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import attention
from xmrc_jax.model.architectures import PLAIN
from xmrc_jax.model.attention import attend
from xmrc_jax.model.dropout import draws

R, P, H, A = 2, 64, 3, 32
WINDOWS = (((0, 20), (20, 50)), ((0, 64),))  # of each row; what lies behind them is empty
GPU = jax.default_backend() == 'gpu'


def masks():
    window_RP = np.full((R, P), -1)
    for row, windows in enumerate(WINDOWS):
        for number, (first, past) in enumerate(windows):
            window_RP[row, first:past] = number
    real_RP = window_RP >= 0
    same_RPM = (window_RP[:, :, None] == window_RP[:, None]) & real_RP[:, None]
    return jnp.asarray(same_RPM), real_RP


@pytest.fixture
def vectors(key):
    """Query, key, value, and what the attended vectors are weighed with for a gradient."""
    return [2 * jax.random.normal(each, (R, P, H, A)) for each in jax.random.split(key, 4)]


def alone(query_RPHA, key_RPHA, value_RPHA):
    """Each head of each window by itself, in float64."""
    q, k, v = (np.asarray(x, np.float64) for x in (query_RPHA, key_RPHA, value_RPHA))
    attended_RPHA = np.zeros_like(q)
    for row, windows in enumerate(WINDOWS):
        for first, past in windows:
            for head in range(H):
                own = np.s_[row, first:past, head]
                weight_PM = np.exp(q[own] @ k[own].T / np.sqrt(A))
                attended_RPHA[own] = weight_PM / weight_PM.sum(axis=1, keepdims=True) @ v[own]
    return attended_RPHA


@pytest.mark.parametrize('choice', ['by_head', 'plain'])
def test_a_window_is_attended_alone(choice, vectors):
    same_RPM, real_RP = masks()
    attended_RPHA = attend(*vectors[:3], same_RPM, choice=choice)
    expected_RPHA = alone(*vectors[:3])
    np.testing.assert_allclose(attended_RPHA[real_RP], expected_RPHA[real_RP], atol=1e-5)
    assert jnp.isfinite(attended_RPHA).all()


def gradients(vectors, choice, dtype=jnp.float32, **options):
    same_RPM, real_RP = masks()
    *vectors, weight_RPHA = vectors

    def weighed(*vectors):
        vectors = [x.astype(dtype) for x in vectors]
        attended_RPHA = attend(*vectors, same_RPM, choice=choice, **options)
        real = real_RP[..., None, None]
        return (attended_RPHA.astype(jnp.float32) * weight_RPHA * real).sum()

    return jax.jit(jax.value_and_grad(weighed, argnums=(0, 1, 2)))(*vectors)


@pytest.mark.parametrize('rate', [0.0, 0.4])
def test_the_ways_agree_with_gradient_and_dropout(rate, vectors, key):
    number_RP = jnp.arange(R * P).reshape(R, P)
    options = {'rate': rate, 'tokens': draws(key, number_RP), 'position_RM': number_RP % P}
    value, grads = gradients(vectors, 'plain', **options)
    value_by_head, grads_by_head = gradients(vectors, 'by_head', **options)
    np.testing.assert_allclose(value, value_by_head, rtol=1e-5)
    for one, other in zip(grads, grads_by_head, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    still, _ = gradients(vectors, 'plain')
    assert (abs(value - still) > 1) == (rate > 0)


def test_the_gradient_is_that_of_each_window_alone(vectors):
    """Central differences of the float64 oracle along random directions."""
    _, grads = gradients(vectors, 'by_head')
    rng = np.random.default_rng(0)
    *vectors, weight_RPHA = (np.asarray(x, np.float64) for x in vectors)
    for index, grad in enumerate(grads):
        direction = rng.normal(size=grad.shape)

        def at(step, index=index, direction=direction):
            moved = [x + step * direction * (i == index) for i, x in enumerate(vectors)]
            return np.sum(alone(*moved) * weight_RPHA)

        slope = (at(1e-5) - at(-1e-5)) / 2e-5
        np.testing.assert_allclose(np.sum(grad * direction), slope, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize('choice', ['by_head', 'plain'])
def test_no_probability_is_kept_for_the_backward_pass(choice, vectors):
    """Kept are the inputs; an array of P x M for each row and head is not."""
    same_RPM, _ = masks()
    _, kept = jax.vjp(lambda *x: attend(*x, same_RPM, choice=choice), *vectors[:3])
    sizes = [leaf.size for leaf in jax.tree.leaves(kept)]
    assert sizes
    assert max(sizes) < R * H * P * P


@pytest.mark.skipif(not GPU, reason='cuDNN needs a GPU')
def test_cudnn_agrees_with_gradient(vectors):
    """Both compute in bfloat16, whose steps are 2**-8 = 0.4 %."""
    value, grads = gradients(vectors, 'plain', jnp.bfloat16)
    value_fused, grads_fused = gradients(vectors, 'cudnn', jnp.bfloat16)
    scale = sum(float(jnp.abs(x).sum()) for x in vectors[2:])
    assert abs(value - value_fused) < 0.004 * scale
    for one, other in zip(grads, grads_fused, strict=True):
        np.testing.assert_allclose(one, other, atol=0.02 * jnp.abs(one).max())


@pytest.mark.parametrize(
    ('platform', 'dtype', 'choice'),
    [
        ('gpu', 'bfloat16', 'cudnn'),
        ('gpu', 'float32', 'plain'),
        ('tpu', 'bfloat16', 'plain'),
        ('cpu', 'float32', 'by_head'),
    ],
)
def test_the_device_chooses(platform, dtype, choice):
    assert attention.chosen('auto', dtype, platform) == choice
    assert attention.chosen('plain', dtype, platform) == 'plain'
    assert attention.chosen('auto', dtype, platform, relative=True) != 'cudnn'


def test_impossible_choices_are_refused():
    with pytest.raises(UserError, match='choose from auto, by_head, plain, cudnn'):
        dataclasses.replace(PLAIN, attention='flash')
    with pytest.raises(UserError, match="needs model.dtype 'bfloat16'"):
        dataclasses.replace(PLAIN, attention='cudnn')
