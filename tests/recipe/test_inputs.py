"""What a run reads: splits, shares of them, tokenizer and encoder that fit each other."""

import pytest

from tests.small import small
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe.experiment import Experiment


def inputs(workdir, **changes):
    return Experiment(small(**changes), workdir).inputs


def test_splits_are_named_as_they_are_used(finished):
    found = inputs(finished)
    assert list(found.splits) == ['train', 'dev', 'encyclopedia/test/en', 'encyclopedia/test/hi']
    assert len(found.splits['train'].questions) == 96
    assert found.splits['train'].corpora[0].name == 'encyclopedia/train/en'
    assert list(inputs(finished, **{'data.dev': ''}).splits)[:2] == [
        'train',
        'encyclopedia/test/en',
    ]


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


def test_a_random_start_has_a_row_for_each_token(finished):
    found = inputs(finished)
    assert found.encoder.vocabulary == len(found.tokenizer)


def test_a_random_start_needs_a_tokenizer(tmp_path):
    with pytest.raises(UserError, match=r'model\.tokenizer is empty'):
        _ = inputs(tmp_path, **{'model.tokenizer': ''}).tokenizer


@pytest.mark.parametrize(
    ('spoil', 'told'),
    [
        (lambda folder: (folder / 'model.safetensors').unlink(), 'holds neither model.safetensors'),
        (lambda folder: (folder / 'config.json').write_text('{"model_type": "gpt2"}'), "'gpt2'"),
        (lambda folder: (folder / 'tokenizer.json').unlink(), 'no tokenizer could be loaded'),
    ],
)
def test_a_refused_encoder_is_refused_before_corpora_are_read(spoil, told, bert, tmp_path):
    spoil(bert)
    model = {'model.name': '', 'model.weights': str(bert), 'model.tokenizer': ''}
    run = small(**model, **{'data.train': ('no/such-corpus',), 'data.dev': ''})
    with pytest.raises(UserError, match=told):
        Experiment(run, tmp_path).prepare()
