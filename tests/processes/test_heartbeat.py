"""Signs of life, against a key-value store that stands in for JAX's."""

import json
from itertools import count

import jax
import pytest

from xmrc_jax.processes import ending, heartbeat


class Store:
    """A store with a reason to end, or none."""

    def __init__(self, reason=None, alive=()):
        self.values, self.alive, self.reason = {}, list(alive), reason

    def key_value_set(self, key, value, allow_overwrite=False):
        self.values[key] = value

    def key_value_dir_get(self, key):
        return self.alive

    def blocking_key_value_get(self, key, milliseconds):
        if self.reason is None:
            raise RuntimeError('DEADLINE_EXCEEDED: none yet')
        return json.dumps(self.reason)


@pytest.fixture
def beat(monkeypatch):
    """Runs the thread of one process until it ends; what it ends with."""

    def run(store, process=0, several=True):
        found = []

        def end(status, line):
            found.append((status, line))
            raise SystemExit

        monkeypatch.setattr(jax, 'process_index', lambda: process)
        monkeypatch.setattr(jax, 'process_count', lambda: 2)
        monkeypatch.setattr(heartbeat, 'client', lambda: store)
        monkeypatch.setattr(heartbeat, 'several', lambda: several)
        for name in ('end', 'leave'):
            monkeypatch.setattr(ending, name, end)
        heartbeat.start().join()
        return found

    return run


def test_the_reason_of_another_process_ends_this_one(beat):
    reason = {'status': 2, 'line': 'no such file', 'of': 'process 0 (node-0)'}
    store = Store(reason)
    [(status, line)] = beat(store, process=1)
    assert status == 2
    assert line.endswith('ends, for process 0 (node-0) did: no such file')
    assert store.values['xmrc/alive/1'] == '0'


def test_a_silent_process_is_missed(beat, monkeypatch):
    hours = count(0, 3600)  # between two looks at the clock
    monkeypatch.setattr(heartbeat.time, 'monotonic', lambda: next(hours))
    [(status, line)] = beat(Store())
    assert status == ending.LOST
    assert 'process 1 has given no sign' in line


def test_after_an_orderly_end_it_is_quiet(beat):
    class Gone(Store):
        def blocking_key_value_get(self, key, milliseconds):
            raise RuntimeError('UNAVAILABLE: shut down')

    assert beat(Gone(), several=False) == []
