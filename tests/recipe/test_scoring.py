"""Who is scored with which checkpoints, by which metric."""

import dataclasses

import numpy as np
import pytest

from tests.small import small
from xmrc_jax.evaluate import records
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.scoring import Contestant, contestants, warned


@pytest.fixture
def own(finished):
    return Experiment(small(), finished)


def test_the_reported_choice_comes_first_and_is_no_other(own):
    options = dataclasses.replace(own.run.evaluate, selections=('last', 'best'), oracle=True)
    store = own.store('base')
    best = (store.selected.step,)
    assert [tuple(each) for each in contestants(store, options)] == [
        ('base', 'best', (best,), ''),
        ('base@last', 'last', ((6,),), ''),
        ('base@oracle', 'oracle', ((3,), (6,)), ''),
    ]
    (alone,) = contestants(store, own.run.evaluate)
    assert tuple(alone) == ('base', 'best', (best,), '')


@pytest.mark.parametrize(
    ('selection', 'dev_leaks', 'train_leaks', 'expected'),
    [
        ('best', False, False, 'best'),
        ('best', True, False, 'best, leaking'),
        ('last', True, False, 'last'),  # chosen without the dev set
        ('last', False, True, 'last, trained on the test set'),
        ('best', True, True, 'best, leaking, trained on the test set'),
        ('', True, True, 'trained on the test set'),  # a checkpoint that was named
    ],
)
def test_a_selection_says_what_its_score_is_not_worth(selection, dev_leaks, train_leaks, expected):
    contestant = Contestant('base', selection, ((3,),))
    assert warned(contestant, dev_leaks, train_leaks) == Contestant('base', expected, ((3,),))


def test_a_record_is_answered_once(own, finished, monkeypatch):
    store, split = own.store('base'), own.inputs.tests[0]
    (contestant,) = contestants(store, own.run.evaluate)
    before = records.read_records(finished)[0]

    def never(*_):
        raise AssertionError('answered again')

    monkeypatch.setattr(own.scorer, 'answer', never)
    assert own.scorer.record(store, contestant, split) == before


def test_f1_is_that_of_the_best_answers(own):
    split = own.inputs.tests[0]
    gold_Q2 = [
        (answer.start, answer.start + len(answer.text))
        for answer in (question.answers[0] for question in split.questions)
    ]
    answered = own.scorer.answer(own.store('base').reported(), split, '')
    chars_QK2 = answered.chars_QK2.copy()
    chars_QK2[:, 0] = np.array(gold_Q2)
    assert own.scorer.f1(split, dataclasses.replace(answered, chars_QK2=chars_QK2)) == 100.0


def test_the_metric_is_the_corpus_s_own_unless_one_is_named(own):
    corpus = own.inputs.tests[0].corpora[0]
    options = own.run.evaluate
    assert options.metric_of(corpus) == (corpus.metric, corpus.context_language) == ('mlqa', 'en')
    assert dataclasses.replace(options, metric='squad').metric_of(corpus) == ('squad', 'en')
    with pytest.raises(UserError, match="no rules for language 'fr'"):
        options.metric_of(dataclasses.replace(corpus, context_language='fr'))
