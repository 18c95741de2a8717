"""A reader as StableHLO gives what ``predict_step`` gives, at any batch and length."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from xmrc_jax.data import batches
from xmrc_jax.data.queries import Query
from xmrc_jax.evaluate.predict import predict_step
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import portable
from xmrc_jax.recipe.reader import Reader


@pytest.fixture(scope='module')
def saved(exported, tmp_path_factory):
    folder = tmp_path_factory.mktemp('portable') / 'out'
    reader = Reader.load(exported)
    portable.save(folder, reader.own)
    return folder, reader


def test_its_spans_are_those_of_predict(saved):
    folder, reader = saved
    own = reader.own
    passage = 'It was founded by Ada. '
    queries = [Query('', '', f'When {n}?', (passage * n,)) for n in range(1, 4)]
    windows = reader.prepare(queries).windows
    planned = batches.Planned(np.arange(3), 3, 40)
    batch = jax.device_put(batches.prediction_batch(windows, planned))
    options = own.asking.options
    expected = predict_step(
        own.params, own.encoder, batch, options.n_best, options.max_answer_tokens
    )
    answer = export.deserialize(bytearray((folder / 'reader.stablehlo').read_bytes()))
    params = {path: jnp.asarray(each) for path, each in jnp.load(folder / 'params.npz').items()}
    found = answer.call(params, *batch[:4])
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found[2], expected[2], rtol=1e-5, atol=1e-5)


def test_it_is_for_every_platform(saved):
    folder, _ = saved
    answer = export.deserialize(bytearray((folder / 'reader.stablehlo').read_bytes()))
    assert answer.platforms == portable.PLATFORMS


def test_a_folder_with_something_in_it_is_refused(saved):
    folder, reader = saved
    with pytest.raises(UserError, match='exists already'):
        portable.save(folder, reader.own)
