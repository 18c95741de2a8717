"""Who must stop: one process decides alone, several put what they have heard into the step."""

import jax
import pytest

from xmrc_jax.processes import sigterm
from xmrc_jax.train import signals


@pytest.fixture(params=[False, True])
def heard(request, monkeypatch):
    """Whether this process has heard SIGTERM."""
    monkeypatch.setattr(sigterm, 'heard', lambda: request.param)
    return request.param


def test_one_process_decides_alone(heard):
    assert signals.heard(4) is None
    assert signals.must_stop() == heard


def test_of_several_each_says_what_it_has_heard(heard, monkeypatch):
    monkeypatch.setattr(jax, 'process_count', lambda: 2)
    assert signals.heard(4).tolist() == [heard] * 4
    assert not signals.must_stop()
