"""What a step takes: its batch on all devices, in the layout that is told beforehand, and who must
stop: one process decides alone, several put what they have heard beside the batch."""

import jax
import numpy as np
import pytest

from xmrc_jax.processes import sigterm
from xmrc_jax.train import inputs, sharding
from xmrc_jax.train.inputs import Inputs


@pytest.fixture
def own(batches):
    return Inputs(batches, 5, sharding.make_mesh(data=2, devices=jax.devices()[:2]))


def test_a_step_has_its_batch_in_its_layout(own, batches):
    assert len(own.layouts) == 5
    for step, layout in enumerate(own.layouts):
        batch, _ = own.at(step)
        assert layout == batch.token_GRP.shape
        assert len(batch.ids_BL.addressable_shards) == layout[0] == 2
        np.testing.assert_array_equal(batch.ids_BL, batches.batch_at(step).ids_BL)


@pytest.fixture(params=[False, True])
def heard(request, monkeypatch):
    """Whether this process has heard SIGTERM."""
    monkeypatch.setattr(sigterm, 'heard', lambda: request.param)
    return request.param


def test_one_process_decides_alone(heard, own):
    assert own.at(0)[1] is None
    assert inputs.must_stop() == heard


def test_of_several_each_says_what_it_has_heard(heard, own, batches, monkeypatch):
    monkeypatch.setattr(jax, 'process_count', lambda: 2)
    assert own.at(0)[1].tolist() == [heard] * batches.batch_size
    assert not inputs.must_stop()
