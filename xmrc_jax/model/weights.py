"""Hugging Face checkpoints: reading, writing, and the one table between their names and ours.

Owns names, axis orders and ``config.json`` of XLM-RoBERTa and BERT folders. Refuses to know
tokenizers (one is written beside the weights if it is handed in) and devices: tensors here are
numpy arrays on the host. PyTorch is needed only to read checkpoints that exist as ``.bin``.
"""

import dataclasses
import functools
import json
import logging
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import huggingface_hub
import jax
import numpy as np
import safetensors.numpy
from flax.traverse_util import flatten_dict, unflatten_dict

from xmrc_jax.ground.errors import UserError, first_line
from xmrc_jax.ground.files import replacing
from xmrc_jax.model import reader
from xmrc_jax.model.architectures import FAMILIES, Architecture, EncoderConfig

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

# Parts of a checkpoint that no reader needs: pretraining heads, the pooler, index buffers.
_HARMLESS = re.compile(r'^(pooler|lm_head|cls)\.|^embeddings\.(position|token_type)_ids$')

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
_COMPUTATION = {
    'dropout': 'hidden_dropout_prob',
    'attention_dropout': 'attention_probs_dropout_prob',
}
_FILES = (  # whole or in shards; the first kind that is there is read
    ('model.safetensors', 'model-*-of-*.safetensors'),
    ('pytorch_model.bin', 'pytorch_model-*-of-*.bin'),
)


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
        if not _HARMLESS.search(name):
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
      UserError: tensors are missing, unused or of the wrong shape; all of them in one message.
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


def architecture_of(folder: Path | str) -> Architecture:
    """The architecture that a Hugging Face folder's ``config.json`` describes.

    Raises:
      UserError: no such file, not JSON, or an architecture other than BERT and XLM-RoBERTa.
    """
    path = _folder(folder) / 'config.json'
    try:
        config = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise UserError(f'{path}: cannot be read as JSON ({error})') from None
    family = config.get('model_type') if isinstance(config, dict) else None
    if family not in FAMILIES:
        raise UserError(f'{path}: model_type {family!r} is none of {", ".join(FAMILIES)}')
    for key, only in (('hidden_act', 'gelu'), ('position_embedding_type', 'absolute')):
        if config.get(key, only) != only:
            raise UserError(f'{path}: {key} {config[key]!r} is not supported, only {only!r}')
    missing = [key for key in _ARCHITECTURE.values() if config.get(key) is None]
    if missing:
        raise UserError(f'{path}: lacks {", ".join(missing)}')
    sizes = {field: config[key] for field, key in _ARCHITECTURE.items()}
    first_position = sizes['pad_id'] + 1 if family == 'xlm-roberta' else 0
    return Architecture(family=family, first_position=first_position, **sizes)


def load(source: Path | str, cfg: EncoderConfig, fresh_params: dict) -> dict:
    """Parameters from a Hugging Face checkpoint.

    Args:
      source: local folder, or hub id such as 'FacebookAI/xlm-roberta-base'.
      cfg: the checkpoint must be of its architecture; how it is computed is the caller's.
      fresh_params: what ``reader.init`` gives; its span head is kept where the checkpoint has
        none, and a warning is logged. Without any (``{}``) there is no head then.

    Returns:
      Nested dict like ``fresh_params``; numpy float32 arrays where the checkpoint had them.

    Raises:
      UserError: nothing there, no network, unreadable, or the checkpoint of another model.
    """
    folder = _folder(source)
    ours, theirs = (dataclasses.asdict(x) for x in (cfg.architecture, architecture_of(folder)))
    wrong = [
        f'{field} is {theirs[field]}, not {ours[field]}'
        for field in ours
        if theirs[field] != ours[field]
    ]
    if wrong:
        raise UserError(f'{source}: checkpoint of another model: {"; ".join(wrong)}')
    paths = _weight_files(folder)
    if not paths:
        raise UserError(f'{source}: holds neither model.safetensors nor pytorch_model.bin')
    try:
        tensors = {name: tensor for path in paths for name, tensor in _read(path).items()}
        params = from_hf(tensors, cfg)
    except UserError as error:
        raise UserError(f'{source}: {error}') from None
    if 'span' in fresh_params.keys() - params.keys():
        logging.getLogger(__name__).warning('%s has no span head: it starts fresh', source)
    return {**fresh_params, **params}


def save(folder: Path | str, params: dict, cfg: EncoderConfig, *beside) -> None:
    """Writes, whole or not at all, a folder for ``AutoModelForQuestionAnswering``.

    Args:
      folder: where to; must not exist, or be empty.
      params: nested dict of arrays as ``reader.init`` makes it.
      cfg: the configuration they belong to.
      *beside: what is written beside the weights by its own ``save_pretrained``: a tokenizer.

    Raises:
      UserError: the folder is not empty or cannot be written.
    """
    folder = Path(folder).absolute()
    config = {
        'architectures': [f'{_CLASS[cfg.family]}ForQuestionAnswering'],
        'model_type': cfg.family,
        'hidden_act': 'gelu',
        'dtype': 'float32',
        **{key: getattr(cfg, field) for field, key in (_ARCHITECTURE | _COMPUTATION).items()},
    }
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f'{folder}: exists already; name a new or empty folder')
        with replacing(folder) as part:
            part.mkdir()
            (part / 'config.json').write_text(json.dumps(config, indent=2) + '\n')
            weights = to_hf(params, cfg)
            safetensors.numpy.save_file(weights, part / 'model.safetensors', {'format': 'pt'})
            for each in beside:
                each.save_pretrained(part)
    except OSError as error:
        raise UserError(f'{folder}: cannot be written ({error.strerror or error})') from None


def _folder(source: Path | str) -> Path:
    """The local folder itself, or the cached copy of the hub's files that are needed."""
    if Path(source).is_dir():
        return Path(source)
    try:
        for patterns in _FILES:
            wanted = ['config.json', *patterns]
            folder = Path(huggingface_hub.snapshot_download(str(source), allow_patterns=wanted))
            if _weight_files(folder):
                break
    except (OSError, ValueError) as error:
        reason = first_line(error)
        raise UserError(f'{source}: neither a folder here nor on the hub ({reason})') from None
    return folder


def _weight_files(folder: Path) -> list[Path]:
    found = (sorted(p for pattern in kind for p in folder.glob(pattern)) for kind in _FILES)
    return next(filter(None, found), [])


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        if path.suffix == '.safetensors':
            return safetensors.numpy.load_file(path)
        import torch

        # Files from before torch 1.6 are no zip archives and cannot be memory-mapped.
        mmap = zipfile.is_zipfile(path)
        tensors = torch.load(path, map_location='cpu', weights_only=True, mmap=mmap)
        return {name: tensor.float().numpy() for name, tensor in tensors.items()}
    except ImportError:
        raise UserError(
            f'{path.name} needs PyTorch: pip install torch, or convert it to safetensors'
        ) from None
    except Exception as error:  # torch raises whatever its unpickler stumbles over
        raise UserError(f'{path.name} cannot be read ({first_line(error)})') from None
