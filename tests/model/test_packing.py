"""Windows that share rows are read as padded ones are: values, gradients, dropout, empty places."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xmrc_jax.model import packing, reader

L = 20

# token_GRP of windows of 20, 13, 7 and 20 tokens, as lists of (window of its group, tokens) by row.
ROWS = {
    'one row': [[[(0, 20), (1, 13), (2, 7), (3, 20)]]],
    'two rows': [[[(3, 20), (1, 13)], [(2, 7), (0, 20)]]],
    'two groups': [[[(0, 20), (1, 13)]], [[(1, 20), (0, 7)]]],
    'two groups of two rows': [[[(1, 13)], [(0, 20)]], [[(1, 20)], [(0, 7)]]],
}


def packed(groups, P):
    size = 4 // len(groups) * L
    token_GRP = np.full((len(groups), len(groups[0]), P), size, np.int32)
    for g, rows in enumerate(groups):
        for r, row in enumerate(rows):
            tokens = [window * L + i for window, length in row for i in range(length)]
            token_GRP[g, r, : len(tokens)] = tokens
    return token_GRP


@pytest.fixture(scope='module')
def outcome():
    """Reading and gradient of the sum of its cubes over real tokens."""

    def cubes(params, cfg, ids_BL, length_B, passage_B2, key, token_GRP):
        reading = reader.apply(params, cfg, ids_BL, length_B, passage_B2, key, token_GRP)
        real_BL = jnp.arange(L)[None] < length_B[:, None]
        start_BL, end_BL, hidden_BLD = reading
        reading = (start_BL * real_BL, end_BL * real_BL, hidden_BLD * real_BL[..., None])
        return sum((x**3).sum() for x in reading), reading

    return jax.jit(jax.value_and_grad(cubes, has_aux=True), static_argnums=1)


@pytest.mark.parametrize('seed', [None, 5], ids=['evaluation', 'dropout'])
@pytest.mark.parametrize('rows', ROWS)
def test_packing_changes_neither_reading_nor_gradient(rows, seed, cfg, params, batch, outcome):
    key = None if seed is None else jax.random.key(seed)
    (_, padded), padded_grads = outcome(params, cfg, *batch, key, None)
    longest = max(sum(n for _, n in row) for group in ROWS[rows] for row in group)
    token_GRP = packed(ROWS[rows], longest + 3)
    (_, reading), grads = outcome(params, cfg, *batch, key, token_GRP)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), reading, padded)
    for each in (grads, padded_grads):
        # A bias of all keys moves no softmax: its gradient is 0, and what is here is rounding.
        key_projection = each['encoder']['blocks']['attention']['key']
        noise = jnp.abs(key_projection.pop('bias')).max()
        assert noise < 1e-5 * jnp.abs(key_projection['kernel']).max()
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * jnp.abs(b).max() + 1e-4),
        grads,
        padded_grads,
    )
    if seed is not None:  # and there was something to drop
        (_, still), _ = outcome(params, cfg, *batch, None, token_GRP)
        assert jnp.abs(still[0] - reading[0]).max() > 0.01


@pytest.mark.parametrize('cfg', ['modernbert', 'deberta-v2'], indirect=True, scope='session')
def test_positions_and_dropout_count_inside_a_window(cfg, params, batch, apply):
    """Rotary, local and disentangled; gradients take the way that is tested above."""
    key = jax.random.key(5)
    padded = apply(params, cfg, *batch, key)
    together = apply(params, cfg, *batch, key, packed(ROWS['two rows'], 36))
    real_BL = np.arange(L)[None] < batch[1][:, None]
    for one, other in zip(together[:2], padded[:2], strict=True):
        np.testing.assert_allclose(one[real_BL], other[real_BL], atol=1e-4)


def test_what_the_encoder_multiplies_are_places(cfg, params, batch):
    """No product of the blocks runs over B x L = 80 tokens: all run over 2 x 33 places."""
    cfg = dataclasses.replace(cfg, dropout=0.0, attention_dropout=0.0)
    text = str(
        jax.make_jaxpr(lambda token_GRP: reader.apply(params, cfg, *batch, token_GRP=token_GRP))(
            packed(ROWS['two rows'], 33)
        )
    )
    assert f'f32[2,33,{cfg.mlp}]' in text
    assert f'f32[4,20,{cfg.mlp}]' not in text


def test_pack_and_unpack_are_inverse_and_empty_is_zero():
    length_B = np.array([2, 0, 3, 1])
    mask_BL = np.arange(4) < length_B[:, None]
    x_BLD = jnp.arange(1.0, 33.0).reshape(4, 4, 2)
    token_GRP = np.array([[[0, 1, 8], [8, 8, 8]], [[4, 8, 8], [0, 1, 2]]], np.int32)  # 8 = empty
    layout = packing.layout(jnp.asarray(mask_BL), token_GRP)
    x_RPD = layout.pack(x_BLD)
    # Windows begin with 1, 9, 17 and 25.
    np.testing.assert_array_equal(x_RPD[..., 0], [[1, 3, 0], [0, 0, 0], [25, 0, 0], [17, 19, 21]])
    np.testing.assert_array_equal(layout.unpack(x_RPD, 4), np.where(mask_BL[..., None], x_BLD, 0))
    assert layout.window_RP.tolist() == [[0, 0, -1], [-1, -1, -1], [3, -1, -1], [2, 2, 2]]
    assert layout.position_RP[3].tolist() == [0, 1, 2]
    assert layout.number_RP[3].tolist() == [8, 9, 10]  # of the 16 tokens of the batch
