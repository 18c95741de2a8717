"""Which steps are recorded for the profiler."""

import jax
import pytest

from xmrc_jax.train.profile import SKIPPED, Profile


@pytest.mark.parametrize(('steps', 'taken'), [(0, 9), (2, 9), (2, SKIPPED + 1)])
def test_so_many_steps_are_recorded_behind_the_first(steps, taken, tmp_path, monkeypatch):
    recorded, running = [], []
    monkeypatch.setattr(jax.profiler, 'start_trace', lambda folder: running.append(folder))
    monkeypatch.setattr(jax.profiler, 'stop_trace', running.clear)
    trace = Profile(tmp_path, steps)
    for number in range(taken):
        trace.before(number)
        recorded += [number] * len(running)
    trace.end()
    assert recorded == list(range(SKIPPED, min(SKIPPED + steps, taken)))
    assert running == []
