"""The masked language model's head of an encoder, tied to its token table; Hugging Face's names.

A linear layer, GELU in its erf form and a LayerNorm give a vector whose products with the rows of
the token table, plus a bias for each, are the logits. Given a table of some rows alone, these are
the logits of those rows.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.model.block import NORMAL
from xmrc_jax.model.families import of_torch

# By family: what is before the layer's name, the norm's name, and the bias of the rows.
_NAMES = {
    'xlm-roberta': ('lm_head.', 'layer_norm', 'lm_head.bias'),
    'bert': ('cls.predictions.transform.', 'LayerNorm', 'cls.predictions.bias'),
}


def init(cfg: EncoderConfig, key: jax.Array) -> dict:
    """A fresh head, drawn as the encoder's layers are. Traceable."""
    D = cfg.width
    return {
        'dense': {'kernel': NORMAL(key, (D, D), jnp.float32), 'bias': jnp.zeros(D)},
        'norm': {'scale': jnp.ones(D), 'bias': jnp.zeros(D)},
        'bias': jnp.zeros(cfg.vocabulary),
    }


def apply(params: dict, cfg: EncoderConfig, hidden: jax.Array, table_VD: jax.Array) -> jax.Array:
    """Logits of the rows of a table, float32 [..., V].

    Args:
      params: as ``init`` makes them, with a bias for each row of the table.
      cfg: of the encoder.
      hidden: vectors of its last layer, [..., D].
      table_VD: its token table, or some rows of it.
    """
    dtype = jnp.dtype(cfg.dtype)
    dense, norm = params['dense'], params['norm']
    hidden = jnp.dot(hidden.astype(dtype), dense['kernel'].astype(dtype))
    hidden = jax.nn.gelu(_plus(hidden.astype(jnp.float32), dense['bias']), approximate=False)
    hidden -= hidden.mean(axis=-1, keepdims=True)
    hidden *= jax.lax.rsqrt(jnp.square(hidden).mean(axis=-1, keepdims=True) + cfg.norm_eps)
    scale = jnp.expand_dims(norm['scale'], range(hidden.ndim - 1))
    hidden = _plus(hidden * scale, norm['bias'])
    logits = jnp.dot(
        hidden.astype(dtype), table_VD.T.astype(dtype), preferred_element_type=jnp.float32
    )
    return _plus(logits, params['bias'])


def _plus(x: jax.Array, bias: jax.Array) -> jax.Array:
    return x + jnp.expand_dims(bias, range(x.ndim - 1))


def from_hf(tensors: Mapping[str, np.ndarray], cfg: EncoderConfig) -> dict | None:
    """The head of a Hugging Face checkpoint, bit for bit; None where it has none of this form.

    Raises:
      UserError: it has a part of one, or one of other sizes.
    """
    if cfg.family not in _NAMES:
        return None
    layer, norm, bias = _NAMES[cfg.family]
    tensors = {of_torch(name): tensor for name, tensor in tensors.items()}
    D, names = cfg.width, {}
    names[f'{layer}dense.weight'], names[f'{layer}dense.bias'] = (D, D), (D,)
    names[f'{layer}{norm}.weight'] = names[f'{layer}{norm}.bias'] = (D,)
    names[bias] = (cfg.vocabulary,)
    if not names.keys() & tensors.keys():
        return None
    if wrong := [
        name for name, shape in names.items() if name not in tensors or tensors[name].shape != shape
    ]:
        raise UserError(f'language model head: missing or of another size: {", ".join(wrong)}')
    dense, dense_bias, scale, norm_bias, rows = (np.float32(tensors[name]) for name in names)
    return {
        'dense': {'kernel': np.ascontiguousarray(dense.T), 'bias': dense_bias},
        'norm': {'scale': scale, 'bias': norm_bias},
        'bias': rows,
    }
