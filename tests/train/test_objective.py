"""The base stage: eq. 3 of the reader's logits, and whose probability is shared."""

import jax
import numpy as np
import pytest

from tests.train import made
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import reader
from xmrc_jax.train.objective import base_objective

METHOD = made.method()


@pytest.fixture
def params(encoder, key):
    return {'reader': reader.init(encoder, key)}


def test_base_is_the_cross_entropy_of_start_and_end(params, dry, batches, key):
    batch = batches.batch_at(0)
    loss_B = base_objective(dry, METHOD.normalisation)(params, batch, 0, key).loss_B
    reading = reader.apply(params['reader'], dry, batch.ids_BL, batch.length_B, batch.passage_B2)
    for row in range(4):
        length, (start, end) = batch.length_B[row], batch.gold_B2[row]
        p = jax.nn.softmax(reading.start_logits_BL[row, :length])[start]
        q = jax.nn.softmax(reading.end_logits_BL[row, :length])[end]
        np.testing.assert_allclose(loss_B[row], -np.log(p) - np.log(q), rtol=1e-5)


def test_the_mask_is_of_all_real_tokens_or_of_the_passage(batches):
    batch = batches.batch_at(0)
    batch.gold_B2[1] = 0  # trained on its first token
    window_BL = made.method(softmax_over='window').normalisation.mask(batch)
    passage_BL = made.method(softmax_over='passage').normalisation.mask(batch)
    for row, length in enumerate(batch.length_B):
        lo, hi = batch.passage_B2[row]
        assert np.flatnonzero(window_BL[row]).tolist() == list(range(length))
        assert np.flatnonzero(passage_BL[row]).tolist() == [0] * (row == 1) + list(range(lo, hi))


def test_an_unknown_choice_is_named():
    with pytest.raises(UserError, match="two_stage.softmax_over: unknown choice 'row'"):
        made.method(softmax_over='row')
    with pytest.raises(UserError, match="two_stage.probability: unknown choice 'sum'"):
        made.method(probability='sum')
