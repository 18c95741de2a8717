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

from tests.small import get_config as small_config
from tests.small import small
from tests.small_table import get_config
from xmrc_jax.configs.tables import alpha, table_2, table_5, table_7, z_size
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import experiment, grid, settings

FOLDERS = ('shared/1/seed-42', 'alpha=0.3/seed-42', 'alpha=0.5/seed-42')


# -- what is to be run -----------------------------------------------------------------------------


def tasks_of(config, seeds=1, **options):
    return grid.tasks(settings.read(config), settings.read_table(config), seeds, **options)


def folders(config, seeds=1):
    return [(task.folder, task.shared) for task in tasks_of(config, seeds)]


def test_entries_that_differ_in_the_second_stage_share_the_first():
    assert folders(get_config(), 2) == [
        ('shared/1/seed-42', ''),
        ('shared/1/seed-43', ''),
        ('alpha=0.3/seed-42', 'shared/1/seed-42'),
        ('alpha=0.3/seed-43', 'shared/1/seed-43'),
        ('alpha=0.5/seed-42', 'shared/1/seed-42'),
        ('alpha=0.5/seed-43', 'shared/1/seed-43'),
    ]
    part, *_, run = tasks_of(get_config(), 2)
    assert part.run.recipe == ('base', 'mine', 'score')
    assert (run.run.method.reading.alpha, run.run.seed) == (0.5, 43)
    assert run.labels == ('alpha = 0.5', 'base')  # of equal configurations


def test_sizes_of_z_share_the_largest_set():
    listed = tasks_of(z_size.get_config(), 1)
    assert [task.shared for task in listed] == [''] + ['shared/1/seed-42'] * 6
    assert listed[0].run.mine.n_best == 50
    assert [task.run.mine.candidates for task in listed[1:]] == [1, 5, 10, 20, 50, 20]
    assert listed[4].labels == ('|Z| = 20', 'base')


def test_without_a_larger_set_another_size_of_z_shares_nothing():
    config = z_size.get_config()
    with config.unlocked():
        config.mine.n_best = 0
    shared = {task.folder: task.shared for task in tasks_of(config, 1)}
    # Only |Z| = 20 and MML, which has 20 too.
    assert [folder for folder, part in shared.items() if part] == [
        'Z_=20/seed-42',
        'w_MML/seed-42',
    ]


@pytest.mark.parametrize('leaf', ['train.epochs', 'two_stage.softmax_over', 'data.max_tokens'])
def test_what_the_base_reader_depends_on_is_not_shared(leaf):
    config = get_config()
    entries = list(config.table.entries[:2])
    value = {'train.epochs': 9.0, 'two_stage.softmax_over': 'passage', 'data.max_tokens': 64}[leaf]
    entries[0] = entries[0] | {'changes': {leaf: value}}
    with config.unlocked():
        config.table.entries = tuple(entries)
    assert [shared for _, shared in folders(config)] == ['', '']


def test_zero_shot_and_translate_train_do_not_share():
    listed = tasks_of(table_5.get_config(), 1)
    assert [(task.folder, task.shared) for task in listed] == [
        ('XLM-R_base_zero-shot/seed-42', ''),
        ('XLM-R_base_translate-train/seed-42', ''),
    ]
    assert [task.labels for task in listed] == [
        ('XLM-R base, zero-shot', 'two-stage, zero-shot'),
        ('XLM-R base, translate-train', 'two-stage, translate-train'),
    ]


def test_a_reader_alone_needs_no_part_to_share():
    (task,) = tasks_of(table_2.get_config(), 1)
    assert (task.shared, task.run.recipe) == ('', ('base', 'score'))


def test_the_description_follows_the_table():
    config = alpha.get_config()
    listed = tasks_of(config, 2)
    told = json.loads(json.dumps(grid.described(settings.read_table(config), listed)))
    assert (told['name'], told['axis']) == ('alpha', 'alpha')
    assert told['title'] == 'Figure 4: alpha, translate-train, MLQA'
    assert told['entries'][1] == {
        'label': 'alpha = 0.3',
        'x': 0.3,
        'system': 'two_stage',
        'paper': None,
    }
    assert told['runs'][:2] == [
        {'entry': 'alpha = 0.1', 'seed': 42, 'folder': 'alpha=0.1/seed-42'},
        {'entry': 'alpha = 0.1', 'seed': 43, 'folder': 'alpha=0.1/seed-43'},
    ]
    assert len(told['runs']) == 10


def test_no_folder_begins_like_a_flag():
    listed = tasks_of(table_7.get_config())
    assert [task.folder for task in listed if task.labels] == [
        'two-stage/seed-42',
        'HL/seed-42',
        'AA-CL/seed-42',
        'w_MML/seed-42',
    ]


def test_a_sweep_goes_on_in_the_folders_that_it_has():
    """Rows may be called otherwise since; a seed that is new gets the name of today."""
    names = ('Ours', '- HL', '- AA-CL', 'w/ MML')
    sweep = {
        'entries': [{'label': name} for name in names],
        'runs': [
            {'entry': 'Ours', 'seed': 42, 'folder': 'Ours/seed-42'},
            {'entry': '- HL', 'seed': 42, 'folder': '-_HL/seed-42'},
        ],
    }
    listed = tasks_of(table_7.get_config(), 2, named=grid.folders_of(sweep))
    assert [task.folder for task in listed if task.labels][:4] == [
        'Ours/seed-42',
        'two-stage/seed-43',
        '-_HL/seed-42',
        'HL/seed-43',
    ]


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'two_stage.alfa': 0.3}, 'two_stage.alfa'),
        ({'two_stage.alpha': 'much'}, "entry 'alpha = 0.3' of the table changes two_stage.alpha"),
    ],
)
def test_an_entry_s_mistake_is_named(changes, words):
    config = get_config()
    entry = config.table.entries[0] | {'changes': changes}
    with config.unlocked():
        config.table.entries = (entry,)
    with pytest.raises(UserError, match=words):
        tasks_of(config, 1)


def test_no_table_and_no_seed_are_refused():
    with pytest.raises(UserError, match='has no table'):
        settings.read_table(small_config())
    with pytest.raises(UserError, match='--seeds=0'):
        tasks_of(get_config(), 0)


def test_a_run_before_the_part_it_builds_on_is_refused(tmp_path):
    _, run, _ = tasks_of(get_config(), 1)
    with pytest.raises(UserError, match='not done, and .* builds on it'):
        run.link(tmp_path)


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
    python.write_text(
        f'#!/bin/sh\n[ "$2" = xmrc_jax.sweep ] || exit 0\nshift 2\n'
        f'exec {sys.executable} {inner} "$@"\n'
    )
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
        out, err = process.communicate(timeout=400)
        return process.returncode, out, err

    run.start = started
    return run


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
    assert out.rstrip().splitlines()[-1].startswith('tables: ')

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
    until = time.monotonic() + 300
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


def test_sigterm_reaches_the_run_and_ends_the_sweep_saved(start, tmp_path):
    process = start.start(tmp_path / 'run')
    wait_for(process, tmp_path / 'run' / FOLDERS[0] / 'base' / 'metrics.jsonl')
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 75, err
