"""The exported reader is the reported one, bit by bit, and comes back."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from tests.conftest import status_of
from tests.small import small
from xmrc_jax import export
from xmrc_jax.data.windows import load_tokenizer
from xmrc_jax.recipe import experiment
from xmrc_jax.recipe.experiment import Experiment


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A base reader whose stage reports the mean of its last two checkpoints."""
    workdir = tmp_path_factory.mktemp('finished')
    experiment.run(small(**AVERAGED), workdir)
    return workdir


AVERAGED = {'recipe': ('base', 'score'), 'train.selection': 'average', 'train.average': 2}


def test_an_exported_reader_comes_back_bit_by_bit(finished, tmp_path):
    output = tmp_path / 'exported'
    export.main(['--checkpoint', str(finished / 'base'), '--output', str(output)])
    trained = Experiment(small(**AVERAGED), finished).store('base').reported()
    run = small(**{'model.name': '', 'model.weights': str(output), 'model.tokenizer': str(output)})
    again = Experiment(run, tmp_path).inputs.pretrained()
    jax.tree.map(np.testing.assert_array_equal, again, trained)


def test_an_exported_reader_says_how_it_is_asked(finished, tmp_path):
    output, size = tmp_path / 'exported', small().data.size
    export.main(['--checkpoint', str(finished), '--output', str(output)])
    asked = json.loads((output / 'xmrc.json').read_text('utf-8'))
    assert asked == {
        'max_tokens': size.max_tokens,
        'stride': size.stride,
        'max_question_tokens': size.max_question_tokens,
        **dataclasses.asdict(small().evaluate.ask),
        'calibration': next(
            iter(json.loads((finished / 'base' / 'calibration.json').read_text()).values())
        ),
    }
    tokenizer = load_tokenizer(output)
    long = tokenizer('When?', 'in 1876 ' * 500, truncation='only_second')['input_ids']
    assert len(long) == size.max_tokens


@pytest.mark.parametrize(
    ('checkpoint', 'message'),
    [('nowhere', 'no trained reader'), ('base/checkpoints/77', 'no such checkpoint')],
)
def test_export_refuses_what_is_no_reader(checkpoint, message, finished, tmp_path, capsys):
    words = ['--checkpoint', str(finished / checkpoint), '--output', str(tmp_path / 'out')]
    assert status_of(lambda: export.main(words)) == 2
    line = capsys.readouterr().err
    assert message in line
    assert line.count('\n') == 1
    assert not (tmp_path / 'out').exists()
