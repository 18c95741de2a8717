"""Tokenizers as those of mmBERT, mDeBERTa and byte-level encoders: pairs, offsets, answers.

Each is trained on text of the tests, and on real text where there is some; a script is left out of
the training, so that bytes or unknown pieces are met as well.
"""

import pytest
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from tests.conftest import RECORDS
from tests.data.test_windows import SMALL, check_against_hugging_face, says
from xmrc_jax.data import squad
from xmrc_jax.data.audit import audit
from xmrc_jax.data.tokenizer import passage_type
from xmrc_jax.data.windows import WindowSize, build
from xmrc_jax.ground.errors import UserError

TEXT = [field for record in RECORDS if record[0] != 'han' for field in record[1:4]]


def finished(inner, specials, pair, **named) -> PreTrainedTokenizerFast:
    """With a template for pairs, as ``tokenizer.json`` has it."""
    ids = [(token, number) for number, token in enumerate(specials)]
    inner.post_processor = processors.TemplateProcessing(pair=pair, special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=inner, **named)


def gemma(text, size=400):
    """mmBERT's: spaces become pieces, no space before the first word, bytes for what is unknown.

    Its first token is <bos>, which is not what its configuration calls cls.
    """
    specials = ['<pad>', '<eos>', '<bos>', '<unk>']
    inner = Tokenizer(models.BPE(unk_token='<unk>', byte_fallback=True, fuse_unk=True))
    inner.normalizer = normalizers.Replace(' ', '▁')
    words = pre_tokenizers.Split('▁', 'merged_with_next')
    inner.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.Punctuation()])
    inner.decoder = decoders.Sequence(
        [decoders.Replace('▁', ' '), decoders.ByteFallback(), decoders.Fuse()]
    )
    all_bytes = [f'<0x{byte:02X}>' for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=256 + size, special_tokens=specials + all_bytes, show_progress=False
    )
    inner.train_from_iterator(text, trainer)
    inner.pre_tokenizer = pre_tokenizers.Split(' ', 'merged_with_previous')
    named = {'pad_token': '<pad>', 'cls_token': '<eos>', 'sep_token': '<eos>', 'bos_token': '<bos>'}
    return finished(inner, specials, '<bos> $A <eos> $B <eos>', **named)


def deberta(text, size=300):
    """mDeBERTa's: a Unigram model with leading-space pieces, and types that nobody looks at."""
    specials = ['[PAD]', '[CLS]', '[SEP]', '[UNK]']
    inner = Tokenizer(models.Unigram())
    inner.normalizer = normalizers.NFKC()
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=size, special_tokens=specials, unk_token='[UNK]', show_progress=False
    )
    inner.train_from_iterator(text, trainer)
    named = {'pad_token': '[PAD]', 'cls_token': '[CLS]', 'sep_token': '[SEP]'}
    named['model_input_names'] = ['input_ids', 'token_type_ids', 'attention_mask']
    return finished(inner, specials, '[CLS] $A [SEP] $B:1 [SEP]:1', **named)


def byte_level(text, size=400):
    """ModernBERT's own: byte-level BPE, several pieces of one character."""
    specials = ['[PAD]', '[CLS]', '[SEP]', '[UNK]']
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(text, trainer)
    named = {'pad_token': '[PAD]', 'cls_token': '[CLS]', 'sep_token': '[SEP]'}
    return finished(inner, specials, '[CLS] $A [SEP] $B [SEP]', **named)


KINDS = {'gemma': gemma, 'deberta': deberta, 'byte level': byte_level}


@pytest.fixture(scope='module', params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope='module')
def tokenizer(kind):
    return KINDS[kind](TEXT)


def test_windows_are_cut_as_the_tokenizer_pairs(squad_file, tokenizer):
    questions = squad.read(squad_file).questions
    size = WindowSize(max_tokens=80, stride=8, max_question_tokens=60)
    cut = check_against_hugging_face(questions, tokenizer, size)
    assert len(cut) > 4  # some passage was cut


def test_answers_come_back_in_every_script(squad_file, tokenizer, kind):
    questions = squad.read(squad_file).questions
    cut = build(questions, tokenizer, WindowSize(400, 8, 200))
    for window, span in enumerate(cut.gold_W2):
        question = questions[cut.question_W[window]]
        said = says(question, cut, window, span)
        if question.id == 'han' and kind == 'deberta':
            assert question.answers[0].text in said  # one unknown piece for a run of characters
        else:
            assert said == question.answers[0].text


def test_the_passage_has_the_type_of_the_template(tokenizer, kind):
    assert passage_type(tokenizer) == (kind == 'deberta')
    assert tokenizer.pad_token_id == 0


def test_a_template_that_puts_nothing_between_is_refused(squad_file):
    inner = gemma(TEXT).backend_tokenizer
    specials = ['<pad>', '<eos>', '<bos>', '<unk>']
    glued = finished(inner, specials, '<bos> $A $B', pad_token='<pad>')
    with pytest.raises(UserError, match='puts nothing between question and passage'):
        build(squad.read(squad_file).questions, glued, SMALL)


def test_real_answers_survive(real_data, kind):
    """Six languages: most answers are spans of whole tokens, and all lie in such a span."""
    files = {
        language: squad.read(real_data / f'xquad/xquad.{language}.json').questions[::60]
        for language in ('en', 'es', 'de', 'ar', 'hi', 'vi')
    }
    text = [part for questions in files.values() for q in questions for part in (q.text, q.passage)]
    tokenizer = KINDS[kind](text, size=2000)
    for language, questions in files.items():
        size = WindowSize(384, 128, 64)
        cut = build(questions, tokenizer, size)
        found = audit(questions, cut, tokenizer, size, 30)
        assert found['golds'] == len(questions) > 15
        assert found['exact'] >= 0.85 * found['golds'], (language, found)
        assert found['misses']['not_in_any_window']['count'] == 0
