"""``config.json`` of Hugging Face's folders: what it says of an encoder, and what is written.

Owns which values are refused. Each family's keys are those of ``keys``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model.architectures import RATES, Architecture, EncoderConfig, Rates
from xmrc_jax.model.config_values import MOST, epsilon, names, whole
from xmrc_jax.model.design import Design
from xmrc_jax.model.families import FAMILIES
from xmrc_jax.model.folders import config_of
from xmrc_jax.model.keys import KEYS, OLDER, TYPES

_FROM_0 = ('types', 'pad_id')  # sizes that may be 0
_LAYERS = 1000  # at most; each has names of its own


def architecture_of(source: Path | str) -> Architecture:
    """The architecture that the ``config.json`` of a folder or hub id describes.

    What the tokenizer decides is as the family's own tokenizer does it, save for the padding id.

    Raises:
      UserError: no such file, not JSON, impossible values, or an architecture that is not known.
    """
    return _architecture(*config_of(source))


def pretrained(source: Path | str) -> tuple[Architecture, Rates]:
    """The architecture, and the dropout rates that the file says, or the family's.

    Raises:
      UserError: as ``architecture_of``, or a rate that is none.
    """
    path, values = config_of(source)
    return _architecture(path, values), _rates(path, values)


def _architecture(path: Path, values: Mapping[str, Any]) -> Architecture:
    family = _family(path, values)
    keys = KEYS[family]
    values = {OLDER.get(key, key): value for key, value in values.items() if value is not None}
    values = keys.silent | values
    for key, only in keys.only.items():
        if values.get(key, only) != only:
            raise UserError(f'{path}: {key} {values[key]!r} is not supported, only {only!r}')
    if missing := [key for key in keys.sizes.values() if key not in values]:
        raise UserError(f'{path}: lacks {", ".join(missing)}')
    learned = keys.design.positions == 'learned'
    try:
        names(values, 'architectures')
        sizes = {'types': 0} | {
            field: _size(values, field, key) for field, key in keys.sizes.items()
        }
        sizes |= keys.derived(values)
        if learned and not sizes['types'] and 'types' in keys.sizes:
            whole(values, keys.sizes['types'], 1)
        return Architecture(
            family=family,
            **sizes,
            first_position=sizes['pad_id'] + 1 if family.startswith('xlm-roberta') else 0,
            passage_type=int(family in ('bert', 'rembert') and sizes['types'] > 1),
            design=Design(**vars(keys.design) | keys.read(values)),
        )
    except UserError as error:
        raise UserError(f'{path}: {error}') from None


def _size(values: Mapping[str, Any], field: str, key: str) -> int | float:
    if field == 'norm_eps':
        return epsilon(values, key)
    return whole(values, key, int(field not in _FROM_0), _LAYERS if field == 'layers' else MOST)


def _rates(path: Path, values: Mapping[str, Any]) -> Rates:
    family = _family(path, values)
    rates = []
    for key, silent in zip(KEYS[family].rates, RATES[family], strict=True):
        rate = silent if values.get(key) is None else values[key]
        if type(rate) not in (int, float) or not 0 <= rate < 1:
            raise UserError(f'{path}: {key} {rate!r} must be a number of at least 0 and below 1')
        rates.append(float(rate))
    return Rates(*rates)


def reads_spans(source: Path | str, family: str) -> bool:
    """Whether a head called ``classifier`` is a span head there; ModernBERT has others, too."""
    modules = FAMILIES[family].modules
    classes = names(config_of(source)[1], 'architectures') or ['ForQuestionAnswering']
    return modules['span'] == 'classifier' and classes[0].endswith('ForQuestionAnswering')


def described(cfg: EncoderConfig) -> dict[str, Any]:
    """The ``config.json`` of an encoder with a span head; the library has no such class of GTE."""
    keys, classes = KEYS[cfg.family], FAMILIES[cfg.family].classes
    kind = {'gte': 'Model', 'xlm': 'ForQuestionAnsweringSimple'}
    return {
        'architectures': [classes + kind.get(cfg.family, 'ForQuestionAnswering')],
        'model_type': cfg.family,
        'hidden_act': 'gelu',
        'dtype': 'float32',
        **{key: getattr(cfg, field) for field, key in keys.sizes.items()},
        **dict(zip(keys.rates, (cfg.dropout, cfg.attention_dropout), strict=True)),
        **keys.written(cfg),
    }


def _family(path: Path, values: Mapping[str, Any]) -> str:
    family = values.get('model_type')
    if not isinstance(family, str) or family not in TYPES:
        raise UserError(
            f'{path}: model_type {family!r} is none of {", ".join(TYPES)}; '
            'name the checkpoint of another encoder'
        )
    return TYPES[family]
