"""Questions and masked phrases in turn, from end to end."""

import json

import jax
import numpy as np
import pytest

from tests.small import small
from xmrc_jax.recipe import experiment
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.train.loop import Meter

LAKM = {
    'recipe': ('lakm', 'score'),
    'train.epochs': 0.5,
    'train.log_every': 1,
    'data.dev': '',
    'data.tests': ('encyclopedia/test/hi',),
}


@pytest.fixture(scope='module')
def guessed(tmp_path_factory):
    workdir = tmp_path_factory.mktemp('lakm')
    experiment.run(small(**LAKM), workdir)
    return workdir


def test_both_tasks_are_trained_and_the_manifest_says_with_which_head(guessed):
    lines = (guessed / 'lakm' / 'metrics.jsonl').read_text().splitlines()
    masked = ['masked_loss' in line for line in map(json.loads, lines)]
    assert masked == [False, True, True, False, False, True]  # 3 steps of each
    results = json.loads((guessed / 'results.json').read_text())
    assert [each['system'] for each in results] == ['lakm']
    manifest = json.loads((guessed / 'manifest.json').read_text())
    assert (manifest['language_model_head'], manifest['mask']) == ('fresh', '<unk>')
    assert manifest['phrases']['samples']['hi']


def test_a_killed_run_ends_bit_equal(guessed, tmp_path, monkeypatch):
    add = Meter.add

    def killed(self, step, *rest):
        if step == 5:  # behind the checkpoint of step 3
            raise KeyboardInterrupt
        add(self, step, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(Meter, 'add', killed)
        with pytest.raises(KeyboardInterrupt):
            experiment.run(small(**LAKM), tmp_path)
    assert not (tmp_path / 'lakm' / 'selected.json').exists()
    experiment.run(small(**LAKM), tmp_path)
    ours, expected = (
        Experiment(small(**LAKM), folder).store('lakm').reported() for folder in (tmp_path, guessed)
    )
    jax.tree.map(np.testing.assert_array_equal, ours, expected)
