"""The whole recipe on questions of which some have no answer."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tests.small import small
from xmrc_jax import Reader, score
from xmrc_jax.data import encyclopedia, squad
from xmrc_jax.data.queries import Source
from xmrc_jax.evaluate import no_answer
from xmrc_jax.evaluate.nbest import null_odds, predictions
from xmrc_jax.evaluate.records import read_records
from xmrc_jax.recipe import answering, experiment
from xmrc_jax.recipe.experiment import Experiment


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """Every third question is asked of a passage that does not say."""
    folder = tmp_path_factory.mktemp('corpora')
    encyclopedia.write(folder, encyclopedia.Passages(12, 4, 4), seed=0)
    for split in ('train', 'dev', 'test'):
        questions = squad.read(folder / 'encyclopedia' / f'{split}.en.json').questions
        asked = [
            dataclasses.replace(each, answers=(), text=questions[number - 7].text)
            if number % 3 == 0
            else each
            for number, each in enumerate(questions)
        ]
        squad.write(folder / f'{split}2.json', asked)
    names = {split: str(folder / f'{split}2.json') for split in ('train', 'dev', 'test')}
    return small(
        **{
            'data.train': (names['train'],),
            'data.dev': names['dev'],
            'data.tests': (names['test'],),
            'data.without_gold': 'first_token',
            'train.epochs': 2.0,
        }
    )


@pytest.fixture(scope='module')
def finished(run, tmp_path_factory):
    workdir = tmp_path_factory.mktemp('finished')
    experiment.run(run, workdir)
    return workdir


def files(finished, system):
    (path,) = (
        path
        for path in (finished / 'predictions' / system).glob('*en-en.json')
        if path.name.count('.') == 3
    )
    return path, path.with_suffix('.null_odds.json')


@pytest.mark.parametrize('system', ['base', 'two_stage'])
def test_the_threshold_is_fitted_on_dev_by_the_official_rule(run, finished, system):
    own = Experiment(run, finished)
    store, dev = own.store(system), own.inputs.dev
    nbest = own.scorer.answer(store.reported(), dev, '')
    asked = dev.questions, predictions(dev.questions, nbest), null_odds(dev.questions, nbest)
    official = no_answer.score(*asked)
    calibration = store.calibration(store.chosen()[1])
    assert calibration.null_threshold == official['best_f1_thresh']
    assert own.scorer.f1(dev, nbest) == official['best_f1']
    metrics = map(json.loads, (finished / system / 'metrics.jsonl').read_text().splitlines())
    assert store.selected.f1 in [line['dev_f1'] for line in metrics if 'dev_f1' in line]


@pytest.mark.parametrize('system', ['base', 'two_stage'])
def test_beyond_the_threshold_the_answer_is_empty(run, finished, system, capsys):
    best, odds = (json.loads(path.read_text()) for path in files(finished, system))
    store = Experiment(run, finished).store(system)
    threshold = store.calibration(store.chosen()[1]).null_threshold
    assert [answer == '' for answer in best.values()] == [
        each > threshold for each in odds.values()
    ]
    (record,) = (each for each in read_records(finished) if each.system == system)
    assert (record.metric, record.kinds.threshold) == ('squad2', threshold)
    assert record.kinds.unanswerable == 6  # of 4 passages with 4 questions each
    score.main([run.data.tests[0], str(files(finished, system)[0]), '--metric', 'squad2'])
    official = json.loads(capsys.readouterr().out)
    assert (record.f1, record.exact_match) == (official['f1'], official['exact'])
    assert (record.kinds.f1, record.kinds.right) == (official['HasAns_f1'], official['NoAns_f1'])


def test_predict_writes_the_run_s_own_null_odds(run, finished, tmp_path):
    output = tmp_path / 'answers.json'
    answering.answer(Reader.load(finished), [Source(run.data.tests[0])], output)
    own = files(finished, 'two_stage')
    best, _, null_odds = answering.files(output)
    assert (best.read_bytes(), null_odds.read_bytes()) == tuple(map(Path.read_bytes, own))
    answering.answer(Reader.load(finished), [Source(run.data.tests[0])], tmp_path / 'a.jsonl')
    lines = map(json.loads, (tmp_path / 'a.jsonl').read_text('utf-8').splitlines())
    odds = {line['id']: line['null_odds'] for line in lines}
    assert odds == json.loads(null_odds.read_text('utf-8'))


def test_the_reader_answers_as_the_run_did_and_says_how_sure_it_is(run, finished):
    best, odds = (json.loads(path.read_text()) for path in files(finished, 'two_stage'))
    reader = Reader.load(finished)
    threshold = reader.own.asking.calibration.null_threshold
    assert f'no answer beyond null odds of {threshold:g}' in str(reader)
    questions = squad.read(run.data.tests[0]).questions
    answers = reader.ask_all([(each.text, each.passage) for each in questions], k=20)
    assert [each[0].text for each in answers] == list(best.values())
    for own, expected in zip(answers, odds.values(), strict=True):
        assert all(0 < each.confidence < 1 for each in own)
        (spans, null) = (
            [each for each in own if bool(each.text) is kind] for kind in (True, False)
        )
        if null:
            assert (null[0].start, null[0].end, null[0].passage) == (0, 0, 0)
            found = null[0].start_logit + null[0].end_logit
            found -= spans[0].start_logit + spans[0].end_logit
            np.testing.assert_allclose(found, expected, atol=1e-4)
