"""Encoders against PyTorch by its own call of the tokenizer, before and after export."""

import dataclasses
import json
import os

import numpy as np
import pytest

pytest.importorskip('torch')

from benchmarks import encoders, parity
from xmrc_jax.data import squad
from xmrc_jax.model import weights
from xmrc_jax.recipe.encoders import fed_by


@pytest.fixture
def minilm(tokenizer, tmp_path):
    """A small BERT as the hub has the multilingual MiniLMs: a tokenizer like XLM-R's, padding 0."""
    cfg = parity.random_config('bert', np.random.default_rng(0))
    cfg = dataclasses.replace(cfg, vocabulary=len(tokenizer) + 35, positions=120, layers=3)
    params = parity.random_params(cfg, 0)
    types_2D = params['encoder']['embed']['type']['embedding']
    assert np.abs(types_2D[0] - types_2D[1]).max() > 0.1
    weights.save(tmp_path / 'minilm', params, cfg, tokenizer)
    config = json.loads((tmp_path / 'minilm' / 'config.json').read_text())
    assert (config['type_vocab_size'], config['pad_token_id']) == (2, 0)
    assert tokenizer.pad_token_id == 1
    return tmp_path / 'minilm'


def test_a_bert_with_xlm_r_s_tokenizer_reads_as_in_torch(minilm, squad_file, tmp_path):
    questions = squad.read(squad_file).questions
    found = encoders.compared(minilm, questions, tmp_path / 'scratch')
    assert list(found) == ['before export', 'after export']
    for apart in found.values():
        assert 0 < apart.single < 1e-5 * apart.largest
        assert 0 < apart.double < 1e-5 * apart.largest
    exported = json.loads((tmp_path / 'scratch' / 'after' / 'config.json').read_text())
    assert exported['pad_token_id'] == 1  # the tokenizer's


def test_with_types_that_the_tokenizer_does_not_write_it_would_not(
    minilm, squad_file, tmp_path, monkeypatch
):
    def typed(tokenizer, cfg):
        return dataclasses.replace(fed_by(tokenizer, cfg), passage_type=1)

    monkeypatch.setattr(encoders, 'fed_by', typed)
    questions = squad.read(squad_file).questions
    for apart in encoders.compared(minilm, questions, tmp_path / 'scratch').values():
        assert apart.single > 0.01 * apart.largest


def test_the_command_prints_a_real_encoder_s_parity(real_data, capsys):
    folder = os.environ.get('XMRC_ENCODER')
    if not folder:
        pytest.skip('no real encoder here: set XMRC_ENCODER to a Hugging Face folder')
    encoders.main([folder, str(real_data / 'xquad/xquad.hi.json'), '--questions', '2'])
    rows = [line.split('|')[1:-1] for line in capsys.readouterr().out.splitlines()[4:]]
    assert [row[0].strip() for row in rows] == ['before export', 'after export']
    for _, *numbers in rows:
        largest, single, double, _ = map(float, numbers)
        assert 0 < single < 1e-5 * largest
        assert 0 < double < 1e-5 * largest
