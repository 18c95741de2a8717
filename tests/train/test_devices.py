"""The peers' objectives, and every architecture, on several devices and on one."""

import dataclasses
from functools import partial

import jax
import numpy as np
import pytest

from tests.tiny import KINDS
from tests.train import made
from tests.train.stored import restored, save
from xmrc_jax.data.batches import Batches
from xmrc_jax.data.masking import Masking
from xmrc_jax.model import lm_head, reader
from xmrc_jax.model.architectures import PLAIN, EncoderConfig
from xmrc_jax.model.marks import marked
from xmrc_jax.train import sharding
from xmrc_jax.train.distil import Imitation, distil_objective
from xmrc_jax.train.lakm import lakm_objective
from xmrc_jax.train.objective import base_objective
from xmrc_jax.train.optimizer import build
from xmrc_jax.train.step import compiled_step, initial_state

PROBABILITY = made.method().normalisation
SHAPE = {'batch_size': 8, 'max_tokens': 96, 'seed': 3}


def taught(windows, encoder):
    """A second pass that learns from two teachers: every new input of a batch at once."""
    random = np.random.default_rng(0)
    targets = [random.normal(size=(n, 2, 2)).astype(np.float16) for n in windows.length_W]
    windows = dataclasses.replace(windows, mark_W2=np.maximum(windows.gold_W2, 0))
    objective = distil_objective(encoder, Imitation(2.0, 0.5, 'n_best'), PROBABILITY)
    return Batches(windows, targets=targets, **SHAPE), objective


def guessed(windows, encoder):
    """Masked phrases of the first thirty characters."""
    chars = [np.array([[0, 6], [7, 13], [14, 22], [23, 30]])] * (windows.question_W[-1] + 1)
    objective = lakm_objective(encoder, 1.0, PROBABILITY)
    return Masking(windows, chars, share=0.3, mask_id=3, **SHAPE), objective


@pytest.mark.parametrize('make', [taught, guessed])
def test_two_devices_compute_what_one_does(make, windows, encoder, key):
    batches, objective = make(windows, encoder)
    params = {'reader': marked(reader.init(encoder, key)), 'lm': lm_head.init(encoder, key)}
    params['reader']['marks']['embedding'] += 0.1

    @jax.jit
    def step(params, batch):
        def total(params):
            return objective(params, batch, 0, key).loss_B.mean()

        return jax.value_and_grad(total)(params)

    found = []
    for sizes in ((1, 1, 1), (2, 1, 1)):
        devices = np.array(jax.devices()[: int(np.prod(sizes))]).reshape(sizes)
        mesh = jax.sharding.Mesh(devices, sharding.AXES)
        share = sharding.Share(mesh, 8)
        (layout,) = batches.layouts(1, share.groups)
        batch = share.put(batches.batch_at(0, share.rows, layout))
        placed = jax.device_put(params, sharding.of(params, mesh))
        found.append(jax.tree.map(np.asarray, step(placed, batch)))
    assert found[0][0] > 0.1
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), *found)


@pytest.mark.parametrize('kind', ['modernbert', 'gte', 'deberta-v2', 'xlm-roberta-xl', 'rembert'])
def test_an_architecture_trains_alike_on_eight_devices_and_after_a_kill(
    kind, tokenizer, batches, key, tmp_path
):
    own = {'vocabulary': len(tokenizer), 'width': 16, 'mlp': 32, 'heads': 2, 'layers': 2}
    encoder = EncoderConfig.of(dataclasses.replace(KINDS[kind], positions=128, **own), PLAIN)
    objective, adamw = base_objective(encoder, PROBABILITY), made.optimizer(peak_lr=1e-3)
    losses = []
    for sizes in ((1, 1, 1), (2, 2, 2)):
        mesh = sharding.make_mesh(*sizes, devices=jax.devices()[: int(np.prod(sizes))])
        share = sharding.Share(mesh, 8)
        (layout,) = batches.layouts(1, share.groups)
        batch = share.put(batches.batch_at(0, share.rows, layout))
        state = initial_state({'reader': reader.init(encoder, key)}, build(adamw, 9))
        shardings = sharding.of(state, mesh)
        step, state = (
            compiled_step(objective, adamw, 9, shardings),
            jax.device_put(state, shardings),
        )
        for _ in range(3):
            state, metrics = step(state, batch, key)
            losses.append(float(metrics['loss']))
        save(tmp_path / str(len(losses)), state, [3])
        state, _ = step(state, batch, key)
        undisturbed = jax.device_get(state)
        _, state = restored(tmp_path / str(len(losses)), sharding.placed(state, mesh))
        state, _ = step(state, batch, key)
        jax.tree.map(np.testing.assert_array_equal, state, undisturbed)
    assert losses[2] < losses[0]
    np.testing.assert_allclose(losses[3:], losses[:3], rtol=2e-5)
