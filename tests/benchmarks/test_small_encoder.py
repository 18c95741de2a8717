"""The quickstart's encoder: what it is pretrained on, and the folder that is written."""

import itertools
import random

import jax
import numpy as np
import pytest

from benchmarks import small_encoder
from xmrc_jax.data import encyclopedia, telling
from xmrc_jax.data.tokenizer import load_tokenizer
from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import ENCODERS, HUB_IDS, PLAIN, EncoderConfig
from xmrc_jax.model.config_json import architecture_of

FOLDER = HUB_IDS['encyclopedia']
CFG = EncoderConfig.of(ENCODERS['encyclopedia'], PLAIN)


@pytest.fixture(scope='module')
def tokenizer():
    return load_tokenizer(FOLDER)


@pytest.fixture
def article():
    return encyclopedia.draw('1', encyclopedia.names_of(0, 'train'), random.Random(3))


@pytest.mark.parametrize('language', telling.LANGUAGES)
def test_what_is_masked_is_not_said(article, language):
    """In one sentence that is told again, one answer is a mask; others are as they were or gone."""
    full, spans = telling.passage(article, language)
    for seed in range(10):
        text, asked = small_encoder.told_again(
            article, random.Random(seed), language, '<mask>', alone=True
        )
        start, end = spans[asked[0]]
        assert len(asked) == text.count('<mask>') == 1
        assert full[start:end] not in text
        assert len(text) < len(full)


@pytest.mark.parametrize('alone', [0.0, 1.0])
def test_a_mask_points_at_what_the_passage_says(tokenizer, alone):
    """Every span decodes to whole words of the passage; other slots have other spans."""
    rng = random.Random(0)
    (windows,) = itertools.islice(small_encoder.batches(tokenizer, rng, 40, alone), 1)
    masks_B = (windows.mask_BS > 0).sum(1)
    assert masks_B.max() == 1 if alone else masks_B.max() > 3
    for row in range(40):
        lo, hi = windows.passage_B2[row]
        passage = tokenizer.decode(windows.ids_BL[row, lo:hi])
        masked = windows.mask_BS[row] > 0
        spans = windows.span_BS2[row, masked]
        assert (windows.ids_BL[row, windows.mask_BS[row, masked]] == 4000).all()
        assert len(set(map(tuple, spans))) == len(spans)
        for first, last in spans:
            assert lo <= first <= last < hi
            assert tokenizer.decode(windows.ids_BL[row, first : last + 1]).strip() in passage


def test_a_window_of_known_words(tokenizer):
    pairs = [('Born in <mask>.', 'The painter was born in Velmora.')]
    windows = small_encoder.windows_of(tokenizer, pairs, [['place']], [{'place': (24, 31)}])
    first, last = windows.span_BS2[0, 0]
    assert tokenizer.decode(windows.ids_BL[0, first : last + 1]).strip() == 'Velmora'
    assert windows.ids_BL[0, windows.mask_BS[0, 0]] == tokenizer.mask_token_id
    assert windows.length_B[0] == (windows.ids_BL[0] != tokenizer.pad_token_id).sum()


def test_the_command_writes_an_encoder_that_loads(tmp_path, capsys):
    words = ['--steps', '2', '--batch_size', '2', '--passages', '12', '--every', '1']
    small_encoder.main(['--output', str(tmp_path / 'new'), *words])
    assert capsys.readouterr().err.count('right') == 2  # a stage's last line each
    fresh = reader.init(CFG, jax.random.key(0))
    params = weights.load(tmp_path / 'new', CFG, fresh)
    for head in ('span', 'transform'):  # from which a reader starts, too
        assert params[head] is not fresh[head]
    changed = (
        params['encoder']['embed']['token']['embedding']
        - fresh['encoder']['embed']['token']['embedding']
    )
    assert np.abs(changed).max() > 0
    assert load_tokenizer(tmp_path / 'new').mask_token == '<mask>'


def test_the_package_holds_one(tokenizer):
    """Its row is what its ``config.json`` says, and its words are those of every language."""
    assert architecture_of(FOLDER) == CFG.architecture
    assert len(tokenizer) == CFG.vocabulary
    fresh = reader.init(CFG, jax.random.key(0))
    assert weights.load(FOLDER, CFG, fresh)['span'] is not fresh['span']
    for split, language in itertools.product(encyclopedia.SPLITS, telling.LANGUAGES):
        names = encyclopedia.names_of(7, split)
        article = encyclopedia.draw('1', names, random.Random(1))
        ids = tokenizer(telling.passage(article, language).text)['input_ids']
        assert tokenizer.unk_token_id not in ids, (split, language)
