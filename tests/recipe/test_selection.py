"""One training, several choices of its checkpoints, each labelled; none that leaks unasked."""

import json

import jax
import numpy as np
import pytest

from tests.small import small
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import experiment
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.scoring import Scorer

CHOICES = {
    'recipe': ('base', 'score'),
    'train.checkpoint_every': 2,  # steps 2, 4 and 6
    'train.keep': 0,
    'train.average': 2,
    'evaluate.selections': ('best', 'last', 'average'),
    'evaluate.decodings': ('minimum_risk', 'contrast'),
    'evaluate.contrast_weight': 30.0,
    'evaluate.oracle': True,
}


@pytest.fixture(scope='module')
def scored(tmp_path_factory):
    workdir = tmp_path_factory.mktemp('scored')
    experiment.run(small(**CHOICES), workdir)
    return workdir


def test_every_choice_is_scored_under_its_name(scored):
    records = json.loads((scored / 'results.json').read_text())
    selected = json.loads((scored / 'base' / 'selected.json').read_text())
    found = {(each['system'], each['selection'], *each['steps']) for each in records[:6]}
    assert found == {
        ('base', 'best', selected['step']),
        ('base@last', 'last', 6),
        ('base@average', 'average', 4, 6),
    }
    decoded = {(each['system'], each['selection'], *each['steps']) for each in records[6:10]}
    assert decoded == {
        ('base@minimum_risk', 'best', selected['step']),
        ('base@contrast', 'best', selected['step']),
    }
    assert {each['system'] for each in records[10:]} == {'base@oracle'}
    for record in records:
        folder = scored / 'predictions' / record['system']
        assert len(list(folder.glob('*.nbest.json'))) == 2
    assert 'base@oracle (chosen on the test set)' in (scored / 'results.md').read_text()


def test_decodings_rank_the_answers_of_the_reported_checkpoint_anew(scored):
    def listed(system):
        path = scored / 'predictions' / system / 'encyclopedia-test.hi-hi.nbest.json'
        return json.loads(path.read_text())

    plain, risk, contrast = map(listed, ('base', 'base@minimum_risk', 'base@contrast'))
    for id_, answers in plain.items():
        sure, sure_too = (
            {(each['start'], each['end']): each['confidence'] for each in own}
            for own in (answers, risk[id_])
        )
        assert sure == pytest.approx(sure_too)
        scores = [each['start_logit'] + each['end_logit'] for each in contrast[id_]]
        assert scores == sorted(scores, reverse=True)
        assert 'confidence' not in contrast[id_][0]  # which is not of these scores
    for other in (risk, contrast):
        assert any(other[id_][0]['text'] != answers[0]['text'] for id_, answers in plain.items())


def test_the_oracle_is_the_best_of_all_on_each_test_set(scored):
    own = Experiment(small(**CHOICES), scored)
    store, scorer = own.store('base'), own.scorer
    assert store.kept == [2, 4, 6]
    records = json.loads((scored / 'results.json').read_text())[10:]
    for split, record in zip(own.inputs.tests, records, strict=True):
        f1s = {
            step: scorer.f1(split, scorer.answer(store.load([step]), split, ''))
            for step in (2, 4, 6)
        }
        assert record['f1'] == max(f1s.values())
        assert f1s[record['steps'][0]] == record['f1']


def test_the_average_is_the_mean_of_the_kept_readers(scored):
    store = Experiment(small(**CHOICES), scored).store('base')
    expected = jax.tree.map(lambda a, b: (a + b) / 2, store.load([4]), store.load([6]))
    mean = store.load(store.selected.choices['average'])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), mean, expected)


def test_the_mean_of_more_than_is_kept_is_refused(tmp_path):
    changes = {'train.keep': 1, 'evaluate.selections': ('average',)}
    with pytest.raises(UserError, match=r'train\.keep=1: the mean of train\.average=3'):
        experiment.run(small(**changes), tmp_path)
    with pytest.raises(UserError, match=r"evaluate\.selections: unknown choice 'oracle'"):
        experiment.run(small(**{'evaluate.selections': ('oracle',)}), tmp_path)


@pytest.mark.parametrize(
    ('dev', 'tests', 'words'),
    [
        # The same questions in another language: other passages, the same ids.
        ('test/hi', ('test/en',), 'shares 8 questions and 0 passages with encyclopedia/test/en'),
        ('test/en', ('test/hi', 'test/en'), 'shares 8 questions and 0 passages'),
    ],
)
def test_a_dev_set_that_leaks_is_refused_unless_allowed(dev, tests, words, tmp_path):
    changes = {
        'recipe': ('base', 'score'),
        'data.dev': f'encyclopedia/{dev}',
        'data.tests': tuple(f'encyclopedia/{name}' for name in tests),
    }
    with pytest.raises(UserError, match=words) as error:
        experiment.run(small(**changes), tmp_path)
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'base').exists()
    run = small(**changes | {'data.dev_may_overlap': True})
    assert Experiment(run, tmp_path).inputs.shared_with_dev


def test_a_training_set_that_leaks_is_refused_unless_allowed(tmp_path):
    changes = {
        'recipe': ('base', 'score'),
        'data.train': ('encyclopedia/train/en', 'encyclopedia/test/hi'),
        'data.max_train_questions': 16,
        'data.dev': '',
    }
    words = r'data\.train=.*: shares 8 questions and 0 passages with encyclopedia/test/en'
    with pytest.raises(UserError, match=words) as error:
        experiment.run(small(**changes), tmp_path)
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'base').exists()
    experiment.run(small(**changes | {'data.train_may_overlap': True}), tmp_path)
    records = json.loads((tmp_path / 'results.json').read_text())
    assert {each['selection'] for each in records} == {'best, trained on the test set'}
    assert 'base (best, trained on the test set)' in (tmp_path / 'results.md').read_text()


def test_a_stage_ends_early_where_dev_f1_rises_no_more(tmp_path, monkeypatch, capsys):
    falling = iter([30.0, 20.0])
    monkeypatch.setattr(Scorer, 'f1', lambda *_: next(falling))
    monkeypatch.setattr(Scorer, 'answer', lambda *_: None)
    run = small(**CHOICES | {'recipe': ('base',), 'train.patience': 1})
    experiment.run(run, tmp_path)
    selected = json.loads((tmp_path / 'base' / 'selected.json').read_text())
    assert selected['choices'] == {'best': [2], 'last': [4], 'average': [2, 4]}
    assert 'base: dev F1 rises no more, ends at step 4 of 6' in capsys.readouterr().out
    (tmp_path / 'base' / 'selected.json').unlink()  # killed just before its end
    experiment.run(run, tmp_path)  # scores and trains nothing more
    assert json.loads((tmp_path / 'base' / 'selected.json').read_text()) == selected


def test_patience_needs_a_dev_set():
    with pytest.raises(UserError, match=r'train\.patience=2: needs a dev set; name data\.dev'):
        small(**{'train.patience': 2, 'data.dev': ''})
