"""What a run reads: splits, shares of them, tokenizer and encoder that fit each other."""

import json

import pytest

from tests.conftest import squad_json
from tests.small import small
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe.experiment import Experiment


def inputs(workdir, **changes):
    return Experiment(small(**changes), workdir).inputs


def test_splits_are_named_as_they_are_used(finished):
    found = inputs(finished)
    assert list(found.splits) == ['train', 'dev', 'encyclopedia/test/en', 'encyclopedia/test/hi']
    assert len(found.splits['train'].questions) == 72
    assert found.splits['train'].corpora[0].name == 'encyclopedia/train/en'
    assert list(inputs(finished, **{'data.dev': ''}).splits)[:2] == [
        'train',
        'encyclopedia/test/en',
    ]


@pytest.fixture
def defective(tmp_path):
    """A file of which three records of four are dropped."""
    file = squad_json([('q1', 'Ada Fenwick founded it in 1876.', 'When was it founded?', '1876')])
    qas = file['data'][0]['paragraphs'][0]['qas']
    qas += [dict(qas[0], id=id_, question='\u200b') for id_ in ('a', 'b', 'c')]
    (tmp_path / 'own.json').write_text(json.dumps(file))
    return str(tmp_path / 'own.json')


def test_a_corpus_of_which_too_much_is_dropped_is_refused(defective, tmp_path):
    for name, corpora in (('data.dev', defective), ('data.tests', (defective,))):
        with pytest.raises(UserError, match=r'own\.json: 3 of 4 records dropped') as message:
            _ = inputs(tmp_path, **{name: corpora}).splits
        assert '\n' not in str(message.value)
    found = inputs(tmp_path, **{'data.dev': defective, 'data.max_dropped': 0.75})
    assert len(found.dev.questions) == 1


def test_what_was_dropped_is_said_before_anything_is_trained(defective, tmp_path, capsys):
    changes = {'data.dev': defective, 'data.max_dropped': 0.75}
    Experiment(small(**changes), tmp_path / 'run').prepare()
    reason = 'dropped: question without visible text'
    assert f'\n{defective}: 3 of 4 records {reason}\n' in capsys.readouterr().out


def test_a_share_is_drawn_with_the_seed(finished):
    drawn = [
        [each.id for each in inputs(finished, **changes).train.questions]
        for changes in (
            {'data.max_train_questions': 20},
            {'data.max_train_questions': 20},
            {'data.max_train_questions': 200},
        )
    ]
    whole = [each.id for each in inputs(finished).train.questions]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 20
    assert set(drawn[0]) <= set(whole)
    assert drawn[2] == whole  # there are no more


def test_phrases_are_found_in_what_is_trained_on_alone(finished):
    found = inputs(finished, **{'data.max_train_questions': 20})
    passages = {question.passage for question in found.train.questions}
    texts = {phrased.text for phrased in found.phrases.texts}
    assert texts
    assert texts <= passages
    assert len(texts) < len(inputs(finished).phrases.texts)


def test_a_random_start_has_a_row_for_each_token(finished):
    found = inputs(finished)
    assert found.encoder.vocabulary == len(found.tokenizer)


def test_a_random_start_needs_a_tokenizer(tmp_path):
    with pytest.raises(UserError, match=r'model\.tokenizer is empty'):
        _ = inputs(tmp_path, **{'model.tokenizer': ''}).tokenizer


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda folder: (folder / 'model.safetensors').unlink(), 'holds neither model.safetensors'),
        (lambda folder: (folder / 'config.json').write_text('{"model_type": "gpt2"}'), "'gpt2'"),
        (lambda folder: (folder / 'tokenizer.json').unlink(), 'no tokenizer could be loaded'),
    ],
)
def test_a_refused_encoder_is_refused_before_corpora_are_read(spoil, message, bert, tmp_path):
    spoil(bert)
    model = {'model.name': '', 'model.weights': str(bert), 'model.tokenizer': ''}
    run = small(**model, **{'data.train': ('no/such-corpus',), 'data.dev': ''})
    with pytest.raises(UserError, match=message):
        Experiment(run, tmp_path).prepare()
