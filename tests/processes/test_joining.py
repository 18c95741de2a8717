"""Processes that only join, agree and wait: what they agree on, and how they end together."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.several import HANG

JOINS = """
import sys, threading
from pathlib import Path
from xmrc_jax.processes import agreement, heartbeat, identity, joining, output
heartbeat.BEAT, heartbeat.MISSED = 1, 10
coordinator, process, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
"""
WAITS = """
with joining.joined(coordinator, 3, process), output.kept_warnings(folder):
    agreement.barrier()
    (folder / f'up-{process}').touch()
    threading.Event().wait()
"""
AGREES = """
with joining.joined(coordinator, 3, process):
    assert identity.several() and identity.is_first() == (process == 0)
    assert agreement.decided(process) == 0
    assert agreement.any_of(process == 2) is True and agreement.any_of(False) is False
    assert agreement.everywhere({'process': [process]}) == [{'process': [n]} for n in range(3)]
    agreement.agree({'seed': 1})
    with agreement.first_turn():
        (folder / 'turns').open('a').write(f'{int(process > 0)}')
assert not identity.several()
"""


def start(code, folder):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        coordinator = f'127.0.0.1:{free.getsockname()[1]}'
    return [
        subprocess.Popen(
            [sys.executable, '-c', JOINS + code, coordinator, str(process), str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {'JAX_PLATFORMS': 'cpu'},
            text=True,
        )
        for process in range(3)
    ]


def test_processes_agree_take_turns_and_part(tmp_path):
    running = start(AGREES, tmp_path)
    ends = [(process.communicate(timeout=HANG)[1], process.returncode) for process in running]
    assert ends == [('', 0)] * 3
    assert (tmp_path / 'turns').read_text() == '011'


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGSTOP], ids=['killed', 'stopped'])
@pytest.mark.parametrize('victim', [0, 1])
def test_where_one_is_lost_the_others_end_with_a_line(number, victim, tmp_path):
    running = start(WAITS, tmp_path)
    try:
        while not all((tmp_path / f'up-{process}').exists() for process in range(3)):
            assert [process.poll() for process in running] == [None] * 3
            time.sleep(0.02)
        running[victim].send_signal(number)
        others = running[:victim] + running[victim + 1 :]
        ends = [process.communicate(timeout=HANG)[1] for process in others]
    finally:
        for process in running:
            process.kill()
            process.wait()
    for process, error in zip(others, ends, strict=True):
        assert error.startswith('xmrc_jax: process '), error
        assert error.endswith('; the same command continues\n')
        assert error.count('\n') == 1
        # JAX may be the first to find process 0 gone, not merely silent; it aborts the others.
        gone = victim == 0 and number == signal.SIGKILL
        assert process.returncode in ({69, -signal.SIGABRT} if gone else {69}), error
