"""Packed windows are read as padded ones are: values, gradients, dropout, empty places."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xmrc_jax.model import packing, reader

L = 20


def packed(length_B, groups, spare):
    """token_GP of windows of these lengths, with as many empty places in the fullest group."""
    mask_GN = (np.arange(L) < length_B[:, None]).reshape(groups, -1)
    places = mask_GN.sum(axis=1).max() + spare
    token_GP = np.full((groups, places), mask_GN.shape[1], np.int32)
    for tokens_P, mask_N in zip(token_GP, mask_GN, strict=True):
        tokens_P[: mask_N.sum()] = np.flatnonzero(mask_N)
    return token_GP


@pytest.fixture(scope='module')
def outcome():
    """Reading and gradient of the sum of its cubes over real tokens."""

    def cubes(params, cfg, ids_BL, length_B, passage_B2, key, token_GP):
        reading = reader.apply(params, cfg, ids_BL, length_B, passage_B2, key, token_GP)
        real_BL = jnp.arange(L)[None] < length_B[:, None]
        start_BL, end_BL, hidden_BLD = reading
        reading = (start_BL * real_BL, end_BL * real_BL, hidden_BLD * real_BL[..., None])
        return sum((x**3).sum() for x in reading), reading

    return jax.jit(jax.value_and_grad(cubes, has_aux=True), static_argnums=1)


@pytest.mark.parametrize('seed', [None, 5], ids=['evaluation', 'dropout'])
@pytest.mark.parametrize(('groups', 'spare'), [(1, 0), (1, 7), (2, 3), (4, 0)])
def test_packing_changes_neither_reading_nor_gradient(
    groups, spare, seed, cfg, params, batch, outcome
):
    key = None if seed is None else jax.random.key(seed)
    (_, padded), padded_grads = outcome(params, cfg, *batch, key, None)
    token_GP = packed(batch[1], groups, spare)
    assert token_GP.size < batch[0].size or groups == 4
    (_, reading), grads = outcome(params, cfg, *batch, key, token_GP)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), reading, padded)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * jnp.abs(b).max() + 1e-4),
        grads,
        padded_grads,
    )
    if seed is not None:  # and there was something to drop
        (_, still), _ = outcome(params, cfg, *batch, None, token_GP)
        assert jnp.abs(still[0] - reading[0]).max() > 0.01


def test_what_the_encoder_multiplies_are_places(cfg, params, batch):
    """No product of the blocks' matrices runs over B x L = 80 tokens: all run over 60 places."""
    cfg = dataclasses.replace(cfg, dropout=0.0, attention_dropout=0.0)
    text = str(
        jax.make_jaxpr(lambda token_GP: reader.apply(params, cfg, *batch, token_GP=token_GP))(
            packed(batch[1], 1, 0)
        )
    )
    assert batch[1].sum() == 60
    assert f'f32[1,60,{cfg.mlp}]' in text
    assert f'f32[4,20,{cfg.mlp}]' not in text


def test_pack_and_unpack_are_inverse_and_empty_is_zero():
    length_B = np.array([2, 0, 3, 1])
    mask_BL = np.arange(4) < length_B[:, None]
    x_BLD = jnp.arange(1.0, 33.0).reshape(4, 4, 2)
    token_GP = np.array([[0, 1, 8, 8, 8], [0, 1, 2, 4, 8]], np.int32)  # 8 = two windows of 4
    layout = packing.layout(jnp.asarray(mask_BL), token_GP)
    x_GPD = layout.pack(x_BLD)
    np.testing.assert_array_equal(x_GPD[0, :, 0], [1, 3, 0, 0, 0])
    np.testing.assert_array_equal(x_GPD[1, :, 0], [17, 19, 21, 25, 0])
    np.testing.assert_array_equal(layout.unpack(x_GPD), np.where(mask_BL[..., None], x_BLD, 0))
    # Of the 16 tokens of the batch; empty places have numbers, too, but nobody reads them.
    assert layout.number_GP[1, :4].tolist() == [8, 9, 10, 12]
