"""The exported reader is the reported one, bit by bit, and comes back."""

import dataclasses
import json

import huggingface_hub
import jax
import numpy as np
import pytest

from tests.conftest import status_of
from tests.small import small
from xmrc_jax import export
from xmrc_jax.data.tokenizer import load_tokenizer
from xmrc_jax.recipe import experiment
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.reader import Reader


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A base reader whose stage reports the mean of its last two checkpoints."""
    workdir = tmp_path_factory.mktemp('finished')
    experiment.run(small(**AVERAGED), workdir)
    return workdir


LAST = ['--selection', 'last']
AVERAGED = {
    'recipe': ('base', 'score'),
    'train.selection': 'average',
    'train.average': 2,
    'evaluate.selections': ('last',),
}


@pytest.fixture
def exported(finished, tmp_path):
    """Exports the base reader; the new folder."""

    def run(*words):
        output = tmp_path / 'exported'
        export.main(['--checkpoint', str(finished / 'base'), '--output', str(output), *words])
        return output

    return run


@pytest.mark.parametrize(
    ('selection', 'steps'), [('', [3, 6]), ('average', [3, 6]), ('last', [6]), ('best', None)]
)
def test_each_choice_of_checkpoints_comes_back_bit_by_bit(
    selection, steps, exported, finished, tmp_path
):
    output = exported(*(['--selection', selection] if selection else []))
    selected = json.loads((finished / 'base' / 'selected.json').read_text('utf-8'))
    steps = steps or selected['choices']['best']
    trained = Experiment(small(**AVERAGED), finished).store('base').load(steps)
    run = small(**{'model.name': '', 'model.weights': str(output), 'model.tokenizer': str(output)})
    again = Experiment(run, tmp_path).inputs.pretrained()
    jax.tree.map(np.testing.assert_array_equal, again, trained)


def test_the_reported_reader_is_the_one_that_is_scored(exported, finished):
    """The card of each choice has the scores of its own answers, and the answers come back."""
    reader = Reader.load(exported())
    (split, *_) = Experiment(small(**AVERAGED), finished).inputs.tests
    pairs = [(question.text, question.passage) for question in split.questions]
    best = [answers[0].text for answers in reader.ask_all(pairs, k=1)]
    path = finished / 'predictions' / 'base' / 'encyclopedia-test.en-en.json'
    assert best == list(json.loads(path.read_text('utf-8')).values())


def test_the_folder_is_pushed_as_it_is(exported, monkeypatch, capsys):
    calls = []

    class Hub:
        def create_repo(self, repo_id, exist_ok):
            calls.append(repo_id)

        def upload_folder(self, repo_id, folder_path):
            calls.append(sorted(path.name for path in folder_path.iterdir()))
            raise OSError(f'403: no right to {repo_id}\nsee the page')

    monkeypatch.setattr(huggingface_hub, 'get_token', lambda: 'one')
    monkeypatch.setattr(huggingface_hub, 'HfApi', Hub)
    assert status_of(lambda: exported('--push-to-hub', 'me/reader')) == 2
    assert capsys.readouterr().err == (
        'xmrc_jax: me/reader: not pushed to the hub: 403: no right to me/reader\n'
    )
    name, files = calls
    assert name == 'me/reader'
    assert {'README.md', 'config.json', 'model.safetensors', 'tokenizer.json'} <= set(files)


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
    ('checkpoint', 'more', 'message'),
    [
        ('nowhere', [], 'no trained reader'),
        ('base/checkpoints/77', [], 'no such checkpoint'),
        ('base/checkpoints/3', LAST, 'base/checkpoints/3: no reader of a run, which has a'),
        ('base', ['--selection', 'first'], "selection: unknown choice 'first'; choose from best,"),
        ('base', ['--push-to-hub', 'me/reader'], 'nobody is logged in to the hub: hf auth login'),
        (
            'base',
            ['--push-to-hub', 'me/reader', '--format', 'stablehlo'],
            '--push-to-hub me/reader: goes with --format huggingface',
        ),
    ],
)
def test_export_refuses_in_one_line(
    checkpoint, more, message, finished, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(huggingface_hub, 'get_token', lambda: None)
    words = ['--checkpoint', str(finished / checkpoint), '--output', str(tmp_path / 'out'), *more]
    assert status_of(lambda: export.main(words)) == 2
    line = capsys.readouterr().err
    assert message in line
    assert line.count('\n') == 1
    assert not (tmp_path / 'out').exists()
