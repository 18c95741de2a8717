"""Marks on tokens: at zero they change nothing, and each row goes to its own tokens."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xmrc_jax.model import reader
from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig
from xmrc_jax.model.design import Design
from xmrc_jax.model.marks import ROWS, added, marked


@pytest.fixture(scope='module')
def cfg():
    tiny = EncoderConfig.of(ENCODERS['tiny'], PLAIN)
    return dataclasses.replace(
        tiny, vocabulary=40, width=16, mlp=32, heads=2, layers=2, dropout=0.0, attention_dropout=0.0
    )


@pytest.fixture(scope='module')
def params(cfg):
    return reader.init(cfg, jax.random.key(0))


IDS_BL = np.random.default_rng(0).integers(4, 40, (3, 12))
LENGTH_B = np.array([12, 10, 7])
PASSAGE_B2 = np.array([[4, 11], [3, 9], [2, 6]])
MARK_B2 = np.array([[5, 8], [3, 3], [-1, -1]])
WINDOWS = IDS_BL, LENGTH_B, PASSAGE_B2
# The windows of 12, 10 and 7 tokens in two rows: the second and third share one.
TOKEN_1RP = np.full((1, 2, 20), 36)
TOKEN_1RP[0, 0, :12] = np.arange(12)
TOKEN_1RP[0, 1, :17] = [*range(12, 22), *range(24, 31)]


@pytest.mark.parametrize('token_GRP', [None, TOKEN_1RP])
def test_with_zero_rows_a_second_pass_equals_the_first(token_GRP, cfg, params):
    plain = reader.apply(params, cfg, *WINDOWS, None, token_GRP)
    for mark_B2 in (MARK_B2, None):
        second = reader.apply(marked(params), cfg, *WINDOWS, None, token_GRP, mark_B2)
        for ours, expected in zip(second, plain, strict=True):
            np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize('token_GRP', [None, TOKEN_1RP])
def test_rows_that_say_something_change_what_is_marked_and_are_trained(token_GRP, cfg, params):
    grown = marked(params)
    grown['marks']['embedding'] += jax.random.normal(jax.random.key(1), (ROWS, cfg.width))
    plain = reader.apply(params, cfg, *WINDOWS, None, token_GRP).start_logits_BL

    def total(params):
        start_logits_BL = reader.apply(params, cfg, *WINDOWS, None, token_GRP, MARK_B2)[0]
        return jnp.sum(start_logits_BL**2), start_logits_BL

    (_, second), gradient = jax.value_and_grad(total, has_aux=True)(grown)
    assert np.abs(second - plain)[0].max() > 1e-4
    np.testing.assert_array_equal(second[2], plain[2])  # nothing is marked there
    assert (np.abs(gradient['marks']['embedding']).max(axis=1) > 0).all()


def test_marks_are_as_wide_as_what_they_are_added_to(cfg):
    """RemBERT's embeddings are narrower than hidden vectors."""
    narrow = dataclasses.replace(cfg, design=Design(embedding=6))
    found = jax.eval_shape(marked, reader.abstract(narrow))
    assert found['marks']['embedding'].shape == (ROWS, 6)
    windows = *WINDOWS, None, None, MARK_B2
    read = jax.eval_shape(lambda params: reader.apply(params, narrow, *windows), found)
    assert read.hidden_BLD.shape == (3, 12, cfg.width)


def test_what_is_added_is_that_of_a_loop():
    marks = {'embedding': np.random.default_rng(1).normal(size=(ROWS, 4)).astype(np.float32)}
    expected_BLD = np.zeros((3, 12, 4), np.float32)
    for row, (start, end) in enumerate(MARK_B2.tolist()):
        for token in range(max(start, 0), end + 1):
            kinds = [token == start, start < token < end, token == end]
            expected_BLD[row, token] = sum(np.where(kinds, marks['embedding'].T, 0).T)
    np.testing.assert_allclose(added(marks, MARK_B2, 12), expected_BLD, rtol=1e-6)
