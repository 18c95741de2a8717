"""A table's runs: what they share, what is done again, and that a kill changes no byte."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.several import HANG
from tests.small import small
from xmrc_jax.recipe import experiment

FOLDERS = ('shared/1/seed-42', 'alpha=0.3/seed-42', 'alpha=0.5/seed-42')


# -- the command -----------------------------------------------------------------------------------

SETTINGS = """
import sys
import tests.conftest  # the same devices and the same compiler settings, or bits differ
from xmrc_jax import main, sweep
from xmrc_jax.ground.commands import command
sys.executable = {python!r}  # children as well
command(lambda: sweep.sweep(sys.argv), main.end)
"""


@pytest.fixture
def start(tmp_path):
    """Starts the command; its children run with the settings of the tests, as it does."""
    python = tmp_path / 'python'  # `python -m xmrc_jax.sweep ...` of a child
    inner = tmp_path / 'sweep.py'
    inner.write_text(SETTINGS.format(python=str(python)))
    python.write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} {inner} "$@"\n')
    python.chmod(0o755)

    def started(workdir, *arguments):
        command = [python, '-m', 'xmrc_jax.sweep', '--config=tests/small_table.py']
        return subprocess.Popen(
            [*map(str, command), f'--workdir={workdir}', *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {'JAX_PLATFORMS': 'cpu', 'PYTHONPATH': str(Path.cwd())},
            start_new_session=True,
        )

    def run(workdir, *arguments):
        process = started(workdir, *arguments)
        out, err = process.communicate(timeout=HANG)
        return process.returncode, out, err

    run.start = started
    return run


@pytest.mark.slow
def test_a_sweep_end_to_end_killed_resumed_and_task_by_task(start, tmp_path):
    whole, killed, tasks = (tmp_path / name for name in ('whole', 'killed', 'tasks'))
    status, out, err = start(whole)
    assert status == 0, err
    assert [line for line in out.splitlines() if line.startswith('task ') and ' of ' in line] != []
    assert 'task 3 of 3' in out
    assert 'min left' in out
    for line in ('alpha = 0.3', 'alpha = 0.5', 'base'):
        assert f'\n{line} ' in out
        assert f'| {line} | ' in (whole / 'results.md').read_text()
    tables, written = out.rstrip().splitlines()[-2:]
    assert tables.startswith('tables: ')
    assert written.startswith('written: ')
    assert 'alpha = 0.3' in (whole / 'report.md').read_text('utf-8')

    # What is shared was done once, and each run has all that a run has.
    for folder in FOLDERS[1:]:
        assert (whole / folder / 'base').is_symlink()
        assert not os.path.isabs(os.readlink(whole / folder / 'base'))
        results = json.loads((whole / folder / 'results.json').read_text())
        assert [each['system'] for each in results] == ['base'] * 2 + ['two_stage'] * 2
    bases = {json.dumps(json.loads((whole / f / 'results.json').read_text())[:2]) for f in FOLDERS}
    assert len(bases) == 1

    # A run on its own, which shares nothing, gives the same bytes.
    alone = tmp_path / 'alone'
    experiment.run(small(**{'two_stage.alpha': 0.3}), alone)
    same(alone, whole / FOLDERS[1])

    # Killed with all its children in the second stage of the first run, then continued.
    process = start.start(killed)
    wait_for(process, killed / FOLDERS[1] / 'two_stage' / 'checkpoints' / '3')
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    stamp = (killed / FOLDERS[0] / 'results.json').stat().st_mtime_ns
    status, out, err = start(killed)
    assert status == 0, err
    assert 'task 2 of 2' in out
    assert (killed / FOLDERS[0] / 'results.json').stat().st_mtime_ns == stamp
    for folder in FOLDERS:
        same(killed / folder, whole / folder)
    assert (killed / 'results.md').read_bytes() == (whole / 'results.md').read_bytes()
    assert (killed / 'sweep.json').read_bytes() == (whole / 'sweep.json').read_bytes()

    # As an array of jobs does it.
    status, _, err = start(tasks, '--task=1')
    assert status == 2
    assert 'first run its task' in err
    shutil.copytree(whole / 'shared', tasks / 'shared')
    assert start(tasks, '--task=2')[0] == 0
    same(tasks / FOLDERS[2], whole / FOLDERS[2])
    _, out, _ = start(tasks, '--dry_run')
    states = [line.split()[3] for line in out.splitlines() if line.startswith('task')]
    assert states == ['done', 'to', 'done']
    assert start(tasks, '--task=3')[0] == 2

    # Another table is refused, and so is the loss of seeds.
    status, _, err = start(whole, '--config.two_stage.alpha=0.7')
    assert status == 2, err
    assert 'of another configuration' in err


def wait_for(process, path):
    until = time.monotonic() + HANG
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)


def same(one, other):
    for name in ('results.json', 'base/selected.json', 'two_stage/selected.json'):
        if (other / name).exists():
            assert (one / name).read_bytes() == (other / name).read_bytes(), name
    files = sorted(path.relative_to(other) for path in (other / 'predictions').rglob('*.json'))
    assert files
    for name in files:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_a_child_that_fails_ends_the_sweep_with_its_status(start, tmp_path):
    status, out, err = start(tmp_path / 'run', '--config.data.dev=encyclopedia/dev/xx')
    assert status == 2
    assert "no language 'xx'" in err
    assert 'ended with status 2; the same command continues' in err
    assert 'task 2 of' not in out


@pytest.mark.slow
def test_sigterm_reaches_the_run_and_ends_the_sweep_saved(start, tmp_path):
    process = start.start(tmp_path / 'run')
    wait_for(process, tmp_path / 'run' / FOLDERS[0] / 'base' / 'metrics.jsonl')
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=HANG)
    assert process.returncode == 75, err
