"""Runs of the recipe, killed ones too, and one pretrained encoder, for all tests of the room."""

import dataclasses
import shutil

import jax
import numpy as np
import pytest

from tests.small import small
from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig
from xmrc_jax.recipe import experiment
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.train.throughput import Meter


@pytest.fixture(scope='module')
def ran(tmp_path_factory):
    """Runs the recipe with some leaves changed; the working folder."""

    def run(changes):
        workdir = tmp_path_factory.mktemp('ran')
        experiment.run(small(**changes), workdir)
        return workdir

    return run


@pytest.fixture
def bit_equal_when_killed(tmp_path, monkeypatch):
    """Trains a reader of a finished run again, killed behind a checkpoint and gone on with, and
    compares it with the one that was not disturbed."""

    def check(finished, changes, name, at):
        run, add = small(**changes), Meter.add
        folder = tmp_path / 'run'
        shutil.copytree(finished, folder)
        shutil.rmtree(folder / name)
        shutil.rmtree(folder / 'predictions' / name, ignore_errors=True)

        def killed(meter, step, *rest):
            if step == at:
                raise KeyboardInterrupt
            add(meter, step, *rest)

        with monkeypatch.context() as patched:
            patched.setattr(Meter, 'add', killed)
            with pytest.raises(KeyboardInterrupt):
                experiment.run(run, folder)
        assert not (folder / name / 'selected.json').exists()
        assert any(path.name.isdigit() for path in (folder / name / 'checkpoints').iterdir())
        experiment.run(run, folder)
        ours, expected = (
            Experiment(run, place).store(name).reported() for place in (folder, finished)
        )
        jax.tree.map(np.testing.assert_array_equal, ours, expected)

    return check


@pytest.fixture
def bert(tokenizer, tmp_path):
    """A BERT with a tokenizer like XLM-R's, as a Hugging Face folder."""
    mminilm = dataclasses.replace(ENCODERS['mminilm'], vocabulary=400, width=24, layers=1, mlp=8)
    cfg = EncoderConfig.of(mminilm, PLAIN)
    params = reader.init(cfg, jax.random.key(0))
    weights.save(tmp_path / 'bert', params, dataclasses.replace(cfg, pad_id=0), tokenizer)
    return tmp_path / 'bert'
