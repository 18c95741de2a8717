"""A finished run opened again, on whatever devices there are."""

import json
import shutil
from pathlib import Path

import jax
import pytest

from tests.conftest import RECORDS, squad_json
from tests.small import small
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import surroundings
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.reopen import Reopened


def test_a_run_says_what_it_was(finished):
    reopened = Reopened(finished)
    assert reopened.setup.seed == 42
    assert [corpus.name for corpus, _ in reopened.tests()] == [
        'encyclopedia/test/en',
        'encyclopedia/test/hi',
    ]
    assert reopened.kept('base') == [3, 6]
    assert reopened.kept('nobody') == []


def test_a_run_of_another_mesh_is_asked_on_the_devices_of_now(finished, tmp_path):
    shutil.copytree(finished, tmp_path / 'run')
    config = json.loads((finished / 'config.json').read_text())
    config['mesh'] = {'data': 64, 'fsdp': 1, 'model': 1}
    (tmp_path / 'run' / 'config.json').write_text(json.dumps(config))
    question = next(Reopened(finished).tests())[1][0]
    answers = [Reopened(folder).ask('base', 6, question) for folder in (finished, tmp_path / 'run')]
    assert answers[0] == answers[1]
    probabilities = [span.probability for span in answers[0]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < sum(probabilities) < 4  # of different spans of at most four windows
    assert all(question.passage[span.start : span.end] == span.text for span in answers[0])


def test_a_folder_without_a_configuration_is_named(tmp_path):
    with pytest.raises(UserError, match=r'config\.json'):
        _ = Reopened(tmp_path).setup


def test_the_facts_of_a_run_are_those_of_its_folder(finished):
    facts = dict(Reopened(finished).setup.facts)
    assert facts['Encoder'] == 'tiny, from a random start'
    assert facts['Trained on'].startswith('encyclopedia/train/en (36 questions), encyclopedia/tr')
    assert facts['Tested on'].count('(8 questions)') == 2
    assert facts['Training'].startswith('1 epochs in batches of 16, learning rate 0.002, windows')
    assert facts['Second stage'] == '|Z| = 5, alpha = 0.5, tau = 10, per_candidate'
    assert facts['Hardware'] == f'{jax.device_count()} x cpu'
    assert 'jax ' in facts['Software']
    assert facts['Commit'] == surroundings.commit()


def test_a_run_remembers_where_its_data_lay(finished, tmp_path, monkeypatch):
    data, run = tmp_path / 'data', tmp_path / 'run'
    (data / 'squad').mkdir(parents=True)
    (data / 'squad' / 'dev-v1.1.json').write_text(json.dumps(squad_json(RECORDS)))
    shutil.copytree(finished, run)
    config = json.loads((run / 'config.json').read_text())
    config['data'] |= {'tests': ['squad/dev'], 'cache': str(tmp_path / 'cache')}
    (run / 'config.json').write_text(json.dumps(config))
    monkeypatch.setenv('XMRC_DATA', str(tmp_path / 'gone'))
    manifest = json.loads((run / 'manifest.json').read_text())
    (run / 'manifest.json').write_text(json.dumps(manifest | {'root': ''}))
    with pytest.raises(UserError, match='no such data folder'):
        list(Reopened(run).tests())
    (run / 'manifest.json').write_text(json.dumps(manifest | {'root': str(data)}))
    ((_, questions),) = Reopened(run).tests()
    assert len(questions) == 4


def test_the_place_of_the_data_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv('XMRC_DATA', 'data')
    inputs = Experiment(small(**{'data.tests': ()}), tmp_path).inputs
    assert inputs.manifest(30)['root'] == str(Path.cwd() / 'data')
