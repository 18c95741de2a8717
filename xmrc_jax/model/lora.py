"""Adapters of low rank beside the linear layers of blocks, and what they come to.

A layer with an adapter computes x W + (x A) B, where W is not trained: LoRA (Hu et al. 2021), whose
factor alpha / rank is 1 here, the learning rate being free. A starts at random, B at zero, so that
training starts at W. Everywhere but in training a reader has the sums W + A B.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from xmrc_jax.model.architectures import EncoderConfig


class Linear(nnx.LinearGeneral):
    """A linear layer of an encoder, with an adapter where that has a rank for it."""

    def __init__(self, cfg: EncoderConfig, inputs, outputs, *, rngs: nnx.Rngs, **own):
        super().__init__(inputs, outputs, dtype=jnp.dtype(cfg.dtype), rngs=rngs, **own)
        self.has_adapter, rank = cfg.lora_rank > 0, cfg.lora_rank
        if self.has_adapter:
            normal = jax.random.normal(rngs.params(), (*self.in_features, rank))
            self.lora_a = nnx.Param(normal / math.sqrt(math.prod(self.in_features)))
            self.lora_b = nnx.Param(jnp.zeros((rank, *self.out_features)))

    def __call__(self, x):
        y = super().__call__(x)
        if not self.has_adapter:
            return y
        low = jnp.tensordot(x, self.lora_a[...].astype(y.dtype), len(self.in_features))
        return y + jnp.tensordot(low, self.lora_b[...].astype(y.dtype), 1)


def beside(blocks: dict, adapters: dict) -> dict:
    """Blocks whose layers have these adapters."""
    return blocks | {
        name: beside(blocks[name], own) if isinstance(own, dict) else own
        for name, own in adapters.items()
    }


def of_blocks(blocks: dict) -> dict:
    """The adapters of blocks that have some, the inverse of ``beside``."""
    inner = {name: of_blocks(own) for name, own in blocks.items() if isinstance(own, dict)}
    return {name: own for name, own in inner.items() if own} | {
        name: own for name, own in blocks.items() if name in ('lora_a', 'lora_b')
    }


@jax.jit
def merged(blocks: dict, adapters: dict) -> dict:
    """Blocks, or some of their parameters, with W + A B for each W; adapters may be of the last
    layers alone. The sum is taken in float32."""
    found = dict(blocks)
    for name in blocks.keys() & adapters.keys():
        own = adapters[name]
        if 'lora_a' not in own:
            found[name] = merged(blocks[name], own)
        elif 'kernel' in blocks[name]:
            a, b, kernel = own['lora_a'], own['lora_b'], blocks[name]['kernel']
            product = jax.vmap(lambda a, b: jnp.tensordot(a, b, 1, precision='highest'))(a, b)
            found[name] = blocks[name] | {'kernel': kernel.at[-len(a) :].add(product)}
    return found
