"""Hugging Face checkpoints: the one table between their names and ours, both ways.

Owns names, axis orders and what ``config.json`` means in XLM-RoBERTa and BERT folders. Refuses to
know how files are read (``folders``), tokenizers (one is written beside the weights if it is handed
in) and devices: tensors here are numpy arrays on the host.
"""

import dataclasses
import functools
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np
import safetensors.numpy
from flax.traverse_util import flatten_dict, unflatten_dict

from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import new_folder
from xmrc_jax.model import lm_head, reader
from xmrc_jax.model.architectures import FAMILIES, OF_TOKENIZER, Architecture, EncoderConfig
from xmrc_jax.model.folders import config_of, tensors_of

_PREFIX = {'xlm-roberta': 'roberta.', 'bert': 'bert.'}
_CLASS = {'xlm-roberta': 'XLMRoberta', 'bert': 'Bert'}
_HEAD = 'qa_outputs'
_LAYER = 'encoder.layer.{}.'  # one tensor per layer there, one stacked array [N, ...] here

# Our module, Hugging Face's below the family's prefix, our name of its `weight`, that tensor's
# axes there. All but embeddings have a bias along the first axis. Torch's kernels are [out, in]:
# ours are their transposes, with the attention heads as an axis of their own.
_TABLE = (
    ('encoder/embed/token', 'embeddings.word_embeddings', 'embedding', 'vocabulary width'),
    ('encoder/embed/position', 'embeddings.position_embeddings', 'embedding', 'positions width'),
    ('encoder/embed/type', 'embeddings.token_type_embeddings', 'embedding', 'types width'),
    ('encoder/embed/norm', 'embeddings.LayerNorm', 'scale', 'width'),
    ('encoder/blocks/attention/query', _LAYER + 'attention.self.query', 'kernel', 'width width'),
    ('encoder/blocks/attention/key', _LAYER + 'attention.self.key', 'kernel', 'width width'),
    ('encoder/blocks/attention/value', _LAYER + 'attention.self.value', 'kernel', 'width width'),
    ('encoder/blocks/attention/out', _LAYER + 'attention.output.dense', 'kernel', 'width width'),
    ('encoder/blocks/attention_norm', _LAYER + 'attention.output.LayerNorm', 'scale', 'width'),
    ('encoder/blocks/up', _LAYER + 'intermediate.dense', 'kernel', 'mlp width'),
    ('encoder/blocks/down', _LAYER + 'output.dense', 'kernel', 'width mlp'),
    ('encoder/blocks/mlp_norm', _LAYER + 'output.LayerNorm', 'scale', 'width'),
    ('span', _HEAD, 'kernel', '2 width'),
)

# Parts of a checkpoint that no reader needs: pretraining heads, the pooler, index buffers; and the
# head of another task, of which the user is told.
_HARMLESS = re.compile(r'^(pooler|lm_head|cls)\.|^embeddings\.(position|token_type)_ids$')
_OTHER_HEAD = 'classifier.'

# Field -> config.json key: of the architecture, whose other fields follow from model_type, and of
# how it is computed, which is written for others and never read.
_ARCHITECTURE = {
    'vocabulary': 'vocab_size',
    'width': 'hidden_size',
    'layers': 'num_hidden_layers',
    'heads': 'num_attention_heads',
    'mlp': 'intermediate_size',
    'positions': 'max_position_embeddings',
    'types': 'type_vocab_size',
    'norm_eps': 'layer_norm_eps',
    'pad_id': 'pad_token_id',
}
_ONLY = {'hidden_act': 'gelu', 'position_embedding_type': 'absolute', 'is_decoder': False}
_COMPUTATION = {
    'dropout': 'hidden_dropout_prob',
    'attention_dropout': 'attention_probs_dropout_prob',
}
_DEFAULTS = {  # what the library takes where a config is silent
    'xlm-roberta': {'layer_norm_eps': 1e-12, 'pad_token_id': 1},
    'bert': {'layer_norm_eps': 1e-12, 'pad_token_id': 0},
}


def _rows(cfg: EncoderConfig):
    """Tensors of one encoder: our path, Hugging Face's names in layer order, their shape."""
    for path, module, leaf, axes in _TABLE:
        prefix = '' if module == _HEAD else _PREFIX[cfg.family]
        layers = range(cfg.layers) if module.startswith(_LAYER) else (0,)
        modules = [prefix + module.format(layer) for layer in layers]
        shape = tuple(2 if axis == '2' else getattr(cfg, axis) for axis in axes.split())
        yield f'{path}/{leaf}', [f'{module}.weight' for module in modules], shape
        if leaf != 'embedding':
            yield f'{path}/bias', [f'{module}.bias' for module in modules], shape[:1]


def _canonical(tensors: Mapping[str, np.ndarray], cfg: EncoderConfig) -> dict[str, np.ndarray]:
    """Tensors under the names of the question answering model, without the harmless extras."""
    prefix = _PREFIX[cfg.family]
    named = {}
    for name, tensor in tensors.items():
        name = name.removeprefix(prefix)
        if not (_HARMLESS.search(name) or name.startswith(_OTHER_HEAD)):
            # Checkpoints converted from TensorFlow call LayerNorm's weight gamma, its bias beta.
            name = name.replace('LayerNorm.gamma', 'LayerNorm.weight')
            name = name.replace('LayerNorm.beta', 'LayerNorm.bias')
            named[name if name.startswith(_HEAD) else prefix + name] = tensor
    return named


def _several(names: list[str]) -> str:
    more = f' and {len(names) - 6} more' if len(names) > 6 else ''
    return f'{", ".join(names[:6])}{more}'


def from_hf(tensors: Mapping[str, np.ndarray], cfg: EncoderConfig) -> dict:
    """Parameters of a Hugging Face checkpoint, bit for bit.

    Args:
      tensors: name -> array, of an encoder or a question answering model, with or without the
        ``roberta.`` / ``bert.`` prefix. Half precision is widened to float32.
      cfg: the encoder the checkpoint should be of.

    Returns:
      Nested dict as ``reader.init`` makes it; without ``span`` where the checkpoint has no head.

    Raises:
      UserError: tensors are missing, unused, of the wrong shape, NaN or infinite; all of them
        in one message.
    """
    tensors = _canonical(tensors, cfg)
    headless = not any(name.startswith(_HEAD) for name in tensors)
    rows = [row for row in _rows(cfg) if not (headless and row[0].startswith('span/'))]
    expected = {name: shape for _, names, shape in rows for name in names}
    problems = {
        'missing': [name for name in expected if name not in tensors],
        'unused': [name for name in tensors if name not in expected],
        'wrong shape': [
            f'{name} is {list(tensors[name].shape)}, not {list(shape)}'
            for name, shape in expected.items()
            if name in tensors and tensors[name].shape != shape
        ],
        'NaN or infinite': [
            name for name in expected if name in tensors and not np.isfinite(tensors[name]).all()
        ],
    }
    if any(problems.values()):
        found = '; '.join(f'{kind}: {_several(names)}' for kind, names in problems.items() if names)
        raise UserError(f'weights do not fit this {cfg.family} encoder: {found}')

    abstract = jax.eval_shape(functools.partial(reader.init, cfg), jax.random.key(0))
    shapes = {path: leaf.shape for path, leaf in flatten_dict(abstract, sep='/').items()}
    params = {}
    for path, names, _ in rows:
        arrays = [tensors[name].T if path.endswith('kernel') else tensors[name] for name in names]
        array = np.stack(arrays) if len(arrays) > 1 else arrays[0]
        params[path] = array.astype(np.float32, copy=False).reshape(shapes[path])
    return unflatten_dict(params, sep='/')


def to_hf(params: dict, cfg: EncoderConfig) -> dict[str, np.ndarray]:
    """The inverse of ``from_hf``: name -> float32 array of the question answering model."""
    arrays = flatten_dict(params, sep='/')
    tensors = {}
    for path, names, shape in _rows(cfg):
        kernel = path.endswith('kernel')
        array = np.asarray(arrays[path], np.float32)
        array = array.reshape(len(names), *(shape[::-1] if kernel else shape))
        for name, layer in zip(names, array, strict=True):
            tensors[name] = np.ascontiguousarray(layer.T if kernel else layer)
    return tensors


def architecture_of(source: Path | str) -> Architecture:
    """The architecture that the ``config.json`` of a folder or hub id describes.

    What the tokenizer decides is as the family's own tokenizer does it, save for the padding id.

    Raises:
      UserError: no such file, not JSON, impossible values, or an architecture other than BERT and
        XLM-RoBERTa.
    """
    path, config = config_of(source)
    family = config.get('model_type')
    if family not in FAMILIES:
        raise UserError(
            f'{path}: model_type {family!r} is none of {", ".join(FAMILIES)}; '
            'name the checkpoint of another encoder'
        )
    stated = {key: value for key, value in config.items() if value is not None}
    values = _DEFAULTS[family] | stated
    for key, only in _ONLY.items():
        if values.get(key, only) != only:
            raise UserError(f'{path}: {key} {values[key]!r} is not supported, only {only!r}')
    if missing := [key for key in _ARCHITECTURE.values() if key not in values]:
        raise UserError(f'{path}: lacks {", ".join(missing)}')
    sizes = {field: values[key] for field, key in _ARCHITECTURE.items()}
    for field, size in sizes.items():
        kind = float if field == 'norm_eps' else int
        least = 0 if field in ('norm_eps', 'pad_id') else 1
        if type(size) is not kind or size < least:
            wanted = f'must be an unquoted {kind.__name__} of at least {least}'
            raise UserError(f'{path}: {_ARCHITECTURE[field]} {size!r} {wanted}')
    tokens = {
        'first_position': sizes['pad_id'] + 1 if family == 'xlm-roberta' else 0,
        'passage_type': int(family == 'bert' and sizes['types'] > 1),
    }
    try:
        return Architecture(family=family, **sizes, **tokens)
    except UserError as error:
        raise UserError(f'{path}: {error}') from None


def load(source: Path | str, cfg: EncoderConfig, fresh_params: dict) -> dict:
    """Parameters from a Hugging Face checkpoint.

    Args:
      source: local folder, or hub id such as 'FacebookAI/xlm-roberta-base'.
      cfg: the checkpoint must be of its architecture; how it is computed is the caller's, what the
        tokenizer decides the tokenizer's.
      fresh_params: what ``reader.init`` gives; its span head is kept where the checkpoint has
        none, and a warning is logged. Without any (``{}``) there is no head then.

    Returns:
      Nested dict like ``fresh_params``; numpy float32 arrays where the checkpoint had them.

    Raises:
      UserError: nothing there, no network, unreadable, or the checkpoint of another model.
    """
    ours, theirs = (dataclasses.asdict(x) for x in (cfg.architecture, architecture_of(source)))
    wrong = [
        f'{field} is {theirs[field]}, not {ours[field]}'
        for field in ours
        if theirs[field] != ours[field] and field not in OF_TOKENIZER
    ]
    if wrong:
        raise UserError(
            f'{source}: checkpoint of another model: {"; ".join(wrong)}; '
            'with an empty model.name the encoder is as its config.json says'
        )
    tensors = tensors_of(source)
    try:
        params = from_hf(tensors, cfg)
    except UserError as error:
        remedy = 'fetch it again, or name another checkpoint'
        raise UserError(f'{source}: {error}; {remedy}') from None
    warn = logging.getLogger(__name__).warning
    if other := [name for name in tensors if name.startswith(_OTHER_HEAD)]:
        warn('%s: left out, as no reader needs them: %s', source, _several(other))
    if 'span' in fresh_params.keys() - params.keys():
        warn('%s has no span head: it starts fresh', source)
    return {**fresh_params, **params}


def load_lm_head(source: Path | str, cfg: EncoderConfig) -> dict | None:
    """The head that the encoder of a checkpoint was pretrained with; None where it has none.

    Raises:
      UserError: as ``load``, or half of one is there.
    """
    try:
        return lm_head.from_hf(tensors_of(source), cfg)
    except UserError as error:
        raise UserError(f'{source}: {error}') from None


def save(folder: Path | str, params: dict, cfg: EncoderConfig, *beside) -> None:
    """Writes, whole or not at all, a folder for ``AutoModelForQuestionAnswering``.

    Args:
      folder: where to; must not exist, or be empty.
      params: nested dict of arrays as ``reader.init`` makes it.
      cfg: the configuration they belong to.
      *beside: what is written beside the weights by its own ``save_pretrained``, as a tokenizer is.

    Raises:
      UserError: the folder is not empty or cannot be written.
    """
    config = {
        'architectures': [f'{_CLASS[cfg.family]}ForQuestionAnswering'],
        'model_type': cfg.family,
        'hidden_act': 'gelu',
        'dtype': 'float32',
        **{key: getattr(cfg, field) for field, key in (_ARCHITECTURE | _COMPUTATION).items()},
    }
    with new_folder(Path(folder)) as part:
        (part / 'config.json').write_text(json.dumps(config, indent=2) + '\n')
        weights = to_hf(params, cfg)
        safetensors.numpy.save_file(weights, part / 'model.safetensors', {'format': 'pt'})
        for each in beside:
            each.save_pretrained(part)
