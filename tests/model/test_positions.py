"""Positions: what a turn leaves alone, who is near, which distances share a row."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xmrc_jax.model import positions


def test_frequencies_are_a_falling_geometric_row():
    """theta ** (-2c / 8) / stretch of four pairs."""
    found = positions.frequencies(8, 16.0, 2.0)
    np.testing.assert_allclose(found, [1 / 2, 1 / 4, 1 / 8, 1 / 16], rtol=1e-6)


def test_a_product_of_turned_vectors_knows_their_distance_alone(key):
    query_RPHA, key_RPHA = (
        jnp.tile(jax.random.normal(each, (1, 1, 2, 8)), (1, 30, 1, 1))
        for each in jax.random.split(key)
    )
    position_RP = jnp.arange(30)[None]
    frequency_C = positions.frequencies(8, 100.0, 1.0)
    turned = [positions.rotated(x, position_RP, frequency_C) for x in (query_RPHA, key_RPHA)]
    score_HPM = jnp.einsum('rpha,rmha->hpm', *turned)
    for distance in (-7, 0, 12):
        diagonal = np.diagonal(score_HPM, distance, 1, 2)
        np.testing.assert_allclose(diagonal, diagonal[:, :1].repeat(len(diagonal[0]), 1), atol=1e-5)
    assert np.std(score_HPM[0, 0]) > 0.1  # and distances are told apart
    np.testing.assert_allclose(
        np.linalg.norm(turned[0], axis=-1), np.linalg.norm(query_RPHA, axis=-1), rtol=1e-5
    )


def test_near_is_near_in_the_window_of_a_packed_row():
    """Two windows, of three tokens and of two: place 3 is position 0 again."""
    position_RP = jnp.array([[0, 1, 2, 0, 1]])
    near = positions.within(position_RP, 1)[0]
    assert near[0].tolist() == [True, True, False, True, True]
    assert near[3].tolist() == near[0].tolist()


@pytest.mark.parametrize(('buckets', 'limit'), [(256, 512), (8, 40), (2, 7)])
def test_buckets_are_those_of_the_library(buckets, limit):
    torch = pytest.importorskip('torch')
    from transformers.models.deberta_v2 import modeling_deberta_v2

    distances = np.arange(1 - limit, limit)
    theirs = modeling_deberta_v2.make_log_bucket_position(torch.tensor(distances), buckets, limit)
    ours = positions.bucket_of(distances, buckets, limit)
    np.testing.assert_array_equal(ours, theirs.long().numpy())
    assert ours.max() == buckets - 1


def test_a_row_is_of_a_distance_in_the_window():
    position_RP = jnp.array([[0, 1, 2, 0, 1]])
    row_PM = np.asarray(positions.relative_rows(position_RP, 3, 4, 10)[0])
    # Distances up to 2 are their own buckets; row 4 is that of distance 0.
    assert row_PM[2].tolist() == [6, 5, 4, 6, 5]
    assert row_PM[3].tolist() == row_PM[0].tolist() == [4, 3, 2, 4, 3]
