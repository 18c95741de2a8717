"""Every ending of a command is one line and a status."""

import argparse
import errno
import subprocess
import sys

import pytest

from tests.conftest import status_of
from xmrc_jax.ground.commands import documented, number, positive, share
from xmrc_jax.ground.errors import UserError


def raising(error):
    def body():
        raise error

    return body


@pytest.mark.parametrize(
    ('error', 'status', 'line'),
    [
        (UserError('a.json: mend it'), 2, 'a.json: mend it'),
        (UserError('a\nb.json: mend it'), 2, r'a\nb.json: mend it'),
        (
            OSError(errno.ENOSPC, 'No space left on device', 'runs/x'),
            2,
            'runs/x: cannot be written: No space left on device',
        ),
    ],
)
def test_what_the_user_can_mend_is_one_line(error, status, line, capsys):
    assert status_of(raising(error)) == status
    assert capsys.readouterr().err == f'xmrc_jax: {line}\n'


def test_ctrl_c_is_one_line_behind_what_was_printed_and_takes_nothing_down():
    program = (
        'import atexit, os\n'
        'from xmrc_jax.ground.commands import command\n'
        'def body():\n'
        '    print("an answer")\n'
        '    raise KeyboardInterrupt\n'
        'atexit.register(os.abort)\n'
        'command(body)'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, 'an answer\n')
    assert done.stderr == 'xmrc_jax: interrupted: the same command continues\n'


def test_a_pipe_that_is_closed_is_one_line():
    program = (
        'from xmrc_jax.ground.commands import command\n'
        'command(lambda: print("an answer\\n" * 100_000))'
    )
    words = [sys.executable, '-c', program]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == 'an answer\n'
        run.stdout.close()
        said = run.stderr.read()
    assert run.returncode == 2
    assert said == 'xmrc_jax: standard output was closed before all was written\n'


def test_the_help_has_the_examples_as_they_are_written(capsys):
    doc = 'Ask.\n\n    xmrc ask one\n    xmrc ask two\n'
    assert status_of(lambda: documented('xmrc ask', doc).parse_args(['--help'])) == 0
    assert doc in capsys.readouterr().out


@pytest.mark.parametrize(
    ('kind', 'good', 'bad', 'words'),
    [
        (positive, {'1': 1, '20': 20}, ('0', '-3', '2.5', 'x', ''), 'whole number of at least 1'),
        (number, {'-1.5': -1.5, '0': 0}, ('nan', 'inf', '-inf', 'x', ''), 'is not a finite number'),
        (share, {'0': 0, '.5': 0.5, '1': 1}, ('2', '-0.1', 'nan', 'x'), 'a number from 0 to 1'),
    ],
)
def test_a_number_that_may_not_be_is_refused_with_what_may(kind, good, bad, words):
    assert {word: kind(word) for word in good} == good
    for word in bad:
        with pytest.raises(argparse.ArgumentTypeError, match=words):
            kind(word)


def test_a_defect_keeps_its_traceback():
    with pytest.raises(OSError, match='denied'):
        status_of(raising(OSError(errno.EACCES, 'denied')))
    with pytest.raises(ZeroDivisionError):
        status_of(lambda: 1 // 0)


def test_done_is_0():
    assert status_of(lambda: None) == 0
