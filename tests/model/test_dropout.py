"""Draws: their rate, their mean, and that no two of anything draw alike."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xmrc_jax.model.dropout import draws, dropped


def kept(key, rate=0.1, tokens=1000, entries=1000):
    numbers = jnp.arange(tokens).reshape(1, -1)
    ones = jnp.ones((1, tokens, entries))
    x = dropped(ones, rate, draws(key, numbers).reshape(1, -1, 1), jnp.arange(entries)[None, None])
    return np.asarray(x[0] > 0), x[0]


@pytest.mark.parametrize('rate', [0.1, 0.25, 0.9])
def test_rate_and_mean(key, rate):
    """Of n draws a share of ``rate`` goes; the deviation of the share is sqrt(r (1 - r) / n)."""
    for seed in range(5):
        kept_TE, x_TE = kept(jax.random.key(seed), rate)
        np.testing.assert_allclose(np.unique(x_TE), [0, 1 / (1 - rate)], rtol=1e-6)
        deviation = np.sqrt(rate * (1 - rate) / kept_TE.size)
        assert abs(kept_TE.mean() - (1 - rate)) < 5 * deviation


def test_every_token_and_every_entry_has_the_rate(key):
    """Chi square of 1000 shares: mean 1000, deviation sqrt(2000) = 45."""
    dropped_TE = ~kept(key, 0.3)[0]
    for axis in (0, 1):
        counts = dropped_TE.sum(axis=axis)
        chi_square = np.sum((counts - 300) ** 2 / (1000 * 0.3 * 0.7))
        assert abs(chi_square - 1000) < 5 * 45


def test_neighbours_draw_independently(key):
    """Correlations of pairs of 10^6 draws: deviation 0.001; of tokens, entries, keys, both."""
    one = kept(key, 0.5)[0] - 0.5
    two = kept(jax.random.fold_in(key, 1), 0.5)[0] - 0.5
    pairs = {'keys': (one, two)}
    for token, entry in itertools.product((0, 1, 2, 16, 256), repeat=2):
        if token or entry:
            pairs[token, entry] = one[token:, entry:], one[: 1000 - token, : 1000 - entry]
    for name, (a, b) in pairs.items():
        assert abs(np.mean(a * b)) / 0.25 < 0.006, name


def test_keys_of_tokens_do_not_meet(key):
    """A million tokens of one key have a million different pairs of halves, two keys none alike."""
    halves = [
        np.asarray(tokens.low, np.uint64) << np.uint64(32) | np.asarray(tokens.high, np.uint64)
        for tokens in (draws(key, jnp.arange(10**6)), draws(jax.random.key(9), jnp.arange(10**6)))
    ]
    assert len(np.unique(np.concatenate(halves))) == 2 * 10**6


def test_a_draw_is_of_its_token_wherever_that_lies(key):
    numbers = np.random.default_rng(0).permutation(60).reshape(3, 20)
    x = jnp.ones((3, 20, 8))

    def draw(numbers):
        return dropped(x, 0.5, draws(key, numbers).reshape(3, 20, 1), jnp.arange(8)[None, None])

    scattered = draw(jnp.asarray(numbers)).reshape(60, 8)
    straight = draw(jnp.arange(60).reshape(3, 20)).reshape(60, 8)
    np.testing.assert_array_equal(scattered, straight[numbers.ravel()])
