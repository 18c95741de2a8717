"""The student's objective: eq. 3, the teachers, and the weight between them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.train import made
from xmrc_jax.answers import softmax
from xmrc_jax.data.batches import Batches
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import reader
from xmrc_jax.train.distil import Imitation, distil_objective
from xmrc_jax.train.objective import base_objective

PROBABILITY = made.method().normalisation


def batch_of(windows, params, encoder, teachers=1):
    """A batch whose teachers are the reader of these parameters."""
    batch = Batches(windows, batch_size=4, max_tokens=64, seed=3).batch_at(0)
    reading = reader.apply(params, encoder, batch.ids_BL, batch.length_B, batch.passage_B2)
    real_BL = jnp.arange(64)[None] < batch.length_B[:, None]
    both = reading.start_logits_BL, reading.end_logits_BL
    log_p_BL2 = jnp.stack([softmax.log_probs(each_BL, real_BL) for each_BL in both], axis=-1)
    said_BLY2 = np.asarray(log_p_BL2, np.float16)[:, :, None].repeat(teachers, axis=2)
    return batch._replace(teacher_BLY2=said_BLY2)


@pytest.mark.parametrize('over', ['window', 'passage'])
@pytest.mark.parametrize('teachers', [1, 2])
def test_a_teacher_equal_to_the_student_adds_nothing(teachers, over, windows, dry, key):
    params = reader.init(dry, key)
    params['span']['kernel'] *= 20  # sure of something
    batch = batch_of(windows, params, dry, teachers)
    normalisation = made.method(softmax_over=over).normalisation
    objective = distil_objective(dry, Imitation(2.0, 0.25, 'uniform'), normalisation)

    def soft(params):
        outcome = objective({'reader': params}, batch, 0, None)
        return jnp.max(outcome.averages['soft_loss'][0]), outcome.loss_B

    (loss, loss_B), gradient = jax.value_and_grad(soft, has_aux=True)(params)
    assert abs(loss) < 1e-4
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(gradient)) < 1e-2
    base = base_objective(dry, normalisation)({'reader': params}, batch, 0, None)
    np.testing.assert_allclose(loss_B, 0.75 * base.loss_B, atol=1e-4)


def test_the_weight_lies_between_the_gold_and_the_teachers(windows, dry, key):
    teacher, student = (reader.init(dry, each) for each in jax.random.split(key))
    teacher['span']['kernel'] *= 20
    batch = batch_of(windows, teacher, dry)

    def outcome(weight, coefficient='uniform'):
        imitation = Imitation(2.0, weight, coefficient)
        return distil_objective(dry, imitation, PROBABILITY)({'reader': student}, batch, 0, None)

    ends = [outcome(weight) for weight in (0.0, 1.0)]
    gold_B, soft_B = (ends[0].averages[name][0] for name in ('gold_loss', 'soft_loss'))
    assert (soft_B > 0.1).all()
    np.testing.assert_allclose([each.loss_B for each in ends], [gold_B, soft_B], rtol=1e-6)
    np.testing.assert_allclose(outcome(0.25).loss_B, 0.75 * gold_B + 0.25 * soft_B, rtol=1e-6)
    believed_B = outcome(1.0, 'gold').averages['coefficient'][0]
    np.testing.assert_allclose(outcome(1.0, 'gold').loss_B, believed_B * soft_B, rtol=1e-5)


def test_an_unknown_coefficient_is_refused():
    with pytest.raises(UserError, match=r"distil\.coefficient: unknown choice 'best'"):
        made.paper(distil__coefficient='best')
