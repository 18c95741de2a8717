"""The restart loop: what ends it, what it goes on from, and whom a signal reaches."""

import signal
import subprocess
import sys

import pytest

from tests.launch.stand_ins import LAUNCH

# A command that notes each start, says so and ends with the next of the given statuses.
COMMAND = """
import os, signal, sys, time
from pathlib import Path
starts = Path('starts')
starts.write_text(starts.read_text() + 'x' if starts.exists() else 'x')
statuses = sys.argv[1].split(',')
status = statuses[min(len(starts.read_text()), len(statuses)) - 1]
if status == 'kill':
    os.kill(os.getpid(), signal.SIGKILL)
if status == 'wait':
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    print('ready', flush=True)
    signal.sigwait([signal.SIGTERM])
    print('saving', flush=True)
    time.sleep(1)
    status = 75
sys.exit(int(status))
"""


@pytest.fixture
def start(tmp_path, stub, monkeypatch):
    """Starts the loop around a command with the given statuses; pauses are noted, not waited."""
    monkeypatch.setenv('PATH', stub('sleep', 'echo "$1" >> pauses; exec true'))
    # Tests that run in a shell's background are born with Ctrl-C ignored, and so is the loop then.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def started(statuses, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return subprocess.Popen(
            [LAUNCH / 'restart.sh', sys.executable, '-c', COMMAND, statuses],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    yield started
    signal.signal(signal.SIGINT, before)


def counted(folder, name):
    path = folder / name
    return path.read_text().split() if path.exists() else []


@pytest.mark.parametrize(
    ('statuses', 'status', 'starts', 'pauses'),
    [
        ('0', 0, 1, []),
        ('2', 2, 1, []),
        ('75,75,0', 0, 3, []),  # a preemption costs no pause
        ('1,134,kill,2', 2, 4, ['5', '10', '20']),
    ],
)
def test_what_ends_the_loop(statuses, status, starts, pauses, start, tmp_path):
    assert start(statuses).wait() == status
    assert len((tmp_path / 'starts').read_text()) == starts
    assert counted(tmp_path, 'pauses') == pauses


def test_crashes_are_bounded_and_preemptions_are_not(start, tmp_path):
    loop = start('1,75,75,75,kill,3', XMRC_RESTARTS='2')
    lines = loop.communicate()[1].splitlines()
    assert loop.returncode == 3
    assert len((tmp_path / 'starts').read_text()) == 6
    assert lines[-1] == 'restart.sh: exit status 3, given up after 2 restarts'


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_command_and_ends_the_loop(number, start, tmp_path):
    loop = start('wait')
    assert loop.stdout.readline() == 'ready\n'
    loop.send_signal(number)
    assert loop.stdout.readline() == 'saving\n'
    loop.send_signal(number)  # the impatient do not cut the saving short
    assert loop.wait() == 75
    assert (tmp_path / 'starts').read_text() == 'x'


def test_a_signal_ends_the_pause_too(start, stub, tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', stub('sleep', 'echo pause; exec tail -f /dev/null'))
    loop = start('9')
    assert loop.stdout.readline() == 'pause\n'
    loop.send_signal(signal.SIGTERM)
    assert loop.wait() == 9
    assert (tmp_path / 'starts').read_text() == 'x'
