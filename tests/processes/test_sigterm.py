"""SIGTERM ends a process at once, or as soon as it has saved."""

import signal
import subprocess
import sys

import pytest

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
print('saved', flush=True)
"""


@pytest.mark.parametrize(
    ('code', 'status', 'out', 'error'),
    [
        (WAITS, 75, '', 'xmrc_jax: stopped by SIGTERM; the same command continues\n'),
        (SAVES, 0, 'saved\n', ''),
    ],
    ids=['at once', 'saving first'],
)
def test_sigterm_is_answered(code, status, out, error):
    process = subprocess.Popen(
        [sys.executable, '-c', LISTENS + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == 'up\n'
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=400) == (out, error)
    assert process.returncode == status
