"""The finaliser: the same words from numpy and from JAX, and every bit moves the result."""

import jax
import jax.numpy as jnp
import numpy as np

from xmrc_jax.ground.hashing import mixed

WORDS = np.random.default_rng(0).integers(0, 2**32, 1000, np.uint32)


def test_numpy_and_jax_mix_alike():
    salt = np.uint32(0x9E3779B9)
    ours = mixed(WORDS, salt)
    assert ours.dtype == np.uint32
    np.testing.assert_array_equal(jax.jit(mixed)(jnp.asarray(WORDS), salt), ours)
    np.testing.assert_array_equal(mixed(WORDS, np.full_like(WORDS, salt)), ours)
    assert (ours != mixed(WORDS)).any()


def test_every_bit_of_a_word_moves_half_of_the_result():
    for bit in range(32):
        moved = mixed(WORDS) ^ mixed(WORDS ^ np.uint32(1 << bit))
        # 32,000 fair bits: a share that is off by 0.02 is seven standard deviations away.
        assert abs(np.unpackbits(moved.view(np.uint8)).mean() - 0.5) < 0.02
