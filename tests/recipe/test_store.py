"""A reader's folder: what is kept and selected, and the parameters behind it."""

import json

import jax
import numpy as np
import pytest

from tests.small import small
from xmrc_jax.evaluate.calibration import UNCALIBRATED, Calibration
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.store import Store
from xmrc_jax.train import sharding


@pytest.fixture
def stores(finished):
    return Experiment(small(), finished).store


def test_a_finished_reader_is_loaded_as_it_was_selected(stores, finished):
    store = stores('base')
    assert store.is_finished
    assert store.kept == [3, 6]
    assert store.selected.step == json.loads((finished / 'base/selected.json').read_text())['step']
    expected = store.load([store.selected.step])
    jax.tree.map(np.testing.assert_array_equal, store.reported(), expected)


def test_several_steps_are_their_mean(stores):
    store = stores('base')
    one, other, mean = (store.load(steps) for steps in ([3], [6], [3, 6]))
    halves = jax.tree.map(lambda a, b: (a + b) / 2, one, other)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), mean, halves)


def test_a_reader_that_was_never_trained_is_named(stores):
    store = stores('folds/7')
    assert not store.is_finished
    assert store.kept == []
    with pytest.raises(UserError, match=r'folds/7/selected\.json: not there; first run the step'):
        store.reported()
    with pytest.raises(UserError, match='no such checkpoint'):
        store.load([3])


def test_a_calibration_is_that_of_its_checkpoints_and_of_no_others(tmp_path):
    store = Store('own', tmp_path, {}, sharding.make_mesh())
    assert not store.is_calibrated([3])
    assert store.calibration([3]) == UNCALIBRATED
    store.keep_calibration([3], Calibration(None, (1.5, -0.5)))
    store.keep_calibration([3, 6], UNCALIBRATED)  # tried, and nothing could be fitted
    assert [store.is_calibrated(steps) for steps in ([3], [3, 6], [6])] == [True, True, False]
    assert store.calibration([3]) == Calibration(None, (1.5, -0.5))
    assert store.calibration([3, 6]) == store.calibration([6]) == UNCALIBRATED


@pytest.mark.parametrize('content', ['{}', '[]', '7', '{"step": 7}'])
def test_what_says_nothing_of_checkpoints_is_one_line(content, tmp_path):
    (tmp_path / 'own').mkdir()
    (tmp_path / 'own' / 'selected.json').write_text(content)
    store = Store('own', tmp_path, {}, sharding.make_mesh())
    with pytest.raises(UserError, match=r'own/selected\.json: says nothing of checkpoints; delete'):
        _ = store.selected
