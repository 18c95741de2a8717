"""What is said of a process that ended unannounced."""

import subprocess
import sys

import pytest

CODE = """
import os, signal
from xmrc_jax.processes import last_word
{before}
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ('before', 'said'),
    [
        ("last_word.call(); last_word.leave('one'); last_word.leave('two')", 'xmrc_jax: two\n'),
        ("last_word.call(); last_word.leave('one'); last_word.dismiss()", ''),
        ('last_word.dismiss()', ''),  # there is no watcher
    ],
    ids=['killed', 'dismissed', 'never called'],
)
def test_a_killed_process_has_a_last_word(before, said):
    code = CODE.format(before=before)
    ended = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (-9, said)
