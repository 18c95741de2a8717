"""What a step takes: its batch on all devices, in the layout that is told beforehand."""

import jax
import numpy as np

from xmrc_jax.train import sharding
from xmrc_jax.train.inputs import Inputs


def test_a_step_has_its_batch_in_its_layout(batches):
    inputs = Inputs(batches, 5, sharding.make_mesh(data=2, devices=jax.devices()[:2]))
    assert len(inputs.layouts) == 5
    for step, layout in enumerate(inputs.layouts):
        batch, stop_B = inputs.at(step)
        assert stop_B is None
        assert layout == batch.token_GRP.shape
        assert len(batch.ids_BL.addressable_shards) == layout[0] == 2
        np.testing.assert_array_equal(batch.ids_BL, batches.batch_at(step).ids_BL)
