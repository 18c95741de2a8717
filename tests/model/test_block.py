"""A block: which layers look where, and where dropout acts."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.tiny import GTE, MODERNBERT, XLMR
from xmrc_jax.model import block, design, packing
from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig

TOKENS = 20


@pytest.fixture
def rows() -> block.Rows:
    layout = packing.layout(jnp.ones((1, TOKENS), bool), None)
    return block.Rows(layout, layout.same_RPM)


def made(architecture, **changes) -> block.Block:
    cfg = dataclasses.replace(EncoderConfig.of(architecture, PLAIN), **changes)
    return block.Block(cfg, rngs=nnx.Rngs(0))


def test_every_third_layer_of_mmbert_looks_everywhere():
    cfg = EncoderConfig.of(ENCODERS['mmbert_base'], PLAIN)
    layer = block.Layer.of(cfg)
    assert np.flatnonzero(layer.reach_N == 8192).tolist() == [0, 3, 6, 9, 12, 15, 18, 21]
    assert set(layer.reach_N.tolist()) == {64, 8192}
    assert layer.frequency_NC.shape == (22, 32)


def test_bases_are_those_of_the_kind_of_a_layer():
    other = dataclasses.replace(MODERNBERT.design, theta=16.0, local_theta=81.0)
    cfg = dataclasses.replace(EncoderConfig.of(MODERNBERT, PLAIN), design=other)
    # Heads of width 8: the second pair turns by the fourth root of the base.
    np.testing.assert_allclose(block.Layer.of(cfg).frequency_NC[:, 1], [1 / 2, 1 / 3, 1 / 2])


def test_an_encoder_whose_layers_are_alike_has_nothing_to_scan():
    assert block.Layer.of(EncoderConfig.of(XLMR, PLAIN)) == (None, None)


def test_a_local_layer_sees_as_far_as_it_reaches_and_no_farther(rows, key):
    own = made(MODERNBERT)
    cfg = own.cfg
    x_RPD = jax.random.normal(key, (1, TOKENS, cfg.width))

    def seen(layer, moved):
        """Places whose output changes with the vector of one."""
        read = [
            own(block.Stream(x, x), rows, layer).read_RPD
            for x in (x_RPD, x_RPD.at[:, moved].add(1.0))
        ]
        return np.flatnonzero(jnp.abs(read[0] - read[1]).max(axis=(0, 2)) > 1e-7).tolist()

    first, second, _ = (
        jax.tree.map(lambda x, n=n: x[n], block.Layer.of(cfg)) for n in range(cfg.layers)
    )
    assert seen(first, 10) == list(range(TOKENS))
    assert seen(second, 10) == [7, 8, 9, 10, 11, 12, 13]  # three to either side
    assert seen(second, 0) == [0, 1, 2, 3]


def test_only_pre_norm_carries_what_is_not_normalised(rows, key):
    x_RPD = jax.random.normal(key, (1, TOKENS, 32))
    after = made(XLMR)(block.Stream(x_RPD, None), rows, block.Layer(None, None))
    assert after.sum_RPD is None
    np.testing.assert_allclose(after.read_RPD.mean(axis=-1), 0, atol=1e-6)
    pre = made(XLMR, design=design.PRE_NORM)(
        block.Stream(x_RPD, x_RPD), rows, block.Layer(None, None)
    )
    normalised = (pre.sum_RPD - pre.sum_RPD.mean(axis=-1, keepdims=True)) / pre.sum_RPD.std(
        axis=-1, keepdims=True
    )
    np.testing.assert_allclose(pre.read_RPD, normalised, atol=1e-4)


@pytest.mark.parametrize('site', ['inner_dropout', 'output_dropout'])
def test_hidden_dropout_acts_where_the_design_says(site, rows, key):
    """One site at a time against none, with the same draws elsewhere."""
    stream = block.Stream(jax.random.normal(key, (1, TOKENS, 32)), None)
    layer = jax.tree.map(lambda x: x[0], block.Layer.of(EncoderConfig.of(GTE, PLAIN)))
    none = dataclasses.replace(GTE.design, inner_dropout=False, output_dropout=False)
    some = dataclasses.replace(none, **{site: True})
    with_none, with_some = (
        made(GTE, design=each, dropout=0.5, attention_dropout=0.0)(stream, rows, layer, key)
        for each in (none, some)
    )
    assert jnp.abs(with_none.read_RPD - with_some.read_RPD).max() > 1e-3
