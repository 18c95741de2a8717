"""The fingerprint of parameters: it tells which reader gave the answers that are kept."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
from transformers import PreTrainedTokenizerFast

from xmrc_jax.answers.parts import Binding
from xmrc_jax.data.tokenizer import tokenizer_hash
from xmrc_jax.data.windows import Windows
from xmrc_jax.ground.hashing import mixed


def binding(params, tokenizer: PreTrainedTokenizerFast, windows: Windows) -> Binding:
    """What a reader's answers to the questions of some windows are bound to."""
    return Binding(
        checkpoint=fingerprint(params), tokenizer=tokenizer_hash(tokenizer), text=windows.key
    )


def fingerprint(params) -> str:
    """sha256 over the values of all parameters, wherever they lie.

    Computed on the devices, each over what it holds: the words of a leaf are mixed with their place
    and added up modulo 2**32, twice. Sums of integers do not depend on how a leaf is split.
    """
    digest = hashlib.sha256()
    for path, sums in jax.tree_util.tree_leaves_with_path(jax.tree.map(_sums, params)):
        digest.update(jax.tree_util.keystr(path).encode() + np.asarray(sums).tobytes())
    return digest.hexdigest()


@jax.jit
def _sums(leaf: jax.Array) -> jax.Array:
    """Two sums of a float32 array of any shape: uint32 [2]."""
    word = jax.lax.bitcast_convert_type(leaf, jnp.uint32)
    place = jnp.zeros(leaf.shape, jnp.uint32)
    for axis, size in enumerate(leaf.shape):
        place = place * np.uint32(size) + jax.lax.broadcasted_iota(jnp.uint32, leaf.shape, axis)
    seeds = (0x9E3779B9, 0x7F4A7C15)
    return jnp.stack(
        [mixed(word ^ mixed(place + np.uint32(seed))).sum(dtype=jnp.uint32) for seed in seeds]
    )
