"""The trainer that ours is timed against computes our loss, whatever the architecture."""

import jax
import numpy as np
import pytest

from tests.tiny import KINDS
from tests.train import made
from xmrc_jax.data.batches import Batches
from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import Computation, EncoderConfig
from xmrc_jax.plan.job import windows_of
from xmrc_jax.train.objective import base_objective

pytest.importorskip('torch')

from benchmarks.torch_trainer import TorchTrainer

DRY = Computation(0.0, 0.0, 'float32', remat=False, attention='auto')


@pytest.mark.parametrize('kind', ['bert', 'modernbert', 'gte', 'deberta-v2'])
def test_both_see_the_same_loss_and_it_falls(kind, key, tmp_path):
    cfg = EncoderConfig.of(KINDS[kind], DRY)
    params = reader.init(cfg, key)
    weights.save(tmp_path / 'first', params, cfg)
    windows = windows_of(4, 20)
    batch = Batches(windows, batch_size=4, max_tokens=24, seed=0).batch_at(0)
    objective = base_objective(cfg, made.method().normalisation)
    ours = jax.jit(objective)({'reader': params}, batch, 0, key).loss_B
    trainer = TorchTrainer(
        tmp_path / 'first',
        half=False,
        passage_type=cfg.passage_type if cfg.types else None,
        compiled=False,
        steps=20,
    )
    losses = [float(trainer.update(trainer.batch(batch))) for _ in range(8)]
    np.testing.assert_allclose(losses[0], ours.mean(), rtol=1e-5)
    assert losses[-1] < losses[0]
