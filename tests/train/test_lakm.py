"""The masked tokens' loss: over used rows and over all, beside eq. 3, and that it falls."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.train import made
from xmrc_jax.data.masking import Masking
from xmrc_jax.model import lm_head, reader
from xmrc_jax.train.lakm import lakm_objective, masked_loss
from xmrc_jax.train.objective import base_objective
from xmrc_jax.train.vocabulary import Vocabulary

PROBABILITY = made.method().normalisation
MASK = 3


@pytest.fixture
def dry(dry):
    """With rows that no window uses."""
    return dataclasses.replace(dry, vocabulary=dry.vocabulary + 30)


@pytest.fixture
def params(dry, key):
    return {'reader': reader.init(dry, key), 'lm': lm_head.init(dry, jax.random.key(1))}


def batch_of(windows, mask_id=MASK):
    """Every window's gold answers and what surrounds them as phrases."""
    questions = windows.question_W[-1] + 1
    chars = [np.array([[0, 6], [7, 13], [14, 22], [23, 30]])] * questions
    shape = {'batch_size': 8, 'max_tokens': 64, 'seed': 3}
    return Masking(windows, chars, share=0.3, mask_id=mask_id, **shape).batch_at(0)


def test_the_loss_over_used_rows_is_that_over_all_restricted_to_them(windows, dry, params):
    used = Vocabulary.of(windows, dry, [np.array([MASK])])
    assert len(used) < dry.vocabulary - 29
    rows_U, small = np.flatnonzero(used.used_V), used.encoder(dry)
    compact = used.used(params)
    compact['lm'] = lm_head.of_rows(params['lm'], rows_U)
    own = batch_of(used.windows(windows), int(used.number_V[MASK]))
    whole = own._replace(
        ids_BL=np.where(own.ids_BL == small.pad_id, dry.pad_id, rows_U[own.ids_BL]),
        target_BZ=rows_U[own.target_BZ],
    )
    hidden = [
        reader.apply(p['reader'], cfg, b.ids_BL, b.length_B, b.passage_B2).hidden_BLD
        for p, cfg, b in ((params, dry, whole), (compact, small, own))
    ]
    found_B = masked_loss(compact, small, hidden[1], own)

    # All rows, of which those not in use are forbidden.
    place_BZ1 = np.maximum(whole.masked_BZ, 0)[..., None]
    hidden_BZD = jnp.take_along_axis(hidden[0], place_BZ1, axis=1)
    table_VD = params['reader']['encoder']['embed']['token']['embedding']
    logits_BZV = lm_head.apply(params['lm'], dry, hidden_BZD, table_VD)
    log_p_BZV = jax.nn.log_softmax(jnp.where(used.used_V[None, None], logits_BZV, -jnp.inf))
    log_p_BZ = np.take_along_axis(np.asarray(log_p_BZV), whole.target_BZ[..., None], 2)[..., 0]
    real_BZ = whole.masked_BZ >= 0
    expected_B = -(log_p_BZ * real_BZ).sum(axis=1) / np.maximum(real_BZ.sum(axis=1), 1)
    assert real_BZ.any(axis=1).sum() > 3
    np.testing.assert_allclose(found_B, expected_B, rtol=1e-5)


def test_a_batch_of_questions_is_eq_3_and_one_of_phrases_the_weighted_loss(
    windows, batches, dry, params
):
    base = base_objective(dry, PROBABILITY)(params, batches.batch_at(0), 0, None)
    losses = [lakm_objective(dry, weight, PROBABILITY) for weight in (1.0, 0.25)]
    for objective in losses:
        found = objective(params, batches.batch_at(0), 0, None)
        np.testing.assert_array_equal(found.loss_B, base.loss_B)
    one, quarter = (objective(params, batch_of(windows), 0, None) for objective in losses)
    np.testing.assert_allclose(quarter.loss_B, 0.25 * one.loss_B, rtol=1e-6)
    assert one.averages.keys() == {'masked_loss'}


def test_masked_tokens_are_learnt(windows, dry, params):
    batch, objective = batch_of(windows), lakm_objective(dry, 1.0, PROBABILITY)

    @jax.jit
    def step(params):
        def total(params):
            return objective(params, batch, 0, None).loss_B.mean()

        loss, gradient = jax.value_and_grad(total)(params)
        return loss, jax.tree.map(lambda leaf, g: leaf - 0.5 * g, params, gradient)

    trace = []
    for _ in range(40):
        loss, params = step(params)
        trace.append(float(loss))
    assert trace[-1] < 0.8 * trace[0]
