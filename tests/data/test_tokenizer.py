"""Tokenizers: read from a folder, refused in one line, and what of them is asked."""

import json
import shutil

import pytest
from tokenizers import Tokenizer, models, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from xmrc_jax.data.tokenizer import load_tokenizer, passage_type, vocabulary_of
from xmrc_jax.ground.errors import UserError


def test_a_tokenizer_is_read_from_a_folder(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path / 'kept')
    loaded = load_tokenizer(tmp_path / 'kept')
    assert loaded('Ada Fenwick')['input_ids'] == tokenizer('Ada Fenwick')['input_ids']


def without(folder, *names):
    for name in names:
        (folder / name).unlink()


def with_config_alone(folder):
    """As of BERT, where the library would make a tokenizer of five tokens without a word."""
    without(folder, 'tokenizer.json', 'tokenizer_config.json')
    (folder / 'config.json').write_text(json.dumps({'model_type': 'bert'}))


def with_sentencepiece_alone(folder):
    with_config_alone(folder)
    (folder / 'sentencepiece.bpe.model').write_bytes(b'pieces')


def with_sentencepiece_of_a_class(folder):
    without(folder, 'tokenizer.json')
    (folder / 'tokenizer_config.json').write_text('{"tokenizer_class": "XLMRobertaTokenizer"}')
    (folder / 'sentencepiece.bpe.model').write_bytes(b'pieces')


PIECES_ALONE = 'sentencepiece.bpe.model alone, without tokenizer.json: pip install sentencepiece'
POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:62c2\nsize 17082730\n'
NO_LENGTH = '{"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": "x"}'
OF_NO_CLASS = '{"tokenizer_class": "PreTrainedTokenizerFast"}'


def writes(name, text):
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (shutil.rmtree, 'no tokenizer could be loaded'),
        (lambda folder: without(folder, 'tokenizer.json'), 'it has no tokenizer.json; name one'),
        (writes('tokenizer.json', '{'), 'no tokenizer could be loaded'),
        (writes('tokenizer.json', POINTER), 'tokenizer.json: a pointer of Git LFS in its place'),
        (writes('tokenizer_config.json', OF_NO_CLASS), 'no padding token; set pad_token'),
        (
            writes('tokenizer_config.json', NO_LENGTH),
            "not supported between instances of 'int' and",
        ),
        (with_config_alone, 'it has no tokenizer.json; name one that has with model.tokenizer'),
        (with_sentencepiece_alone, PIECES_ALONE),
        (with_sentencepiece_of_a_class, PIECES_ALONE),
    ],
    ids=[
        'absent',
        'empty',
        'broken',
        'pointer',
        'no pad',
        'length',
        'config',
        'pieces',
        'pieces of a class',
    ],
)
def test_tokenizers_that_cannot_be_used_are_named(spoil, message, tokenizer, tmp_path):
    folder = tmp_path / 'folder'
    tokenizer.save_pretrained(folder)
    spoil(folder)
    with pytest.raises(UserError) as caught:
        load_tokenizer(folder)
    assert str(caught.value).startswith(str(folder))
    assert message in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_slow_tokenizer_is_refused(tmp_path, monkeypatch):
    class Slow:
        is_fast, all_special_ids = False, ()

        def __len__(self):
            return 9

        def __call__(self, *texts):
            return {}

    monkeypatch.setattr(AutoTokenizer, 'from_pretrained', lambda *_, **__: Slow())
    with pytest.raises(UserError, match=f'{tmp_path}: only a slow tokenizer'):
        load_tokenizer(tmp_path)


def test_a_sentencepiece_model_of_the_hub_asks_for_its_package(monkeypatch):
    def lacks(*_, **__):  # what the library raises when the package is not there
        raise ValueError('`tiktoken` is required to read a `tiktoken` file. Install it with ...')

    monkeypatch.setattr(AutoTokenizer, 'from_pretrained', lacks)
    with pytest.raises(UserError, match='without tokenizer.json: pip install sentencepiece pro'):
        load_tokenizer('microsoft/mdeberta-v3-base')


def test_a_hub_id_without_network_is_one_line():
    with pytest.raises(UserError, match='nobody/no-such-tokenizer') as caught:
        load_tokenizer('nobody/no-such-tokenizer')
    assert '\n' not in str(caught.value)


def typed(tokenizer, pair):
    """The tokenizer with another template for pairs, as one that hands out token types."""
    other = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(tokenizer.backend_tokenizer.to_str()),
        pad_token='<pad>',
        model_input_names=['input_ids', 'token_type_ids', 'attention_mask'],
    )
    other.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single='<s> $A </s>', pair=pair, special_tokens=[('<s>', 0), ('</s>', 2)]
    )
    return other


@pytest.mark.parametrize(
    ('pair', 'type_'),
    [
        ('<s>:0 $A:0 </s>:0 $B:1 </s>:1', 1),
        ('<s>:0 $A:0 </s>:0 </s>:0 $B:1 </s>:1', 1),
        ('<s>:0 $A:0 </s>:0 </s>:0 $B:0 </s>:0', 0),
    ],
)
def test_the_passage_s_type_is_the_tokenizer_s(pair, type_, tokenizer):
    given = typed(tokenizer, pair)
    assert passage_type(given) == type_
    given.model_input_names = ['input_ids', 'attention_mask']  # it hands out none
    assert passage_type(given) == 0


@pytest.mark.parametrize(
    'pair',
    [
        '<s>:0 $A:0 </s>:0 </s>:1 $B:1 </s>:1',
        '<s>:0 $A:0 </s>:0 $B:1 </s>:0',
        '<s>:1 $A:1 </s>:1 $B:0 </s>:0',
    ],
)
def test_other_patterns_of_types_are_refused(pair, tokenizer):
    with pytest.raises(UserError, match='gives a pair the token types .*: name another tokenizer'):
        passage_type(typed(tokenizer, pair))


def test_a_table_has_a_row_for_the_largest_id(tokenizer):
    assert vocabulary_of(tokenizer) == len(tokenizer)
    inner = Tokenizer(models.WordLevel({'<pad>': 0, 'a': 7}, unk_token='<pad>'))
    assert vocabulary_of(PreTrainedTokenizerFast(tokenizer_object=inner)) == 8
