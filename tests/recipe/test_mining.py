"""Z from a larger mined set is the Z that would have been mined."""

import numpy as np
import pytest

from tests.small import small
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.store import Store


def mined(workdir, monkeypatch, **leaves):
    """Z of every window, mined by a reader that was never trained; and how much was mined."""
    own = Experiment(small(**{f'mine.{name}': value for name, value in leaves.items()}), workdir)
    params = own.inputs.pretrained()
    monkeypatch.setattr(Store, 'reported', lambda store: params)
    own.mine()
    return own.mined.of_windows()


@pytest.mark.parametrize('size', [1, 5, 10])
def test_the_best_of_many_are_those_of_few(size, tmp_path, monkeypatch):
    many = mined(tmp_path / 'many', monkeypatch, candidates=size, n_best=10)
    few = mined(tmp_path / 'few', monkeypatch, candidates=size)
    for array, expected in zip(many, few, strict=True):
        assert array.shape[1] == size
        assert np.array_equal(array, expected)
    assert many[1].sum() > 90 * size * 0.9  # of 96 questions, and few candidates are lost


def test_a_set_smaller_than_z_is_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r'mine\.n_best=4: Z is made of these, and has .*=5'):
        mined(tmp_path, monkeypatch, candidates=5, n_best=4)
