"""Joint training over languages: what is joined, whose Z is whose, who is masked."""

import json

import numpy as np
import pytest

from tests.conftest import squad_json
from tests.small import small
from xmrc_jax.data import corpora, encyclopedia, mending, mixing, squad
from xmrc_jax.evaluate.nbest import NBest
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import experiment, settings
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.store import Store

# The same two questions in English, German (Meta's layout) and Spanish (XTREME's).
ENGLISH = [
    ('q1', 'Ada Fenwick founded it in 1876.', 'When was it founded?', '1876'),
    ('q2', 'It stands in Lisbon, by the sea.', 'Where does it stand?', 'Lisbon'),
]
GERMAN = [
    ('q1', 'Im Jahr 1876 von Ada Fenwick gegründet.', 'Wann wurde sie gegründet?', '1876'),
    ('q2', 'Sie steht am Meer, und zwar in Lissabon.', 'Wo steht sie?', 'Lissabon'),
    ('q7', 'Niemand hat danach gefragt.', 'Wer?', 'Niemand'),
]
SPANISH = [
    ('q2', 'En la ciudad de Lisboa, junto al mar.', '¿Dónde está?', 'Lisboa'),
    ('q1', 'Ada Fenwick la fundó en 1876.', '¿Cuándo se fundó?', '1876'),
]
FILES = {
    'squad/train-v1.1.json': ENGLISH,
    'mlqa-translate-train/de_squad-translate-train-train-v1.1.json': GERMAN,
    'mlqa-translate-train/squad.translate.train.en-es.json': SPANISH,
}


@pytest.fixture
def translated(tmp_path) -> settings.Run:
    for name, records in FILES.items():
        (tmp_path / 'data' / name).parent.mkdir(parents=True, exist_ok=True)
        file = squad_json(records)
        if records is GERMAN:  # and a broken record and a repeated one
            qas = file['data'][0]['paragraphs'][1]['qas']
            broken = {'text': 'Porto', 'answer_start': 3}
            qas += [dict(qas[0]), {'id': 'q3', 'question': 'Wo?', 'answers': [broken]}]
        (tmp_path / 'data' / name).write_text(json.dumps(file))
    names = tuple(f'mlqa_translate_train/train/{language}' for language in ('de', 'es'))
    return small(
        **{
            'data.root': str(tmp_path / 'data'),
            'data.cache': str(tmp_path / 'cache'),
            'data.train': ('squad/train', *names),
            'data.max_dropped': 0.6,
            'data.dev': '',
            'data.tests': (),
        }
    )


def test_translations_are_joined_by_id_and_what_is_broken_is_named(translated, tmp_path):
    inputs = Experiment(translated, tmp_path).inputs
    found = [(question.id, question.context_language) for question in inputs.train.questions]
    assert found == [(id_, 'en') for id_ in ('q1', 'q2')] + [
        *[(id_, 'de') for id_ in ('q1', 'q2')],
        *[(id_, 'es') for id_ in ('q2', 'q1')],
    ]
    manifest = inputs.manifest(30)['corpora']['mlqa_translate_train/train/de']
    assert manifest['questions'] == 2
    assert manifest['drops'] == {
        'duplicate id': {'count': 1, 'first_ids': ['q2']},
        mending.NOT_THERE: {'count': 1, 'first_ids': ['q3']},
        'id not in squad/train': {'count': 1, 'first_ids': ['q7']},
    }


def test_the_same_question_is_one_group_in_all_its_languages(translated, tmp_path):
    own = Experiment(translated, tmp_path)
    inputs, drawn = own.inputs, own.fit.batches(own.inputs.train)
    batch = drawn.batch_at(0)
    ids = [inputs.train.questions[question].id for question in drawn.questions_at(0)]
    assert sorted(ids) == ['q1'] * 3 + ['q2'] * 3
    # The contrast masks partners of the same group (tests/answers/test_contrast.py).
    group_B = batch.group_B[: len(ids)]
    assert ((group_B[:, None] == group_B) == np.equal.outer(ids, ids)).all()


def test_every_language_has_a_z_of_its_own(translated, tmp_path, monkeypatch):
    changes = {'mine.candidates': 3, 'mine.gold_slot': 'last'}
    own = Experiment(settings.vary(translated, changes), tmp_path)
    questions = own.inputs.train.questions

    def words(passage):
        """Characters of the first and the second word."""
        first, second, *_ = passage.split()
        return [(0, len(first)), (len(first) + 1, len(first) + 1 + len(second)), (-1, -1)]

    def ask(params, windows, count, label, k):
        chars_QK2 = np.array([words(question.passage) for question in questions], np.int32)
        logits_QK2 = np.where(chars_QK2 >= 0, 0.0, -np.inf).astype(np.float32)
        return NBest(chars_QK2, logits_QK2, logits_QK2.sum(axis=2), np.zeros((len(logits_QK2), 3)))

    monkeypatch.setattr(Store, 'reported', lambda store: {'leaf': np.ones(1, np.float32)})
    monkeypatch.setattr(own, 'ask', ask)
    own.mined.mine()
    spans_WK2, valid_WK = own.mined.of_windows()
    windows = own.inputs.train.windows
    assert len(windows) == len(questions) == 6
    for window, question in enumerate(questions):
        gold = question.answers[0].start
        chars_K2 = [*words(question.passage)[:2], (gold, gold + len(question.answers[0].text))]
        expected_K2 = windows.locate(window, chars_K2)
        assert spans_WK2[window][valid_WK[window]].tolist() == [
            span
            for slot, span in enumerate(expected_K2.tolist())
            if span not in expected_K2[slot + 1 :].tolist()
        ]


def test_the_recipe_trains_on_languages_drawn_by_temperature(tmp_path):
    config = small(**{'data.sampling_temperature': 5.0, 'data.max_train_questions': 60})
    experiment.run(config, tmp_path)
    results = json.loads((tmp_path / 'results.json').read_text())
    assert {each['system'] for each in results} == {'base', 'two_stage'}


# -- mixMRC ----------------------------------------------------------------------------------------


def test_an_epoch_of_pairs_asks_every_passage_once_in_a_language_drawn(translated, tmp_path):
    own = Experiment(settings.vary(translated, {'data.mix': 'pairs'}), tmp_path)
    train, drawn = own.inputs.train, own.fit.batches(own.inputs.train)
    assert len(train.questions) == 2 * 9
    epochs = []
    for epoch in range(3):
        steps = range(drawn.steps(epoch), drawn.steps(epoch + 1)) if epoch else range(1)
        asked = [train.questions[q] for step in steps for q in drawn.questions_at(step)]
        assert len({(q.id, q.context_language) for q in asked}) == len(asked) == 6
        epochs += [(q.id, q.context_language, q.question_language) for q in asked]
    assert len(set(epochs)) == 18  # in three epochs each pair once
    last = drawn.steps(3) - 1  # a run that is continued there draws what this one drew
    again = own.fit.batches(own.inputs.train).batch_at(last)
    np.testing.assert_array_equal(again.ids_BL, drawn.batch_at(last).ids_BL)
    for question, gold_W2 in zip(train.questions, train.windows.gold_W2, strict=True):
        assert gold_W2[0] >= 0, question  # held by the passage's window, whatever is asked in


MIXED = {'data.mix': 'pairs', 'data.tests': ('encyclopedia/test/hi', 'asked-in-english.json@hi-en')}


@pytest.fixture
def asked_across(tmp_path, monkeypatch):
    """A test set of Hindi passages with English questions, where runs are started."""
    monkeypatch.chdir(tmp_path)
    encyclopedia.write(tmp_path / 'corpora', encyclopedia.Passages(9, 2, 2), seed=42)
    places = {'root': tmp_path / 'corpora', 'cache': tmp_path}
    both = [corpora.load(f'encyclopedia/test/{each}', **places) for each in ('hi', 'en')]
    questions = mixing.mixed(both[0].questions, both, 'pairs')
    across = [each for each in questions if each.question_language == 'en']
    squad.write(tmp_path / 'asked-in-english.json', across)


def test_mixed_languages_go_through_both_stages(asked_across, ran, capsys, bit_equal_when_killed):
    tmp_path = ran(MIXED)
    results = json.loads((tmp_path / 'results.json').read_text())
    assert {each['system'] for each in results} == {'base', 'two_stage'}
    pairs = {(each['context_language'], each['question_language']) for each in results}
    assert pairs == {('hi', 'hi'), ('hi', 'en')}
    assert 'mixed: 4 pairs of languages' in capsys.readouterr().out
    pairs = json.loads((tmp_path / 'manifest.json').read_text())['mix']['passage-question']
    assert pairs == dict.fromkeys(('en-en', 'en-hi', 'hi-en', 'hi-hi'), 36)
    # Each pair has a Z of its own; an epoch has as many steps as without mixing.
    mined = json.loads((tmp_path / 'candidates' / 'manifest.json').read_text())
    assert mined['questions'] == 144
    lines = (tmp_path / 'two_stage' / 'metrics.jsonl').read_text().splitlines()
    assert json.loads(lines[-1])['step'] == 6
    bit_equal_when_killed(tmp_path, MIXED, 'two_stage', at=5)


def test_pairs_are_not_drawn_by_temperature_as_well():
    with pytest.raises(UserError, match=r'data\.sampling_temperature=2: must be 1 with data\.mix'):
        small(**{'data.mix': 'pairs', 'data.sampling_temperature': 2.0})
