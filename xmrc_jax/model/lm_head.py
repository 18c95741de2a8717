"""The masked language model's head of an encoder; Hugging Face's names.

A linear layer, GELU in its erf form and a LayerNorm give a vector whose products with the rows of
the token table, plus a bias for each, are the logits; XLM's are those of the encoder's own vector.
Given a table of some rows alone, these are the logits of those rows. A head whose decoder is not
tied to the token table has a table of its own.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.model.block import NORMAL
from xmrc_jax.model.families import FAMILIES, canonical, is_of_head, of_torch


class Names(NamedTuple):
    """Of the linear layer, the norm, the decoder and its bias; '' for what a head has not.

    The bias of a decoder that is not tied is its own, whatever is called ``bias``.
    """

    dense: str
    norm: str
    decoder: str
    bias: str


_ROBERTA = Names('lm_head.dense', 'lm_head.layer_norm', 'lm_head.decoder', 'lm_head.bias')
_BERT = Names(
    'cls.predictions.transform.dense',
    'cls.predictions.transform.LayerNorm',
    'cls.predictions.decoder',
    'cls.predictions.bias',
)
_GTE = Names('lm_head.dense', 'lm_head.norm', 'lm_head.decoder', 'lm_head.decoder.bias')
_DEBERTA = 'lm_predictions.lm_head.'  # its authors'
_NAMES = {  # by family; of those of which a checkpoint has something, the one it lacks the least of
    'xlm-roberta': [_ROBERTA],
    'bert': [_BERT],
    'xlm-roberta-xl': [_ROBERTA],
    'gte': [_GTE, _GTE._replace(norm='lm_head.layer_norm')],  # the library's ``state_dict``
    'deberta-v2': [_BERT, Names(f'{_DEBERTA}dense', f'{_DEBERTA}LayerNorm', '', f'{_DEBERTA}bias')],
    'modernbert': [Names('head.dense', 'head.norm', 'decoder', 'decoder.bias')],
    'rembert': [
        Names('cls.predictions.dense', 'cls.predictions.LayerNorm', _BERT.decoder, _BERT.bias)
    ],
    'xlm': [Names('', '', 'pred_layer.proj', 'pred_layer.proj.bias')],
}


def init(cfg: EncoderConfig, key: jax.Array) -> dict:
    """A fresh head, drawn as the encoder's layers are. Traceable."""
    D, given, rows = cfg.width, cfg.embedding_width, {'bias': jnp.zeros(cfg.vocabulary)}
    if not _NAMES[cfg.family][0].dense:
        return rows
    return rows | {
        'dense': {'kernel': NORMAL(key, (D, given), jnp.float32), 'bias': jnp.zeros(given)},
        'norm': {'scale': jnp.ones(given), 'bias': jnp.zeros(given)},
    }


def apply(params: dict, cfg: EncoderConfig, hidden: jax.Array, table_VD: jax.Array) -> jax.Array:
    """Logits of the rows of a table, float32 [..., V].

    Args:
      params: as ``init`` or ``from_hf`` makes them, with a bias for each row of the table.
      cfg: of the encoder.
      hidden: vectors of its last layer, [..., D].
      table_VD: its token table, or some rows of it; a head with a table of its own takes that.
    """
    dtype = jnp.dtype(cfg.dtype)
    if 'dense' in params:
        dense, norm = params['dense'], params['norm']
        hidden = jnp.dot(hidden.astype(dtype), dense['kernel'].astype(dtype))
        hidden = jax.nn.gelu(_plus(hidden.astype(jnp.float32), dense['bias']), approximate=False)
        hidden -= hidden.mean(axis=-1, keepdims=True)
        hidden *= jax.lax.rsqrt(jnp.square(hidden).mean(axis=-1, keepdims=True) + cfg.norm_eps)
        scale = jnp.expand_dims(norm['scale'], range(hidden.ndim - 1))
        hidden = _plus(hidden * scale, norm['bias'])
    table_DV = params.get('table', table_VD).T.astype(dtype)
    logits = jnp.dot(hidden.astype(dtype), table_DV, preferred_element_type=jnp.float32)
    return _plus(logits, params['bias'])


def _plus(x: jax.Array, bias: jax.Array) -> jax.Array:
    return x + jnp.expand_dims(bias, range(x.ndim - 1))


def of_rows(params: dict, rows_U: np.ndarray) -> dict:
    """The head of some rows alone, which ``apply`` takes with those rows of the token table."""
    own = {name: params[name][rows_U] for name in ('bias', 'table') if name in params}
    return params | own


def from_hf(tensors: Mapping[str, np.ndarray], cfg: EncoderConfig) -> dict | None:
    """The head of a Hugging Face checkpoint, bit for bit; None where it has none of this form.

    A decoder whose weight is not the token table's is not tied, whatever ``config.json`` says, as
    the library has it too, and gives a ``table``. Biases that the family's layers have none of
    start at zero. A layer that the reader has too, as ModernBERT's, alone makes no head.

    Raises:
      UserError: it has a part of one, or one of other sizes, or NaN or infinite.
    """
    tensors = {of_torch(name): tensor for name, tensor in tensors.items()}
    forms = [_expected(names, tensors, cfg) for names in _NAMES[cfg.family]]
    forms = [form for form in forms if _alone(form, cfg) & tensors.keys()]
    if not forms:
        return None
    expected = min(forms, key=lambda form: len(form.keys() - tensors.keys()))
    if wrong := [
        name
        for name, (_, shape) in expected.items()
        if name not in tensors or tensors[name].shape != shape
    ]:
        raise UserError(f'language model head: missing or of another size: {", ".join(wrong)}')
    if wrong := [name for name in expected if not np.isfinite(tensors[name]).all()]:
        raise UserError(f'language model head: NaN or infinite: {", ".join(wrong)}')
    zero = {
        path: np.zeros(leaf.shape, np.float32)
        for path, leaf in flatten_dict(_abstract(cfg), sep='/').items()
    }
    found = {path: np.float32(tensors[name]) for name, (path, _) in expected.items()}
    if 'dense/kernel' in found:
        found['dense/kernel'] = np.ascontiguousarray(found['dense/kernel'].T)
    return unflatten_dict(zero | found, sep='/')


def _abstract(cfg: EncoderConfig) -> dict:
    return jax.eval_shape(lambda: init(cfg, jax.random.key(0)))


def _expected(
    names: Names, tensors: Mapping[str, np.ndarray], cfg: EncoderConfig
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Their names -> our path, and the shape there."""
    V, D, given, design = cfg.vocabulary, cfg.width, cfg.embedding_width, cfg.design
    weight, bias = (f'{names.decoder}.{leaf}' for leaf in ('weight', 'bias'))
    found = {bias if bias in tensors else names.bias: ('bias', (V,))}
    if weight in tensors and not np.array_equal(tensors[weight], _token_table(tensors, cfg)):
        given = tensors[weight].shape[-1]
        found[weight] = 'table', (V, given)
    if names.dense:
        found[f'{names.dense}.weight'] = 'dense/kernel', (given, D)
        found[f'{names.norm}.weight'] = 'norm/scale', (given,)
    if names.dense and (design.head == 'linear' or design.head_bias):
        found[f'{names.dense}.bias'] = 'dense/bias', (given,)
    if names.norm and design.norm_bias:
        found[f'{names.norm}.bias'] = 'norm/bias', (given,)
    return found


def _alone(expected: Iterable[str], cfg: EncoderConfig) -> set[str]:
    """Those names that no reader has."""
    return {name for name in expected if not is_of_head(name, FAMILIES[cfg.family])}


def _token_table(tensors: Mapping[str, np.ndarray], cfg: EncoderConfig) -> np.ndarray | None:
    family = FAMILIES[cfg.family]
    token = f'{family.prefixes[0]}{family.modules["encoder/embed/token"]}.weight'
    return next((x for name, x in tensors.items() if canonical(name, family) == token), None)
