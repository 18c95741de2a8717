"""The second pass from end to end: recovered phrases, mined answers, marked test sets."""

import json

import numpy as np
import pytest

from tests.small import small
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model.marks import marked
from xmrc_jax.recipe import experiment, trained
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.probe import Probe
from xmrc_jax.recipe.reopen import Reopened
from xmrc_jax.recipe.store import Store

CALIBRENET = {
    'recipe': ('base', 'mine', 'calibrate', 'score'),
    'train.epochs': 0.5,
    'train.checkpoint_every': 2,
    'data.tests': ('encyclopedia/test/hi',),
}


@pytest.fixture(scope='module')
def calibrated(ran):
    return ran(CALIBRENET)


def test_both_passes_are_scored_and_phrases_are_in_the_manifest(calibrated):
    results = json.loads((calibrated / 'results.json').read_text())
    assert [each['system'] for each in results] == ['base', 'calibrate']
    assert (calibrated / 'recover' / 'selected.json').exists()
    phrases = json.loads((calibrated / 'manifest.json').read_text())['phrases']
    assert set(phrases['phrases']) <= {'en', 'hi'}
    assert phrases['phrases']['en'] > 10
    assert phrases['samples']['en']
    # The dev set was read with marks: its score is that of the second pass over it.
    own = Experiment(small(**CALIBRENET), calibrated)
    params = own.store('calibrate').reported()
    dev = own.calibrenet.second(own.inputs.dev)
    selected = own.store('calibrate').selected
    np.testing.assert_allclose(own.dev_f1({'reader': params}, dev), selected.f1)


def test_training_windows_are_marked_with_the_best_mined_answer(calibrated):
    own = Experiment(small(**CALIBRENET), calibrated)
    windows, train = own.mined.marked(), own.inputs.train
    nbest = own.ask(own.store('base').reported(), train.windows, len(train.questions), '', 1)
    for window in (0, 40, len(windows) - 1):
        chars_12 = nbest.chars_QK2[train.windows.question_W[window]]
        assert windows.mark_W2[window].tolist() == windows.locate(window, chars_12)[0].tolist()
    marked = np.unique(train.windows.question_W[windows.mark_W2[:, 0] >= 0])
    assert len(marked) > 0.9 * len(train.questions)


def test_with_zero_rows_the_second_pass_answers_as_the_base_reader(calibrated):
    own = Experiment(small(**CALIBRENET), calibrated)
    base, (test,) = own.store('base').reported(), own.inputs.tests
    asked = len(test.questions)
    first = own.ask(base, test.windows, asked)
    windows = own.calibrenet.second(test).windows
    expected = windows.marked(first.chars_QK2[:, 0])  # the base reader's best answers
    np.testing.assert_array_equal(windows.mark_W2, expected.mark_W2)
    second = own.ask(marked(base), windows, asked)
    np.testing.assert_array_equal(second.chars_QK2, first.chars_QK2)
    np.testing.assert_allclose(second.logits_QK2, first.logits_QK2, atol=1e-5)
    trained_rows = own.store('calibrate').reported()['marks']['embedding']
    assert (np.abs(trained_rows).max(axis=1) > 0).all()


def test_a_killed_second_pass_ends_bit_equal(calibrated, bit_equal_when_killed):
    bit_equal_when_killed(calibrated, CALIBRENET, 'calibrate', at=3)


def test_the_first_pass_is_asked_once_for_each_set_of_questions(calibrated, monkeypatch):
    kept = list((calibrated / 'first_pass').iterdir())
    assert len(kept) == 3  # dev, which is probed too, its swapped questions, and the test set
    own = Experiment(small(**CALIBRENET), calibrated)
    monkeypatch.setattr(own, 'ask', None)  # nobody is asked again
    (test,) = own.inputs.tests
    marked_W2 = own.calibrenet.second(test).windows.mark_W2
    np.testing.assert_array_equal(own.calibrenet.second(test).windows.mark_W2, marked_W2)
    assert (marked_W2[:, 0] >= 0).any()


def test_answers_of_another_first_reader_are_refused(calibrated, monkeypatch):
    own = Experiment(small(**CALIBRENET), calibrated)
    other = own.inputs.pretrained()
    monkeypatch.setattr(Store, 'reported', lambda store: other)
    with pytest.raises(UserError, match='first_pass/.*: made from checkpoint'):
        own.calibrenet.second(own.inputs.dev)


def test_the_probe_reads_what_the_second_pass_reads(calibrated):
    own = Experiment(small(**CALIBRENET), calibrated)
    store, dev = own.store('calibrate'), own.inputs.dev
    options, reading = own.run.evaluate.ask, own.run.method.reading
    probe = Probe(own.inputs.encoder, own.mesh, reading.normalisation, options.batch_size)
    loss = probe.loss(store.reported(), own.calibrenet.second(dev).windows)
    kept = json.loads((calibrated / 'predictions' / 'calibrate' / 'probe.json').read_text())
    assert kept['true'] == pytest.approx(loss, rel=1e-5)
    assert abs(kept['true'] - probe.loss(store.reported(), dev.windows)) > 1e-5


def test_a_second_pass_is_no_reader_by_itself(calibrated):
    with pytest.raises(UserError, match=r"calibrate: a second pass, which needs the base reader's"):
        trained.load(calibrated / 'calibrate')
    assert Reopened(calibrated).kept('base')
    assert Reopened(calibrated).kept('calibrate') == []  # nor one of a case study


def test_without_a_phrase_file_nothing_is_written(tmp_path):
    with pytest.raises(UserError, match=r'none\.jsonl: cannot be read'):
        experiment.run(small(**CALIBRENET | {'data.phrases': 'none.jsonl'}), tmp_path)
    assert not (tmp_path / 'config.json').exists()
    assert not (tmp_path / 'base').exists()
