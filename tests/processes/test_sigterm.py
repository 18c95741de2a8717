"""SIGTERM ends a process at once, or as soon as it has saved; so does Ctrl-C."""

import signal
import subprocess
import sys
from signal import SIGINT, SIGTERM

import pytest

from tests.several import HANG

LISTENS = """
import threading, time
from xmrc_jax.processes import sigterm
sigterm.listen()
"""
WAITS = 'print("up", flush=True); threading.Event().wait()'
SAVES = """
with sigterm.saving_first():
    print('up', flush=True)
    while not sigterm.heard():
        time.sleep(0.01)
    time.sleep(0.5)  # of the running step: a process that does not wait for it is gone by then
    sigterm.begin_saving()
print(f'saved by {sigterm.cause()}, {sigterm.status()}', flush=True)
"""
SLOW = """
sigterm.GRACE = 0.1
with sigterm.saving_first():
    time.sleep(2)
    sigterm.step_ended()
    print('up', flush=True)
    time.sleep(1)  # a step no longer than the last, but longer than the grace
    sigterm.begin_saving()
print(f'saved by {sigterm.cause()}, {sigterm.status()}', flush=True)
"""
STUCK = """
with sigterm.saving_first():
    print('up', flush=True)
    threading.Event().wait()
"""
SAVING = 'xmrc_jax: Ctrl-C: saving behind this step; another one ends at once\n'


def started(code) -> subprocess.Popen:
    """A process that listens and then runs the code."""
    command = [sys.executable, '-c', LISTENS + code]
    both = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}
    process = subprocess.Popen(command, text=True, **both)
    assert process.stdout.readline() == 'up\n'
    return process


@pytest.mark.parametrize(
    ('number', 'code', 'status', 'out', 'error'),
    [
        (SIGTERM, WAITS, 75, '', 'xmrc_jax: stopped by SIGTERM; the same command continues\n'),
        (SIGTERM, SAVES, 0, 'saved by SIGTERM, 75\n', ''),
        (SIGTERM, SLOW, 0, 'saved by SIGTERM, 75\n', ''),
        (SIGINT, SAVES, 0, 'saved by Ctrl-C, 130\n', SAVING),
    ],
    ids=['at once', 'saving first', 'slow steps', 'Ctrl-C'],
)
def test_a_signal_is_answered(number, code, status, out, error):
    process = started(code)
    process.send_signal(number)
    assert process.communicate(timeout=HANG) == (out, error)
    assert process.returncode == status


@pytest.mark.parametrize('code', [WAITS, STUCK], ids=['nothing to save', 'a second time'])
def test_ctrl_c_ends_at_once_where_nothing_is_saved_or_it_comes_again(code):
    process = started(code)
    process.send_signal(signal.SIGINT)
    if code == STUCK:
        assert process.stderr.readline() == SAVING
        process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=HANG)
    assert error.endswith('KeyboardInterrupt\n')
    assert process.returncode != 0
