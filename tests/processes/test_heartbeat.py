"""Signs of life, against a key-value store that stands in for JAX's."""

import json
import threading
from itertools import count

import jax
import pytest

from tests.several import HANG
from xmrc_jax.processes import ending, heartbeat


class Store:
    """A store with a reason to end, or none."""

    def __init__(self, reason=None, alive=()):
        self.values, self.alive, self.reason = {}, list(alive), reason
        self.missed = threading.Event()  # set when a process ends

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
    raised = threading.excepthook

    def of_a_thread(error):
        if error.exc_type is not SystemExit:  # which stands for the end of the whole process
            raised(error)

    monkeypatch.setattr(threading, 'excepthook', of_a_thread)

    def run(store, process=0, several=True):
        found = []

        def end(status, line):
            found.append((status, line))
            store.missed.set()
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


class Slow(Store):
    """Process 1 gives a sign for each so many looks, and falls silent after ``signs`` of them."""

    def __init__(self, every, signs):
        super().__init__()
        self.every, self.signs, self.looks = every, signs, count()

    def key_value_dir_get(self, key):
        self.look = next(self.looks)
        return [(f'{key}/1', str(min(self.look // self.every, self.signs)))]


@pytest.mark.parametrize('every', [1, 5, 10])
def test_a_slow_process_is_not_missed_and_a_silent_one_is(every, beat):
    store = Slow(every, signs=20)
    [(status, line)] = beat(store)
    assert status == ending.LOST
    assert 'process 1 has given no sign for 45 s' in line
    # Its last sign, and ten more looks in vain, 5 s from each other: before a minute has passed.
    assert store.look == 20 * every + 10


def test_a_process_0_that_answers_no_call_is_missed(beat, monkeypatch):
    class Stopped(Store):
        def key_value_set(self, key, value, allow_overwrite=False):
            assert self.missed.wait(HANG)
            raise RuntimeError('UNAVAILABLE: gone at last')

    monkeypatch.setattr(heartbeat, 'BEAT', 0.01)
    [(status, line)] = beat(Stopped(), process=1, several=False)
    assert status == ending.LOST
    assert 'cannot reach process 0' in line


def test_after_an_orderly_end_it_is_quiet(beat):
    class Gone(Store):
        def blocking_key_value_get(self, key, milliseconds):
            raise RuntimeError('UNAVAILABLE: shut down')

    assert beat(Gone(), several=False) == []
