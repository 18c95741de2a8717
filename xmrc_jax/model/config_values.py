"""Values of a ``config.json``, each of the kind that its key asks for, or refused by name."""

import math
from collections.abc import Collection, Mapping
from typing import Any

from xmrc_jax.ground.errors import UserError

Values = Mapping[str, Any]

MOST = 2**24  # of anything; more than any encoder has, and little enough that shapes are told


def whole(values: Values, key: str, least: int, most: int = MOST) -> int:
    """A count; UserError for anything else."""
    found = values.get(key)
    if type(found) is not int or not least <= found <= most:
        beyond = f' and at most {most}' if type(found) is int and found > most else ''
        raise UserError(f'{key} {found!r} must be an unquoted int of at least {least}{beyond}')
    return found


def epsilon(values: Values, key: str) -> float:
    """What a norm adds to a variance; UserError for anything else."""
    found = values.get(key)
    if type(found) is not float or not 0 <= found < 1:
        raise UserError(f'{key} {found!r} must be an unquoted float of at least 0 and below 1')
    return found


def number(values: Values, key: str) -> float:
    """A finite number above 0; UserError for anything else."""
    found = values.get(key)
    if type(found) not in (int, float) or not 0 < found < math.inf:
        raise UserError(f'{key} {found!r} must be an unquoted number above 0')
    return float(found)


def section(values: Values, key: str, known: Collection[str] | None = None) -> Values:
    """An object, empty where there is none; UserError for anything else.

    Args:
      values: where it is.
      key: its name.
      known: the keys that may be in it, unless they are null; None: any.
    """
    found = values.get(key) or {}
    if not isinstance(found, Mapping):
        raise UserError(f'{key} {found!r} must be an object')
    for name, value in found.items():
        if known is not None and name not in known and value is not None:
            raise UserError(f'{name} {value!r} of {key} is not supported, only {", ".join(known)}')
    return found


def names(values: Values, key: str) -> list[str]:
    """A list of texts, empty where there is none; UserError for anything else."""
    found = values.get(key) or []
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise UserError(f'{key} {found!r} must be a list of texts')
    return found
