"""The whole recipe on a small embedded corpus: learning, resuming, refusing, exporting."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.small import small
from xmrc_jax.ground.errors import UserError
from xmrc_jax.processes import accelerators
from xmrc_jax.processes.accelerators import Machine
from xmrc_jax.recipe import experiment
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.store import Store
from xmrc_jax.train import loop


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_everything_a_run_promises_is_there(finished, capsys):
    results = json.loads((finished / 'results.json').read_text())
    assert [(each['system'], each['context_language']) for each in results] == [
        ('base', 'en'),
        ('base', 'hi'),
        ('two_stage', 'en'),
        ('two_stage', 'hi'),
    ]
    for record in results:
        assert record['questions'] == 8  # 2 passages of 4 questions
        assert record['top_k']['1'] == record['exact_match']
        top_k = list(record['top_k'].values())
        assert top_k == sorted(top_k)
    manifest = json.loads((finished / 'manifest.json').read_text())
    assert manifest['corpora']['encyclopedia/train/hi']['questions'] == 36
    assert 'two_stage' in (finished / 'results.md').read_text()
    # 92 windows that hold their answer, in batches of 16: 6 steps, and a line for each, besides
    # those of the dev set.
    steps = [line for line in lines(finished / 'two_stage' / 'metrics.jsonl') if 'loss' in line]
    assert [line['step'] for line in steps] == [1, 2, 3, 4, 5, 6]
    for name in ('contrast_accuracy', 'negative_hardness', 'grad_norm', 'learning_rate'):
        assert np.isfinite([line[name] for line in steps]).all()
    assert np.shape(steps[0]['w']) == (5,)
    np.testing.assert_allclose(np.sum(steps[0]['w']), 1, rtol=1e-6)


def test_the_pages_name_all_that_a_run_leaves(finished):
    page = Path(__file__).parents[2].joinpath('docs', 'runs.md').read_text('utf-8')
    listed = page.partition('## What a run leaves')[2].partition('\n## ')[0]
    left = {path.name + '/' * path.is_dir() for path in finished.iterdir()} - {'.lock'}
    assert [name for name in sorted(left) if f'`{name}' not in listed] == []


def test_a_stage_has_a_program_for_each_layout_and_no_more(finished):
    own = experiment.Experiment(small(), finished)
    layouts = own.fit.batches(own.inputs.train).layouts(6, jax.device_count())
    for stage in ('base', 'two_stage'):
        last = lines(finished / stage / 'metrics.jsonl')[-1]
        assert last['programs/train_step'] == len(set(layouts))


def test_nothing_finished_is_done_again(finished, monkeypatch, capsys):
    def never(*args, **kwargs):
        raise AssertionError('trained again')

    monkeypatch.setattr(loop, 'compiled_step', never)
    before = (finished / 'results.json').read_bytes()
    stamps = {path: path.stat().st_mtime_ns for path in finished.rglob('part-*.npz')}
    experiment.run(small(), finished)
    said = capsys.readouterr().out.splitlines()
    done = ['base', 'candidates', 'two_stage', 'base: encyclopedia/test/hi']
    assert [name for name in done if f'{name}: done' not in said] == []
    assert (finished / 'results.json').read_bytes() == before
    assert stamps
    assert stamps == {path: path.stat().st_mtime_ns for path in finished.rglob('part-*.npz')}


def test_a_reader_is_loaded_once_to_be_probed_calibrated_and_scored(
    finished, tmp_path, monkeypatch
):
    workdir, load, loads = tmp_path / 'run', Store.load, []
    shutil.copytree(finished, workdir)
    shutil.rmtree(workdir / 'predictions')
    for name in ('base', 'two_stage'):
        (workdir / name / 'calibration.json').unlink()
    monkeypatch.setattr(Store, 'load', lambda own, at: loads.append(own.name) or load(own, at))
    Experiment(small(), workdir).score()
    assert loads == ['base', 'two_stage']
    for name in ('results.json', 'base/calibration.json', 'predictions/two_stage/probe.json'):
        assert (workdir / name).read_bytes() == (finished / name).read_bytes()


def test_a_gpu_that_is_not_used_is_named_first(finished, monkeypatch, capsys):
    seen = Machine('here', 'GPU', ['0', '1'], [], 'install it')
    monkeypatch.setattr(accelerators, 'here', lambda: seen)
    experiment.run(small(), finished)
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == 'warning: here has 2 GPUs, but JAX computes on the CPU: install it'
    assert second.startswith('1 process, 8 x cpu, mesh data=8')


KILLED = """
import os
from pathlib import Path

import tests.conftest  # the same devices and the same compiler settings, or bits differ
from tests.recipe.test_experiment import experiment, loop, small

original = loop.Meter.add

def add(self, step, metrics, *lengths):
    if step == {at} and ('w' in metrics) == {two_stage}:
        os._exit(9)  # as SIGKILL: no handler runs, no thread is waited for
    original(self, step, metrics, *lengths)

loop.Meter.add = add
experiment.run(small(), Path({workdir!r}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(('stage', 'at'), [('base', 5), ('two_stage', 4)])
def test_a_killed_run_ends_bit_equal(stage, at, finished, tmp_path):
    # Killed after `at` steps, so behind the checkpoint of step 3.
    code = KILLED.format(at=at, two_stage=stage == 'two_stage', workdir=str(tmp_path))
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 9
    assert not (tmp_path / stage / 'selected.json').exists()
    experiment.run(small(), tmp_path)
    for name in ('results.json', 'base/selected.json', 'two_stage/selected.json'):
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes()
    resumed, expected_lines = (lines(run / stage / 'metrics.jsonl') for run in (tmp_path, finished))
    for line, expected in zip(resumed, expected_lines, strict=True):
        for name in ('loss', 'grad_norm', 'w', 'dev_f1'):
            assert line.get(name) == expected.get(name)
    assert resumed[-1]['programs_compiled'] == 0  # they lie in the cache
    assert resumed[-1]['programs_fetched'] > 0


def test_a_run_killed_behind_its_last_checkpoint_ends_alike(finished, tmp_path):
    shutil.copytree(finished, tmp_path / 'run')
    (tmp_path / 'run' / 'two_stage' / 'selected.json').unlink()
    experiment.run(small(), tmp_path / 'run')
    for name in ('two_stage/selected.json', 'two_stage/metrics.jsonl'):
        assert (tmp_path / 'run' / name).read_bytes() == (finished / name).read_bytes()


def test_another_configuration_is_refused_by_name(finished):
    with pytest.raises(UserError, match=r'train\.peak_lr is 0\.002 there, 0\.5 here'):
        experiment.run(small(**{'train.peak_lr': 0.5}), finished)


def test_candidates_of_another_reader_are_refused(finished, tmp_path):
    shutil.copytree(finished, tmp_path / 'run')
    shutil.rmtree(tmp_path / 'run' / 'two_stage')
    shutil.rmtree(tmp_path / 'run' / 'base')
    shutil.copytree(finished / 'two_stage', tmp_path / 'run' / 'base')  # not what Z was mined with
    with pytest.raises(UserError, match='made from checkpoint'):
        experiment.run(small(), tmp_path / 'run')


@pytest.mark.parametrize(
    'overrides',
    [
        # Z of two readers that did not see its questions; a batch of two rows for each device.
        {
            'mine.folds': 2,
            'recipe': ('mine', 'two_stage', 'score'),
            'train.batch_size_per': 'device',
            'train.batch_size': 2,
            'mesh.fsdp': 2,
        },
        # Batches are trained on, and asked, in rows of several lengths.
        {
            'mine.scope': 'window',
            'two_stage.start': 'base',
            'data.max_tokens': 128,
            'data.stride': 32,
        },
    ],
    ids=['folds', 'lengths'],
)
def test_variants_of_the_recipe_run(overrides, tmp_path):
    experiment.run(small(**overrides), tmp_path)
    results = json.loads((tmp_path / 'results.json').read_text())
    assert results[-1]['system'] == 'two_stage'
    assert np.isfinite(results[-1]['f1'])
