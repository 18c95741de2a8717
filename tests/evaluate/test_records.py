"""Files of results: their places, their layout, what is wrong with them."""

import json
import os

import numpy as np
import pytest

from xmrc_jax.data import squad
from xmrc_jax.data.squad import Corpus
from xmrc_jax.evaluate import metrics, records
from xmrc_jax.evaluate.calibration import Calibration
from xmrc_jax.evaluate.nbest import NBest
from xmrc_jax.evaluate.records import Kinds, Record, Whole
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
        ('own.json@pt-BR', 'pt_BR-pt_BR', 'own.json.pt-BR-pt-BR.json'),
        ('own.json@pt-BR:en', 'pt_BR-en', 'own.json.pt-BR-en.json'),
    ],
)
def test_predictions_lie_by_system_dataset_and_languages(tmp_path, name, languages, expected):
    pair = (language.replace('_', '-') for language in languages.split('-'))
    path = records.prediction_path(tmp_path, 'base', corpus(name, *pair))
    assert path == tmp_path / 'predictions' / 'base' / expected


@pytest.mark.parametrize(
    ('one', 'other'),
    [
        ('own.json@de', 'own.json@de'),
        ('own.json', 'own.json@en'),
        ('own.json@de-en', 'own.json@de:en'),
        ('/data/own.json', 'data/own.json'),
        ('my own.json', 'my/own.json'),
    ],
)
def test_two_test_sets_whose_answers_would_be_one_file_are_refused(one, other):
    pair = ('de', 'en') if 'de-en' in one else 2 * ('de' if '@de' in one else 'en',)
    three = corpus('mlqa/test/de', 'de', 'de'), corpus(one, *pair), corpus(other, *pair)
    records.check_apart(three[:2])
    with pytest.raises(UserError, match=f'{one} and {other}: .* in one file, .*own.json'):
        records.check_apart(three)


@pytest.fixture
def answered(squad_file):
    """The first question answered right, as second best; the others without an answer."""
    questions = squad.read(squad_file).questions
    gold = questions[0].answers[0]
    chars_QK2 = np.full((4, 2, 2), -1, np.int32)
    chars_QK2[0] = [[0, 3], [gold.start, gold.start + len(gold.text)]]
    logits_QK2 = np.where(chars_QK2 >= 0, np.float32(1), -np.inf).astype(np.float32)
    return questions, NBest(
        chars_QK2, logits_QK2, logits_QK2.sum(axis=2), np.zeros((len(logits_QK2), 3))
    )


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


def of_file(tmp_path, *qas):
    """The corpus of records that ask for texts of one passage."""
    paragraph = {'context': 'Ada Fenwick came in 1876.', 'qas': list(qas)}
    path = tmp_path / 'own.json'
    path.write_text(json.dumps({'data': [{'paragraphs': [paragraph]}]}))
    return squad.read(path, name='own.json')


def asked(id_, *texts, **fields):
    answers = [{'text': text, 'answer_start': 'Ada Fenwick'.find(text)} for text in texts]
    return {'id': id_, 'question': 'Who?', 'answers': answers} | fields


def scored(tmp_path, corpus, questions):
    """The record of a reader that says 'Ada' whatever it is asked."""
    chars_QK2 = np.tile(np.array([[[0, 3]]], np.int32), (len(questions), 1, 1))
    logits_QK2 = np.ones_like(chars_QK2, np.float32)
    nbest = NBest(chars_QK2, logits_QK2, logits_QK2.sum(axis=2), np.zeros((len(logits_QK2), 3)))
    path = records.prediction_path(tmp_path, 'base', corpus)
    record = records.write_predictions(path, 'base', corpus, questions, nbest, 'squad', (1,))
    assert records.read_record(path) == record
    return record, path


def test_dropped_and_unanswerable_records_stand_beside_the_score(tmp_path):
    own = of_file(
        tmp_path,
        *(asked(f'q{number}', 'Ada') for number in range(4)),
        asked('lost', 'Porto'),
        asked('none', is_impossible=True),
        asked('q0', 'Porto'),  # the official scripts hold the answer to q0 against it
        asked('q1', 'Ada'),  # and to q1
    )
    record, path = scored(tmp_path, own, own.questions)
    assert (record.questions, record.exact_match, record.f1) == (5, 80.0, 80.0)
    # Five of eight records.
    assert record.whole == Whole(8, 3, 62.5, 62.5)
    assert record.kinds == Kinds(1, None, 100.0, 100.0, right=0.0)
    stored = json.loads(path.with_suffix('.scores.json').read_text())
    assert stored['whole'] == {'records': 8, 'dropped': 3, 'exact_match': 62.5, 'f1': 62.5}
    records.write_records(tmp_path, [record])
    assert records.read_records(tmp_path) == (record,)
    # As it was written when such a question was not asked.
    results = json.loads((tmp_path / 'results.json').read_text())
    results[0]['whole']['unanswerable'] = 1
    (tmp_path / 'results.json').write_text(json.dumps(results))
    assert records.read_records(tmp_path) == (record,)


def test_of_a_calibrated_reader_the_empty_answer_has_its_place_and_the_odds_are_kept(tmp_path):
    own = of_file(tmp_path, asked('q0', 'Ada'), asked('none', is_impossible=True))
    path = records.prediction_path(tmp_path, 'base', own)
    chars_QK2 = np.tile(np.array([[[0, 3], [4, 11]]], np.int32), (2, 1, 1))
    logits_QK2 = np.array([[[1, 1], [0, 0]], [[1, 1], [0, 0]]], np.float32)
    null_Q3 = np.array([[1, 0.5, -1], [2, 1.5, -1]], np.float32)  # odds of -0.5 and 1.5
    nbest = NBest(chars_QK2, logits_QK2, logits_QK2.sum(axis=2), null_Q3)
    record = records.write_predictions(
        path, 'base', own, own.questions, nbest, 'squad2', (1, 2), '', (), Calibration(0, (1, 0))
    )
    assert json.loads(path.read_text()) == {'q0': 'Ada', 'none': ''}
    assert json.loads(path.with_suffix('.null_odds.json').read_text()) == {'q0': -0.5, 'none': 1.5}
    assert (record.f1, record.kinds) == (100.0, Kinds(1, 0, 100.0, 100.0, right=100.0))
    listed = json.loads(path.with_suffix('.nbest.json').read_text())
    assert [each['text'] for each in listed['none']] == ['', 'Ada']
    assert [each['text'] for each in listed['q0']] == ['Ada', '']
    # Slope 1 and intercept 0: the shares themselves, of scores 2 and 1.5.
    assert listed['q0'][0]['confidence'] == pytest.approx(1 / (1 + np.exp(-0.5)))


def test_over_all_records_the_gold_answers_are_those_of_the_file(tmp_path):
    # 'Ada Porto' stands nowhere, but the official scripts do not look.
    own = of_file(tmp_path, asked('q0', 'Fenwick', 'Ada Porto'), asked('q1', 'Ada'))
    record, _ = scored(tmp_path, own, own.questions)
    # F1 of 'Ada' and 'Ada Porto': 2/3.
    assert (record.f1, record.whole) == (50.0, Whole(2, 0, 50.0, pytest.approx(250 / 3)))


def test_what_is_mended_without_loss_says_nothing(tmp_path):
    own = of_file(tmp_path, asked(7, 'Ada'), asked('q1', 'Ada'))
    record, path = scored(tmp_path, own, own.questions)
    assert len(own.mends) == 1
    assert record.whole is None
    assert 'whole' not in json.loads(path.with_suffix('.scores.json').read_text())


def test_of_a_share_only_counts_are_reported(tmp_path):
    own = of_file(tmp_path, asked('q0', 'Ada'), asked('q1', 'Ada'), asked('lost', 'Porto'))
    record, _ = scored(tmp_path, own, own.questions[:1])
    assert record.whole == Whole(3, 1, None, None)


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / 'predictions').write_text('a file, not a folder')
    with pytest.raises(UserError, match=r'results\.json: cannot be written'):
        records.write_records(tmp_path / 'predictions', [record('en')])
    assert os.listdir(tmp_path) == ['predictions']
