"""Eq. 3 with label smoothing and R-Drop, put together."""

import dataclasses

import jax
import numpy as np
import pytest

from tests.train import made
from xmrc_jax.answers.regularisation import even_loss
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import reader
from xmrc_jax.train.objective import base_objective, read
from xmrc_jax.train.regularisation import Regularisation, regularised_objective

PROBABILITY = made.method().normalisation


@pytest.fixture
def params(encoder, key):
    return {'reader': jax.tree.map(lambda leaf: 3 * leaf, reader.init(encoder, key))}


@pytest.fixture
def drops(encoder):
    return dataclasses.replace(encoder, dropout=0.3)


def outcome(params, encoder, batch, key, label_smoothing=0.0, r_drop=0.0):
    own = Regularisation(label_smoothing, r_drop)
    return regularised_objective(encoder, own, PROBABILITY)(params, batch, 0, key)


def test_without_either_it_is_the_base_objective_bit_by_bit(params, drops, batches, key):
    batch = batches.batch_at(0)
    base = base_objective(drops, PROBABILITY)(params, batch, 0, key)
    np.testing.assert_array_equal(outcome(params, drops, batch, key).loss_B, base.loss_B)


def test_smoothing_moves_its_share_to_the_whole_window(params, drops, batches, key):
    batch = batches.batch_at(0)
    reading = read(params, drops, batch, key)
    even_B = even_loss(*reading[:2], PROBABILITY.mask(batch))
    base_B = base_objective(drops, PROBABILITY)(params, batch, 0, key).loss_B
    found = outcome(params, drops, batch, key, label_smoothing=0.25)
    np.testing.assert_allclose(found.loss_B, 0.75 * base_B + 0.25 * even_B, rtol=1e-5)


def test_two_draws_are_averaged_and_their_distance_weighed(params, drops, batches, key):
    batch = batches.batch_at(0)
    draws = [base_objective(drops, PROBABILITY)(params, batch, 0, k) for k in jax.random.split(key)]
    found = outcome(params, drops, batch, key, r_drop=2.0)
    apart_B = found.averages['drop_loss'][0]
    assert (apart_B > 1e-5).all()
    mean_B = (draws[0].loss_B + draws[1].loss_B) / 2
    np.testing.assert_allclose(found.loss_B, mean_B + 2 * apart_B, rtol=1e-5)


def test_without_dropout_two_draws_are_one(params, encoder, batches, key):
    dry = dataclasses.replace(encoder, dropout=0.0, attention_dropout=0.0)
    found = outcome(params, dry, batches.batch_at(0), key, r_drop=2.0)
    np.testing.assert_allclose(found.averages['drop_loss'][0], 0.0, atol=1e-6)


@pytest.mark.parametrize('changes', [{'label_smoothing': 1.0}, {'r_drop': -1.0}])
def test_impossible_values_are_refused(changes):
    (name,) = changes
    with pytest.raises(UserError, match=f'train.{name}'):
        made.paper(**{f'train__{name}': changes[name]})
