"""Readers are scored as they answer, whoever trained them, and a folder is continued."""

import dataclasses
import json
from pathlib import Path

import pytest

from tests.conftest import RECORDS, squad_json
from tests.small import small
from xmrc_jax.evaluate import metrics
from xmrc_jax.evaluate.records import read_records
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import write_json
from xmrc_jax.recipe import evaluation, settings, trained
from xmrc_jax.recipe.ask import Ask
from xmrc_jax.recipe.reader import Reader
from xmrc_jax.recipe.reopen import Reopened
from xmrc_jax.recipe.surroundings import commit


@pytest.fixture
def changes(squad_file, tmp_path):
    return {
        'data.tests': (f'{squad_file}@en', f'{squad_file}@de'),
        'data.cache': str(tmp_path / 'cache'),
        'evaluate.batch_size': 8,
    }


def test_two_readers_are_scored_by_their_own_answers(exported, another, changes, tmp_path, capsys):
    folder = tmp_path / 'scores'
    said = evaluation.evaluate([f'one={exported}', str(another)], changes, folder)
    records = read_records(folder)
    assert [(each.system, each.context_language) for each in records] == [
        ('one', 'en'),
        ('one', 'de'),
        ('another', 'en'),
        ('another', 'de'),
    ]
    questions = [questions for _, questions in Reopened(folder).tests()]
    for record in records:
        reader = Reader.load(exported if record.system == 'one' else another)
        asked = reader.ask_all([(question, passage) for _, passage, question, *_ in RECORDS], k=1)
        best = {id_: found[0].text for (id_, *_), found in zip(RECORDS, asked, strict=True)}
        expected = metrics.score(questions[0], best, 'mlqa', record.context_language)
        assert {'exact_match': record.exact_match, 'f1': record.f1} == expected
    assert 'another has ' in said  # in words
    assert 'one: not known what it was trained on' in capsys.readouterr().out
    facts = dict(Reopened(folder).setup.facts)
    assert facts['Trained on'] == 'one: not known; another: not known'
    assert (folder / 'results.md').read_text('utf-8').count('another') > 0
    corpora = json.loads((folder / 'manifest.json').read_text('utf-8'))['corpora']
    assert {each['questions'] for each in corpora.values()} == {4}


def test_what_is_answered_is_not_asked_again(exported, changes, tmp_path, monkeypatch):
    folder = tmp_path / 'scores'
    first = evaluation.evaluate([str(exported)], changes, folder)

    def never(*_, **__):
        raise AssertionError('asked again')

    monkeypatch.setattr(Ask, '__call__', never)
    assert evaluation.evaluate([str(exported)], changes, folder) == first


def test_a_metric_must_know_every_language_before_anything_is_asked(
    exported, changes, squad_file, tmp_path, monkeypatch
):
    def never(*_, **__):
        raise AssertionError('a reader was loaded')

    monkeypatch.setattr(trained, 'load', never)
    own = {'data.tests': (str(squad_file), f'{squad_file}@sw'), 'evaluate.metric': 'mlqa'}
    with pytest.raises(UserError, match="metric mlqa has no rules for language 'sw'"):
        evaluation.evaluate([str(exported)], changes | own, tmp_path / 'scores')


def test_readers_of_an_earlier_command_stay_in_the_tables(exported, another, changes, tmp_path):
    folder = tmp_path / 'scores'
    evaluation.evaluate([f'one={exported}'], changes, folder)
    evaluation.evaluate([f'two={another}'], changes, folder)
    systems = [record.system for record in read_records(folder)]
    assert systems == ['one', 'one', 'two', 'two']


def test_a_folder_keeps_to_its_readers_and_corpora(exported, another, changes, tmp_path):
    folder = tmp_path / 'scores'
    evaluation.evaluate([f'one={exported}'], changes, folder)
    with pytest.raises(UserError, match=r'readers\.json: one was another reader \(.*write another'):
        evaluation.evaluate([f'one={another}'], changes, folder)
    other = changes | {'data.tests': changes['data.tests'][:1]}
    with pytest.raises(UserError, match=r'config\.json: .*data\.tests is .* choose another'):
        evaluation.evaluate([f'one={exported}'], other, folder)


@pytest.fixture
def of_a_run(exported, squad_file, tmp_path, monkeypatch):
    """The path of a run's reader that was trained on the test set's questions in English."""
    folder = tmp_path / 'run'
    own = small(**{'data.train': (f'{squad_file}@en',), 'data.dev': 'other.json@en'})
    write_json(folder / 'config.json', settings.stored(own, 16))
    origin = trained.Origin(folder, 'base', (6,), 'best')
    loaded = dataclasses.replace(trained.load(exported), origin=origin)
    monkeypatch.setattr(trained, 'load', lambda source: loaded)
    monkeypatch.chdir(tmp_path)
    return str(folder / 'base')


OTHER = ('other', 'Nobody founded it.', 'Who founded it?', 'Nobody', 'en')


def test_a_reader_that_was_trained_on_a_test_set_is_labelled(of_a_run, changes, tmp_path, capsys):
    write_json(Path('other.json'), squad_json([OTHER]))
    write_json(Path('third.json'), squad_json([('third', *OTHER[1:2], 'Where?', 'it', 'en')]))
    changes['data.tests'] += ('third.json@en',)
    evaluation.evaluate([of_a_run], changes, tmp_path / 'scores')
    assert [each.selection for each in read_records(tmp_path / 'scores')] == [
        'best, trained on the test set',
        'best, trained on the test set',  # translations have the ids of their originals
        'best, leaking',
    ]
    warnings = [line for line in capsys.readouterr().out.splitlines() if 'warning' in line]
    assert warnings[0].startswith(
        'base: warning: of its dev set: shares 0 questions and 1 passages'
    )
    assert warnings[1].startswith(
        'base: warning: of its training sets: shares 4 questions and 4 pass'
    )
    facts = dict(Reopened(tmp_path / 'scores').setup.facts)
    assert facts['Trained on'] == f'base: {tmp_path}/four.json@en'
    assert (facts['Commit'], facts['Hardware']) == (commit(), '8 x cpu')


def test_where_it_cannot_be_known_that_is_said(of_a_run, exported, changes, tmp_path, capsys):
    evaluation.evaluate([of_a_run], changes, tmp_path / 'gone')  # of which other.json is part
    assert 'base: not known whether it was trained on a test set: ' in capsys.readouterr().out
    assert {each.selection for each in read_records(tmp_path / 'gone')} == {'best'}


@pytest.mark.parametrize(
    ('sources', 'message'),
    [
        (['a/reader', 'b/reader'], 'two readers have the same name; write NAME=READER'),
        (['no name=b/reader'], 'write NAME=READER, with letters'),
    ],
)
def test_readers_are_named_apart(sources, message, changes, tmp_path):
    with pytest.raises(UserError, match=message):
        evaluation.evaluate(sources, changes, tmp_path / 'scores')
