"""The model card says what the run's folder knows, and nothing else."""

import dataclasses
import shutil

import huggingface_hub
import pytest

from tests.small import small
from xmrc_jax.evaluate.records import Record, write_records
from xmrc_jax.ground.files import read_json, write_json
from xmrc_jax.recipe import card, experiment, settings, trained

RECORDS = [
    Record('two_stage', 'encyclopedia/test', 'en', 'en', 8, 25.0, 50.126, {1: 25.0}, 'mlqa'),
    Record(
        'two_stage',
        'encyclopedia/test',
        'hi',
        'hi',
        8,
        12.5,
        20.0,
        {1: 12.5},
        'mlqa',
        'best, leaking',
    ),
    Record('base', 'encyclopedia/test', 'en', 'en', 8, 37.5, 60.0, {1: 37.5}, 'mlqa'),
]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """The folder of a run that came to its end, without its readers."""
    folder = tmp_path_factory.mktemp('run')
    experiment.Experiment(small(), folder).prepare()
    write_json(folder / 'config.json', settings.stored(small(), 16))
    write_records(folder, RECORDS)
    return folder


@pytest.fixture
def read(exported, tmp_path, monkeypatch):
    """The card of a system of a run."""

    (tmp_path / 'here').mkdir()
    (tmp_path / 'here' / 'README.md').write_text('---\nlicense: gpl\n---\n')
    monkeypatch.chdir(tmp_path / 'here')  # whose card is none of the reader's

    def card_of(folder, system='two_stage', steps=(6,)):
        own = dataclasses.replace(
            trained.load(exported), origin=trained.Origin(folder, system, steps, 'best')
        )
        card.of(own).save_pretrained(tmp_path)
        return huggingface_hub.ModelCard.load(tmp_path / 'README.md')

    return card_of


def test_a_run_s_reader_has_its_scores_and_values(folder, read):
    own = read(folder)
    data = own.data.to_dict()
    assert data['language'] == ['en', 'hi']
    assert data['pipeline_tag'] == 'question-answering'
    assert not {'base_model', 'license', 'datasets'} & data.keys()  # a random start
    assert {
        (each.dataset_config, each.metric_type): each.metric_value for each in own.data.eval_results
    } == {
        ('en-en', 'f1'): 50.13,
        ('en-en', 'exact_match'): 25.0,
        ('hi-hi', 'f1'): 20.0,
        ('hi-hi', 'exact_match'): 12.5,
    }
    assert '| encyclopedia/test (leaking) | hi | hi | 20.00 | 12.50 |' in own.text
    assert 'Base model: none, a random start\n' in own.text
    assert 'two_stage.alpha = 0.5' in own.text
    assert 'answer-aware contrast' in own.text
    assert 'AutoModelForQuestionAnswering.from_pretrained' in own.text
    assert str(folder) not in own.content


def test_another_choice_has_no_score_of_the_reported_one(folder, read):
    own = read(folder, 'base@average', (3, 6))
    assert own.data.eval_results is None
    assert 'This choice of checkpoints was not scored.' in own.text
    assert 'average on encyclopedia/dev/en; the mean of its checkpoints at steps 3, 6' in own.text
    assert 'two_stage.alpha' not in own.text


@pytest.mark.parametrize(('card_there', 'licence'), [(True, 'mit'), (False, None)])
def test_the_licence_is_what_the_card_of_the_base_weights_names(
    card_there, licence, folder, read, tmp_path
):
    base, run = tmp_path / 'base', tmp_path / 'run'
    base.mkdir()
    if card_there:
        (base / 'README.md').write_text('---\nlicense: mit\n---\n')
    shutil.copytree(folder, run)
    config = read_json(run / 'config.json')
    config['model']['weights'] = str(base)
    config['data']['train'] = ['squad/train', f'{tmp_path}/own.json@de']
    write_json(run / 'config.json', config)
    own = read(run)
    assert own.data.license == licence
    assert own.data.datasets == ['rajpurkar/squad']
    assert f'Base model: base (licence: {licence or "see there"})' in own.text
    assert 'Trained on: squad/train, own.json@de' in own.text
    assert str(tmp_path) not in own.content


def test_of_the_reader_of_others_the_card_says_only_how_to_load_it(exported, tmp_path):
    card.of(trained.load(exported)).save_pretrained(tmp_path)
    own = huggingface_hub.ModelCard.load(tmp_path / 'README.md')
    assert own.data.to_dict().keys() == {'library_name', 'pipeline_tag', 'tags'}
    assert 'Reader.load' in own.text
