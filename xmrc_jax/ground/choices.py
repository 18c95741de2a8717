"""Choosing from a table by a name that a user wrote."""

from collections.abc import Collection, Mapping
from typing import TypeVar

from xmrc_jax.ground.errors import UserError

Choice = TypeVar('Choice')


def choose(table: Mapping[str, Choice], name: str, field: str) -> Choice:
    """The entry called ``name``; a name that is not in the table is the user's to mend.

    Raises:
      UserError: it names the field, as the user knows it, and the choices.

    Example:
      >>> choose({'divide': 0.1, 'multiply': 10.0}, 'multiply', 'tau')
      10.0
    """
    require(table, name, field)
    return table[name]


def require(names: Collection[str], name: str, field: str) -> None:
    """Raises as ``choose`` where ``name`` is none of ``names``."""
    if name not in names:
        raise UserError(f'{field}: unknown choice {name!r}; choose from {", ".join(names)}')
