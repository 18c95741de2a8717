"""Hugging Face checkpoints: their tensors and our parameters, both ways, bit for bit.

Names are those of ``families``, and ``config_json`` says what an encoder is. Refuses to know how
files are read (``folders``), tokenizers (one is written beside the weights if it is handed in) and
devices: tensors here are numpy arrays on the host.
"""

import json
import logging
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from flax.traverse_util import flatten_dict, unflatten_dict

from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import new_folder
from xmrc_jax.model import lm_head
from xmrc_jax.model.architectures import OF_TOKENIZER, EncoderConfig
from xmrc_jax.model.config_json import architecture_of, described, reads_spans
from xmrc_jax.model.families import FAMILIES, OTHER_HEAD, Part, canonical, is_of_head, tensors
from xmrc_jax.model.folders import tensors_of


def _several(names: list[str]) -> str:
    more = f' and {len(names) - 6} more' if len(names) > 6 else ''
    return f'{", ".join(names[:6])}{more}'


def from_hf(hf_tensors: Mapping[str, np.ndarray], cfg: EncoderConfig) -> dict:
    """Parameters of a Hugging Face checkpoint, bit for bit.

    Args:
      hf_tensors: name -> array, of an encoder, a masked language model or a question answering
        model, with or without the family's prefix. Other precision becomes float32.
      cfg: the encoder the checkpoint should be of.

    Returns:
      Nested dict as ``reader.init`` makes it; without ``span`` where the checkpoint has no head.

    Raises:
      UserError: tensors are missing, unused, there twice, of the wrong shape, no real numbers, NaN
        or infinite; all of them in one message.
    """
    family = FAMILIES[cfg.family]
    names = {name: ours for name in hf_tensors if (ours := canonical(name, family))}
    found = {ours: hf_tensors[name] for name, ours in names.items()}
    parts = _without_missing_heads(tensors(cfg, found), found)
    expected = {name: _shape(own) for name, own in parts.items()}
    if problems := _problems(names, found, expected):
        raise UserError(f'weights do not fit this {cfg.family} encoder: {"; ".join(problems)}')

    layers: dict[str, list[np.ndarray]] = {}
    for name, own in parts.items():
        ends = np.cumsum([part.theirs[0] for part in own])[:-1]
        for part, tensor in zip(own, np.split(found[name], ends), strict=True):
            array = tensor.T if part.path.endswith('/kernel') else tensor
            array = array.astype(np.float32, copy=False).reshape(part.shape)
            layers.setdefault(part.path, []).append(array)
    stacked = {part.path for own in parts.values() for part in own if part.layer is not None}
    return unflatten_dict(
        {
            path: np.stack(arrays) if path in stacked else arrays[0]
            for path, arrays in layers.items()
        },
        sep='/',
    )


def _problems(
    names: dict[str, str], found: dict[str, np.ndarray], expected: dict[str, tuple[int, ...]]
) -> list[str]:
    """All that is wrong with the tensors of a checkpoint, a line for each kind.

    Args:
      names: of those that a reader may need -> theirs in the model.
      found: they themselves, by the latter.
      expected: the shapes of those that it does need.
    """
    known = {name: found[name] for name in expected if name in found}
    real = {name: x for name, x in known.items() if jnp.issubdtype(x.dtype, jnp.floating)}
    with np.errstate(over='ignore'):  # float64 reaches further than float32
        finite = {
            name: np.isfinite(x.astype(np.float32, copy=False)).all() for name, x in real.items()
        }
    kinds = {
        'missing': [name for name in expected if name not in found],
        'unused': [name for name in found if name not in expected],
        'under two names': [name for name, count in Counter(names.values()).items() if count > 1],
        'wrong shape': [
            f'{name} is {list(x.shape)}, not {list(expected[name])}'
            for name, x in known.items()
            if x.shape != expected[name]
        ],
        'no real numbers': [
            f'{name} holds {x.dtype}' for name, x in known.items() if name not in real
        ],
        'NaN or infinite': [name for name in real if not finite[name]],
    }
    return [f'{kind}: {_several(wrong)}' for kind, wrong in kinds.items() if wrong]


def _shape(parts: list[Part]) -> tuple[int, ...]:
    """Of the tensor in which they lie end to end."""
    return (sum(part.theirs[0] for part in parts), *parts[0].theirs[1:])


def _without_missing_heads(parts: dict[str, list[Part]], found) -> dict[str, list[Part]]:
    """What a checkpoint may be asked for: the span layer, and what is before it, may start fresh.

    Half a head is no head, and a span layer needs what it was trained behind.
    """
    absent: set[str] = set()
    for head in ('span/', 'transform/'):
        names = {name for name, (part, *_) in parts.items() if part.path.startswith(head)}
        if names & found.keys():
            break
        absent |= names
    return {name: own for name, own in parts.items() if name not in absent}


def to_hf(params: dict, cfg: EncoderConfig) -> dict[str, np.ndarray]:
    """The inverse of ``from_hf``: name -> float32 array of the question answering model."""
    arrays = {path: np.asarray(x, np.float32) for path, x in flatten_dict(params, sep='/').items()}

    def theirs(part: Part) -> np.ndarray:
        array = arrays[part.path] if part.layer is None else arrays[part.path][part.layer]
        kernel = part.path.endswith('/kernel')
        return array.reshape(part.theirs[::-1]).T if kernel else array.reshape(part.theirs)

    def joined(own: list[Part]) -> np.ndarray:
        arrays = [theirs(part) for part in own]
        # Files hold what lies in memory, and transposed arrays are joined the other way round.
        return np.ascontiguousarray(arrays[0] if len(arrays) == 1 else np.concatenate(arrays))

    return {name: joined(own) for name, own in tensors(cfg).items()}


def load(source: Path | str, cfg: EncoderConfig, fresh_params: dict) -> dict:
    """Parameters from a Hugging Face checkpoint.

    Args:
      source: local folder, or hub id such as 'FacebookAI/xlm-roberta-base'.
      cfg: the checkpoint must be of its architecture; how it is computed is the caller's, what the
        tokenizer decides the tokenizer's.
      fresh_params: what ``reader.init`` or ``reader.head`` gives; its span head is kept where the
        checkpoint has none, and a warning is logged. Without any (``{}``) there is no head then.

    Returns:
      Nested dict of a reader's parameters; numpy float32 arrays where the checkpoint had them.

    Raises:
      UserError: nothing there, no network, unreadable, or the checkpoint of another model.
    """
    ours, theirs = (
        vars(each) | vars(each.design) for each in (cfg.architecture, architecture_of(source))
    )
    wrong = [
        f'{field} is {theirs[field]}, not {ours[field]}'
        for field in ours
        if theirs[field] != ours[field] and field not in (*OF_TOKENIZER, 'design')
    ]
    if wrong:
        raise UserError(
            f'{source}: checkpoint of another model: {"; ".join(wrong)}; '
            'with an empty model.name the encoder is as its config.json says'
        )
    hf_tensors = tensors_of(source)
    other = [name for name in hf_tensors if name.startswith(OTHER_HEAD)]
    if reads_spans(source, cfg.family):
        other = [name for name in other if not is_of_head(name, FAMILIES[cfg.family])]
    try:
        params = from_hf({k: v for k, v in hf_tensors.items() if k not in other}, cfg)
    except UserError as error:
        remedy = 'fetch it again, or name another checkpoint'
        raise UserError(f'{source}: {error}; {remedy}') from None
    warn = logging.getLogger(__name__).warning
    if other:
        warn('%s: left out, as no reader needs them: %s', source, _several(other))
    if 'span' in fresh_params.keys() - params.keys():
        warn('%s has no span head: it starts fresh', source)
    if 'transform' in fresh_params.keys() - params.keys():
        warn('%s has no head.dense and head.norm before the span head: they start fresh', source)
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
    with new_folder(Path(folder)) as part:
        (part / 'config.json').write_text(json.dumps(described(cfg), indent=2) + '\n')
        file = part / 'model.safetensors'
        safetensors.numpy.save_file(to_hf(params, cfg), file, {'format': 'pt'})
        shutil.copymode(part / 'config.json', file)  # the library makes it its owner's alone
        for each in beside:
            each.save_pretrained(part)
