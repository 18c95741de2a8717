"""``config.json``: what comes back, what the library reads of it, and what is refused."""

import dataclasses
import json

import pytest

from tests.tiny import KINDS
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import config_json
from xmrc_jax.model.architectures import PLAIN, EncoderConfig, Rates


def written(folder, cfg, **changes):
    """A folder with the encoder's ``config.json``, in which some keys say something else."""
    (folder / 'config.json').write_text(json.dumps(config_json.described(cfg) | changes))
    return folder


@pytest.fixture
def folder_of(tmp_path):
    """Writes the ``config.json`` of a tiny encoder by its kind."""

    def folder(kind, **changes):
        return written(tmp_path, EncoderConfig.of(KINDS[kind], PLAIN), **changes)

    return folder


@pytest.mark.parametrize('kind', [kind for kind in KINDS if kind not in ('mminilm', 'xlm')])
def test_an_architecture_comes_back(kind, folder_of):
    assert config_json.architecture_of(folder_of(kind)) == KINDS[kind]


def test_an_xlm_comes_back_with_its_languages_or_without(folder_of, tmp_path):
    """Its own spellings too; which language a window has is not for the file to say."""
    xlm = dataclasses.replace(KINDS['xlm'], passage_type=0)
    assert config_json.architecture_of(folder_of('xlm')) == xlm
    older = {'vocab_size': None, 'n_words': 60, 'pad_token_id': None, 'pad_index': 2}
    assert config_json.architecture_of(folder_of('xlm', **older)) == xlm
    alone = dataclasses.replace(xlm, types=0)
    assert config_json.architecture_of(folder_of('xlm', use_lang_emb=False)) == alone
    assert config_json.architecture_of(written(tmp_path, EncoderConfig.of(alone, PLAIN))) == alone


def test_a_longer_stretch_and_biases_come_back(tmp_path):
    gte, modernbert = KINDS['gte'], KINDS['modernbert']
    for architecture, changes in (
        (gte, {'theta': 20_000.0, 'local_theta': 20_000.0, 'stretch': 1.5}),
        (modernbert, {'norm_bias': True, 'attention_bias': True, 'head_bias': True}),
        (modernbert, {'up_bias': True, 'down_bias': True}),
        (modernbert, {'global_every': 1, 'reach': 0, 'local_theta': modernbert.design.theta}),
    ):
        design = dataclasses.replace(architecture.design, **changes)
        other = dataclasses.replace(architecture, design=design)
        folder = written(tmp_path, EncoderConfig.of(other, PLAIN))
        assert config_json.architecture_of(folder) == other


def test_what_transformers_writes_of_a_config_means_the_same(folder_of, tmp_path):
    transformers = pytest.importorskip('transformers')
    for kind in ('modernbert', 'gte', 'deberta-v2', 'xlm-roberta-xl', 'xlm', 'rembert'):
        folder = folder_of(kind)
        transformers.AutoConfig.from_pretrained(folder).save_pretrained(tmp_path)
        assert json.loads((tmp_path / 'config.json').read_text())['transformers_version']
        own = KINDS[kind] if kind != 'xlm' else dataclasses.replace(KINDS[kind], passage_type=0)
        assert config_json.architecture_of(tmp_path) == own


def test_rates_are_the_files_or_the_familys(folder_of):
    folder = folder_of('bert', hidden_dropout_prob=0.3, attention_probs_dropout_prob=None)
    assert config_json.pretrained(folder)[1] == Rates(0.3, 0.1)
    folder = folder_of('modernbert', mlp_dropout=None, attention_dropout=0)
    assert config_json.pretrained(folder)[1] == Rates(0.0, 0.0)
    with pytest.raises(UserError, match=r'config\.json: hidden_dropout_prob 1 must be a number'):
        config_json.pretrained(folder_of('bert', hidden_dropout_prob=1))


@pytest.mark.parametrize(
    ('kind', 'changes', 'message'),
    [
        ('bert', {'model_type': 'gpt2'}, "model_type 'gpt2' is none of xlm-roberta, bert, "),
        ('bert', {'model_type': ['bert']}, "model_type ['bert'] is none of xlm-roberta, bert, "),
        ('bert', {'architectures': 1}, 'architectures 1 must be a list of texts'),
        ('bert', {'layer_norm_eps': float('nan')}, 'layer_norm_eps nan must be an unquoted float'),
        ('bert', {'hidden_act': 'relu'}, "hidden_act 'relu' is not supported, only 'gelu'"),
        ('bert', {'position_embedding_type': 'relative_key'}, "'relative_key' is not supported"),
        ('bert', {'is_decoder': True}, 'is_decoder True is not supported'),
        ('bert', {'hidden_size': None, 'vocab_size': None}, 'lacks vocab_size, hidden_size'),
        ('bert', {'vocab_size': '250002'}, "vocab_size '250002' must be an unquoted int of at"),
        ('bert', {'num_hidden_layers': 0}, 'num_hidden_layers 0 must be an unquoted int of at'),
        ('bert', {'num_hidden_layers': 1001}, 'an unquoted int of at least 1 and at most 1000'),
        ('bert', {'vocab_size': 10**20}, 'an unquoted int of at least 1 and at most 16777216'),
        ('bert', {'layer_norm_eps': 1e300}, 'layer_norm_eps 1e+300 must be an unquoted float of'),
        ('xlm', {'n_langs': 2**31}, 'n_langs 2147483648 must be an unquoted int of at least 1 and'),
        ('bert', {'type_vocab_size': 0}, 'type_vocab_size 0 must be an unquoted int of at least 1'),
        ('bert', {'pad_token_id': True}, 'pad_token_id True must be an unquoted int of at least 0'),
        ('bert', {'layer_norm_eps': '1e-5'}, "layer_norm_eps '1e-5' must be an unquoted float"),
        ('bert', {'num_attention_heads': 5}, 'width 32 is not a multiple of its 5 heads'),
        ('xlm-roberta-xl', {'hidden_act': 'silu'}, "hidden_act 'silu' is not supported"),
        ('rembert', {'input_embedding_size': 0}, 'input_embedding_size 0 must be an unquoted int'),
        ('modernbert', {'hidden_activation': 'silu'}, "hidden_activation 'silu' is not supported"),
        ('modernbert', {'classifier_activation': 'tanh'}, "classifier_activation 'tanh' is not"),
        ('modernbert', {'local_attention': 0}, 'local_attention 0 must be an unquoted int of at'),
        ('modernbert', {'norm_bias': 'no'}, "norm_bias 'no' must be true or false"),
        ('modernbert', {'global_rope_theta': 0}, 'global_rope_theta 0 must be an unquoted number'),
        ('modernbert', {'rope_scaling': {'type': 'yarn'}}, "rope_type 'yarn' of full_attention"),
        (
            'modernbert',
            {'rope_parameters': {'rope_type': 'yarn', 'factor': 4.0}},
            "rope_type 'yarn' of rope_parameters is not supported, only full_attention, sliding",
        ),
        (
            'modernbert',
            {'rope_parameters': {'full_attention': {'partial_rotary_factor': 0.5}}},
            'partial_rotary_factor 0.5 of full_attention is not supported, only rope_type, ',
        ),
        (
            'modernbert',
            {'layer_types': ['sliding_attention', 'full_attention', 'full_attention']},
            "layer_types ['sliding_attention', 'full_attention', 'full_attention'] is not",
        ),
        ('modernbert', {'num_attention_heads': 32}, 'heads of width 1: rotary ones need an even'),
        ('gte', {'rope_parameters': {'rope_type': 'dynamic'}}, "rope_type 'dynamic' is not"),
        ('gte', {'rope_parameters': {'rope_type': 'linear'}}, 'factor None must be an unquoted'),
        ('gte', {'rope_scaling': 'ntk', 'rope_parameters': None}, "rope_scaling 'ntk' must be an"),
        (
            'gte',
            {'rope_scaling': {'type': 'ntk', 'factor': 8.0, 'mixed_b': 1}, 'rope_parameters': None},
            'mixed_b 1 of rope_scaling is not supported, only rope_type, ',
        ),
        ('gte', {'layer_norm_type': 'rms_norm'}, "layer_norm_type 'rms_norm' is not supported"),
        ('deberta-v2', {'relative_attention': False}, 'relative_attention False is not supported'),
        ('deberta-v2', {'share_att_key': None}, 'share_att_key False is not supported, only True'),
        ('deberta-v2', {'conv_kernel_size': 3}, 'conv_kernel_size 3 is not supported, only 0'),
        (
            'deberta-v2',
            {'pos_att_type': 'c2p'},
            "pos_att_type 'c2p' is not supported, only p2c|c2p",
        ),
        ('deberta-v2', {'pos_att_type': 1}, 'pos_att_type 1 is not supported, only p2c|c2p'),
        ('deberta-v2', {'position_buckets': -1}, 'position_buckets -1 must be an unquoted int'),
        ('deberta-v2', {'embedding_size': 16}, 'embedding_size 16 is not supported, only 32'),
        (
            'xlm',
            {'architectures': ['XLMForQuestionAnswering']},
            "architectures 'XLMForQuestionAnswering' is not supported, only 'XLMForQuestionAnswer",
        ),
    ],
)
def test_unsuitable_configs(kind, changes, message, folder_of):
    folder = folder_of(kind, **changes)
    with pytest.raises(UserError) as caught:
        config_json.architecture_of(folder)
    line = str(caught.value)
    assert line.startswith(f'{folder}/config.json: ')
    assert message in line
    assert '\n' not in line


def test_a_roberta_is_an_xlm_roberta_and_is_exported_as_one(folder_of, tmp_path):
    transformers = pytest.importorskip('transformers')
    known = json.loads((folder_of('xlm-roberta') / 'config.json').read_text())
    del known['model_type']
    transformers.RobertaConfig(**known).save_pretrained(tmp_path)
    assert json.loads((tmp_path / 'config.json').read_text())['model_type'] == 'roberta'
    assert config_json.architecture_of(tmp_path) == KINDS['xlm-roberta']


@pytest.mark.parametrize(
    ('kind', 'name'), [('xlm-roberta', 'XLMRobertaConfig'), ('bert', 'BertConfig')]
)
def test_what_a_config_leaves_out_is_as_in_the_library(kind, name, folder_of):
    transformers = pytest.importorskip('transformers')
    theirs = getattr(transformers, name)()
    silent = {'layer_norm_eps': None, 'pad_token_id': None, 'position_embedding_type': None}
    folder = folder_of(kind, **silent)
    found = config_json.architecture_of(folder)
    assert (found.norm_eps, found.pad_id) == (theirs.layer_norm_eps, theirs.pad_token_id)
    stated = json.loads((folder / 'config.json').read_text()).items()
    without = {key: value for key, value in stated if value is not None}
    (folder / 'config.json').write_text(json.dumps(without))
    assert config_json.architecture_of(folder) == found


@pytest.mark.parametrize('text', ['{', '[]', ''])
def test_broken_config(text, tmp_path):
    (tmp_path / 'config.json').write_text(text)
    with pytest.raises(UserError, match=r'config.json: (broken JSON|describes no model)'):
        config_json.architecture_of(tmp_path)


def test_only_modernbert_calls_a_span_head_a_classifier(folder_of):
    assert config_json.reads_spans(folder_of('modernbert'), 'modernbert')
    other = folder_of('modernbert', architectures=['ModernBertForSequenceClassification'])
    assert not config_json.reads_spans(other, 'modernbert')
    assert not config_json.reads_spans(folder_of('bert'), 'bert')
