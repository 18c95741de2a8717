"""Adapters beside linear layers: what they compute, and their sums."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.tiny import BERT
from xmrc_jax.model import lora
from xmrc_jax.model.architectures import PLAIN, EncoderConfig

CFG = dataclasses.replace(EncoderConfig.of(BERT, PLAIN), lora_rank=2)


@pytest.mark.parametrize(
    ('inputs', 'outputs', 'axis', 'product'),
    [
        (6, (2, 4), -1, 'bi,iha->bha'),
        ((2, 4), 6, (-2, -1), 'bha,had->bd'),
    ],
)
def test_a_layer_starts_as_without_its_adapter_and_adds_it(inputs, outputs, axis, product):
    layer = lora.Linear(CFG, inputs, outputs, axis=axis, rngs=nnx.Rngs(0))
    ins, outs = layer.in_features, layer.out_features
    assert (layer.lora_a.shape, layer.lora_b.shape) == ((*ins, 2), (2, *outs))
    x = jax.random.normal(jax.random.key(1), (3, *ins))
    start = np.einsum(product, x, layer.kernel[...])
    np.testing.assert_allclose(layer(x), start, atol=1e-5)
    layer.lora_b[...] = jax.random.normal(jax.random.key(2), (2, *outs))
    added = np.tensordot(layer.lora_a[...], layer.lora_b[...], 1)
    np.testing.assert_allclose(layer(x), start + np.einsum(product, x, added), atol=1e-5)
    assert np.abs(layer(x) - start).max() > 0.1


def test_sums_are_taken_of_the_last_layers_and_nowhere_else():
    blocks = {
        'up': {'kernel': jnp.ones((3, 2, 4)), 'bias': jnp.ones((3, 4))},
        'attention': {'out': {'kernel': jnp.ones((3, 2, 1, 2))}},
    }
    a, b = jnp.arange(4.0).reshape(1, 2, 2), jnp.arange(8.0).reshape(1, 2, 4)
    adapters = {
        'up': {'lora_a': a, 'lora_b': b},
        'attention': {'out': {'lora_a': a.reshape(1, 2, 1, 2), 'lora_b': b[..., :2]}},
    }
    with_them = lora.beside(blocks, adapters)
    assert with_them['up'].keys() == {'kernel', 'bias', 'lora_a', 'lora_b'}
    jax.tree.map(np.testing.assert_array_equal, lora.of_blocks(with_them), adapters)
    found = lora.merged(blocks, adapters)
    assert jax.tree.structure(found) == jax.tree.structure(blocks)
    np.testing.assert_array_equal(found['up']['bias'], blocks['up']['bias'])
    np.testing.assert_array_equal(found['up']['kernel'][:2], 1)
    np.testing.assert_array_equal(found['up']['kernel'][2], 1 + a[0] @ b[0])
    out = found['attention']['out']['kernel']
    np.testing.assert_array_equal(out[2, :, 0], 1 + a[0] @ b[0, :, :2])
    alone = lora.merged({'up': {'kernel': blocks['up']['kernel']}}, adapters)
    np.testing.assert_array_equal(alone['up']['kernel'], found['up']['kernel'])
