"""Files of results: their places, their layout, what is wrong with them."""

import json
import os

import numpy as np
import pytest

from xmrc_jax.data import squad
from xmrc_jax.data.squad import Corpus
from xmrc_jax.evaluate import metrics, records
from xmrc_jax.evaluate.nbest import NBest
from xmrc_jax.evaluate.records import Record
from xmrc_jax.ground.errors import UserError


def record(language, system='base', dataset='mlqa/test', question_language=None, f1=60.0):
    return Record(
        system=system,
        dataset=dataset,
        context_language=language,
        question_language=question_language or language,
        questions=10,
        exact_match=f1 - 20,
        f1=f1,
        top_k={1: f1 - 20, 20: f1},
        metric='mlqa',
        selection='best',
        steps=(7,),
    )


def corpus(name, context_language, question_language, questions=()):
    return Corpus(name, tuple(questions), context_language, question_language, 'mlqa', '', '', ())


def test_results_are_written_and_read(tmp_path):
    records.write_records(tmp_path, [record('en'), record('es')])
    first, second = json.loads((tmp_path / 'results.json').read_text())
    assert first == {
        'system': 'base',
        'dataset': 'mlqa/test',
        'context_language': 'en',
        'question_language': 'en',
        'questions': 10,
        'exact_match': 40.0,
        'f1': 60.0,
        'top_k': {'1': 40.0, '20': 60.0},
        'metric': 'mlqa',
        'selection': 'best',
        'steps': [7],
    }
    assert second['context_language'] == 'es'
    assert records.read_records(tmp_path) == (record('en'), record('es'))
    assert sorted(path.name for path in tmp_path.iterdir()) == ['results.json']


@pytest.mark.parametrize(
    ('name', 'languages', 'expected'),
    [
        ('mlqa/test/es', 'es-es', 'mlqa-test.es-es.json'),
        ('mlqa/test/es-en', 'es-en', 'mlqa-test.es-en.json'),
        ('squad_dev_minus_xquad', 'en-en', 'squad_dev_minus_xquad.en-en.json'),
        ('/data/my file.json@de-en', 'de-en', 'data-my-file.json.de-en.json'),
    ],
)
def test_predictions_lie_by_system_dataset_and_languages(tmp_path, name, languages, expected):
    path = records.prediction_path(tmp_path, 'base', corpus(name, *languages.split('-')))
    assert path == tmp_path / 'predictions' / 'base' / expected


@pytest.fixture
def answered(squad_file):
    """The first question answered right, as second best; the others without an answer."""
    questions = squad.read(squad_file).questions
    gold = questions[0].answers[0]
    chars_QK2 = np.full((4, 2, 2), -1, np.int32)
    chars_QK2[0] = [[0, 3], [gold.start, gold.start + len(gold.text)]]
    logits_QK2 = np.where(chars_QK2 >= 0, np.float32(1), -np.inf).astype(np.float32)
    return questions, NBest(chars_QK2, logits_QK2, logits_QK2.sum(axis=2))


def test_predictions_are_written_with_their_record(tmp_path, answered):
    questions, nbest = answered
    one = corpus('four/test/en', 'en', 'en', questions)
    path = records.prediction_path(tmp_path, 'base', one)
    assert records.read_record(path) is None
    written = records.write_predictions(path, 'base', one, questions, nbest, 'squad', (1, 3, 20))
    assert (written.dataset, written.questions, written.metric) == ('four/test', 4, 'squad')
    assert written.top_k == {1: 0.0, 3: 25.0, 20: 25.0}
    assert records.read_record(path) == written

    best = json.loads(path.read_text('utf-8'))
    assert best == {'latin': 'The', 'arabic': '', 'han': '', 'devanagari': ''}
    assert metrics.score(questions, best, 'squad', 'en')['f1'] == written.f1
    nbest = json.loads(path.with_suffix('.nbest.json').read_text('utf-8'))
    assert [answer['text'] for answer in nbest['latin']] == ['The', 'September 1876']


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / 'predictions').write_text('a file, not a folder')
    with pytest.raises(UserError, match=r'results\.json: cannot be written'):
        records.write_records(tmp_path / 'predictions', [record('en')])
    assert os.listdir(tmp_path) == ['predictions']
