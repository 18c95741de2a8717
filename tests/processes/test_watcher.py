"""The program beside a process that says its last line."""

import subprocess
import sys

import pytest

from xmrc_jax.processes import watcher

COMMAND = [sys.executable, '-S', '-E', watcher.__file__]


@pytest.mark.parametrize(
    ('lines', 'said'),
    [
        ('joining\nprocess 1 is gone\n', 'xmrc_jax: process 1 is gone\n'),
        ('process 1 is gone\n.\n', ''),
        ('', ''),
    ],
    ids=['the last line', 'dismissed', 'called in vain'],
)
def test_what_the_watcher_says(lines, said, tmp_path):
    ended = subprocess.run(COMMAND, input=lines, capture_output=True, text=True, cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, '', said)


def test_the_watcher_outlives_what_ends_a_group_of_processes():
    code = f"""
import os, runpy, signal, sys
class Lines:
    def __iter__(self):
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        yield 'still here\\n'
sys.stdin = Lines()
runpy.run_path({watcher.__file__!r}, run_name='__main__')
"""
    ended = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, 'xmrc_jax: still here\n')
