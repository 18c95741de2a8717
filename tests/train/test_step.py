"""The training step: padding, devices, what stays on the device."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.train import made
from xmrc_jax.model import reader
from xmrc_jax.train import sharding
from xmrc_jax.train.objective import base_objective
from xmrc_jax.train.optimizer import build, schedule
from xmrc_jax.train.step import initial_state, train_step
from xmrc_jax.train.two_stage import two_stage_objective

STEPS = 20
ADAMW, METHOD = made.optimizer(peak_lr=1e-3), made.method()


def mesh_of(*sizes):
    devices = np.array(jax.devices()[: int(np.prod(sizes))]).reshape(sizes)
    return jax.sharding.Mesh(devices, sharding.AXES)


def objective_of(stage, encoder):
    if stage == 'base':
        return base_objective(encoder, METHOD.normalisation)
    return two_stage_objective(encoder, METHOD, STEPS, made.MAX_ANSWER_TOKENS)


def step_of(stage, encoder, **jit):
    return jax.jit(
        partial(
            train_step,
            objective=objective_of(stage, encoder),
            optimizer=build(ADAMW, STEPS),
            learning_rate=schedule(ADAMW, STEPS),
        ),
        **jit,
    )


def state_of(encoder, key):
    params = {'reader': reader.init(encoder, key)} | METHOD.hard.initial_slots(made.CANDIDATES)
    return initial_state(params, build(ADAMW, STEPS))


def losses_on(mesh, stage, encoder, batches, key, packed=True, accumulate=1):
    encoder = dataclasses.replace(encoder, accumulate=accumulate)
    share = sharding.Share(mesh, batches.batch_size)
    state = state_of(encoder, key)
    shardings = sharding.of(state, mesh)
    state = jax.device_put(state, shardings)
    step = step_of(stage, encoder, out_shardings=(shardings, None))
    losses, layouts = [], batches.layouts(STEPS, share.groups * accumulate)
    for number in range(STEPS):
        layout = layouts[number] if packed else None
        state, metrics = step(state, share.put(batches.batch_at(number, layout=layout)), key)
        losses.append(float(metrics['loss']))
    return losses


@pytest.mark.parametrize(
    ('stage', 'ways'),
    [
        ('base', [((2, 2, 2), 1), ((1, 1, 1), 4)]),
        ('two_stage', [((8, 1, 1), 1), ((2, 4, 1), 1), ((2, 2, 2), 1), ((2, 1, 1), 4)]),
    ],
)
def test_several_devices_and_several_parts_train_as_one(stage, ways, encoder, batches, key):
    # Dropout and the partners of the contrast included. Relative 2e-5: sums of float32 in another
    # order, carried through 20 updates of AdamW.
    assert encoder.dropout > 0
    one = losses_on(mesh_of(1, 1, 1), stage, encoder, batches, key)
    assert one[-1] < one[0]
    for sizes, accumulate in ways:
        other = losses_on(mesh_of(*sizes), stage, encoder, batches, key, accumulate=accumulate)
        np.testing.assert_allclose(other, one, rtol=2e-5, err_msg=f'{sizes} {accumulate}')


@pytest.mark.parametrize('stage', ['base', 'two_stage'])
def test_packed_training_is_padded_training(stage, encoder, batches, key):
    # Dropout included: what a token drops depends on its place in the batch, not on the layout.
    assert encoder.dropout > 0
    packed, padded = (
        losses_on(mesh_of(1, 1, 1), stage, encoder, batches, key, packed=packed)
        for packed in (True, False)
    )
    np.testing.assert_allclose(packed, padded, rtol=2e-5)
    batch = batches.batch_at(0, layout=batches.layouts(1, 1)[0])
    assert batch.length_B.sum() <= batch.token_GRP.size < batch.ids_BL.size


@pytest.mark.parametrize('stage', ['base', 'two_stage'])
def test_padding_rows_and_their_content_do_not_matter(stage, encoder, batches, key):
    # The windows of four questions do not fill a batch of 8: the other rows are padding.
    batch = batches.batch_at(0)
    assert 4 <= batch.real_B.sum() < 8
    rows = np.flatnonzero(batch.real_B)
    alone = jax.tree.map(lambda values: values[rows], batch)
    spoilt = jax.tree.map(np.copy, batch)
    spoilt.ids_BL[~batch.real_B] = 5
    spoilt.gold_B2[~batch.real_B] = 7
    state = state_of(encoder, key)
    step = step_of(stage, dataclasses.replace(encoder, dropout=0.0, attention_dropout=0.0))
    whole, metrics = step(state, batch, key)
    for other in (alone, spoilt):
        again, others = step(state, other, key)
        jax.tree.map(partial(np.testing.assert_allclose, atol=2e-6), again.params, whole.params)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-7), others, metrics)


def test_vitals_are_the_loss_the_gradient_and_whether_to_stop(encoder, batches, key):
    step = step_of('base', encoder)
    state, batch = state_of(encoder, key), batches.batch_at(0)
    for stop_B, stop in ((None, 0), (np.zeros(8, bool), 0), (np.arange(8) == 5, 1)):
        _, metrics = step(state, batch, key, stop_B)
        vitals = metrics['vitals']
        np.testing.assert_array_equal(
            vitals['now_3'], [metrics['loss'], metrics['grad_norm'], stop]
        )
        squares = sum(float(norm) ** 2 for norm in vitals['norms'].values())
        assert squares == pytest.approx(float(metrics['grad_norm']) ** 2, rel=1e-5)
        assert vitals['norms'].keys() >= {'reader/span/kernel', 'reader/encoder/embed/norm/scale'}


def test_nothing_crosses_to_the_host_inside_a_step(encoder, batches, key):
    step = step_of('two_stage', encoder)
    mesh = mesh_of(1, 1, 1)
    state = jax.device_put(state_of(encoder, key), jax.devices()[0])
    batch = sharding.Share(mesh, batches.batch_size).put(batches.batch_at(0))
    assert 'callback' not in step.lower(state, batch, key).as_text()
    with jax.transfer_guard('disallow'):
        state, metrics = step(state, batch, key)
    assert np.isfinite(metrics['loss'])
    assert np.shape(metrics['w']) == (made.CANDIDATES,)


def test_dropout_depends_on_the_step_and_the_run_key_alone(encoder, batches, key):
    step = step_of('base', encoder)
    state, batch = state_of(encoder, key), batches.batch_at(0)
    loss = float(step(state, batch, key)[1]['loss'])
    assert loss == float(step(state, batch, key)[1]['loss'])
    later = dataclasses.replace(state, step=jnp.int32(1))
    assert loss != float(step(later, batch, key)[1]['loss'])
    assert loss != float(step(state, batch, jax.random.key(9))[1]['loss'])
