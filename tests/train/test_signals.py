"""Who must stop: one process decides alone, several put what they have heard into the step."""

import jax
import pytest

from xmrc_jax.processes import preemption
from xmrc_jax.train import signals


@pytest.fixture(params=[False, True])
def sigterm(request, monkeypatch):
    """Whether this process has heard SIGTERM."""
    monkeypatch.setattr(preemption, 'told', lambda: request.param)
    return request.param


def test_one_process_decides_alone(sigterm):
    assert signals.heard(4) == signals.QUIET
    assert signals.must_stop() == sigterm


def test_of_several_each_says_what_it_has_heard(sigterm, monkeypatch):
    monkeypatch.setattr(jax, 'process_count', lambda: 2)
    assert signals.heard(4).stop_B.tolist() == [sigterm] * 4
    assert not signals.must_stop()
