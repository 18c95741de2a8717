"""One pretrained encoder for all tests of the room."""

import dataclasses

import jax
import pytest

from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig


@pytest.fixture
def bert(tokenizer, tmp_path):
    """A BERT with a tokenizer like XLM-R's, as a Hugging Face folder."""
    mminilm = dataclasses.replace(ENCODERS['mminilm'], vocabulary=400, width=24, layers=1, mlp=8)
    cfg = EncoderConfig.of(mminilm, PLAIN)
    params = reader.init(cfg, jax.random.key(0))
    weights.save(tmp_path / 'bert', params, dataclasses.replace(cfg, pad_id=0), tokenizer)
    return tmp_path / 'bert'
