"""Frozen dataclasses as values of a configuration: nested leaves in, nested leaves out.

A value's fields are leaves, or values again: of a section of their own, or, as a ``part``, of some
leaves of the section they stand in, so that two rooms can share a section. No field has a default:
every leaf is a field and every field a leaf, or ``build`` says which is not.

A field's metadata says what a leaf means to whoever compares two runs; what is said of a section
holds for all that is in it:

* ``where=True``: the leaf says where or how a run computes, not what;
* ``late=True``: nothing that is computed before the second stage depends on it;
* ``before``: the value under which a run computed what it computed before there was such a leaf;
* ``section``: the name of a section, where that is not the field's;
* ``at_least``, ``above``, ``at_most``, ``below``: the bounds of a number, or of each of several;
* ``also``: a number that is allowed beyond them;
* ``one_of``: the names of which the leaf is one, or has some.
"""

import difflib
import math
import operator
from collections.abc import Iterator, Mapping
from dataclasses import Field, field, fields, is_dataclass
from types import UnionType
from typing import Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from xmrc_jax.ground.choices import require
from xmrc_jax.ground.errors import UserError

Value = TypeVar('Value')

BOUNDS = {
    'at_least': operator.ge,
    'above': operator.gt,
    'at_most': operator.le,
    'below': operator.lt,
}


def leaf(**metadata) -> Any:
    """A field of which more is known than its type; see the module for the names."""
    return field(metadata=metadata)


def part() -> Any:
    """A field that holds some leaves of the section it stands in, as a value of their own."""
    return field(metadata={'section': ''})


class Leaf(NamedTuple):
    """One leaf of a value, and what is known of it."""

    value: Any
    metadata: Mapping[str, Any]


def leaves(value) -> dict[str, Leaf]:
    """All leaves of a value by their paths, such as 'train.peak_lr'."""
    return dict(_leaves(value, '', {}))


def _leaves(value, path: str, inherited: Mapping[str, Any]) -> Iterator[tuple[str, Leaf]]:
    for each in fields(value):
        inner, metadata = getattr(value, each.name), inherited | dict(each.metadata)
        if is_dataclass(inner):
            yield from _leaves(inner, _inside(path, each), metadata)
        else:
            yield path + each.name, Leaf(inner, metadata)


def plain(value) -> dict[str, Any]:
    """The nested leaves of a value as JSON knows them; what ``build`` makes of them is equal."""
    nested: dict[str, Any] = {}
    for path, (content, _) in leaves(value).items():
        *sections, name = path.split('.')
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = list(content) if isinstance(content, tuple) else content
    return nested


def build(kind: type[Value], nested: Mapping[str, Any], *, stored: bool = False) -> Value:
    """A value from nested leaves, where a list may stand for a tuple and an int for a float.

    ``stored`` says that they may be older than some leaf: ``before`` stands for a missing one.

    Raises:
      UserError: a leaf is missing, unknown, of another type, out of its bounds or none of its
        choices; or the value refuses what it says.

    Example:
      >>> from dataclasses import make_dataclass
      >>> Size = make_dataclass('Size', [('tokens', int)])
      >>> Data = make_dataclass('Data', [('root', str), ('size', Size, part())])
      >>> build(Data, {'root': '', 'tokens': 3})
      Data(root='', size=Size(tokens=3))
    """
    given = dict(flat(nested))
    value = _built(kind, given, '', stored)
    known = leaves(value)
    for path in given:
        if path not in known:
            raise UserError(f'{path}: no such leaf{nearest(path, known)}')
    return value


def nearest(path: str, known: Mapping[str, Any]) -> str:
    """'; did you mean ...?', where a name is like one that there is, else ''."""
    close = difflib.get_close_matches(path, known, n=1)
    return f'; did you mean {close[0]}?' if close else ''


def flat(nested: Mapping[str, Any], path: str = '') -> Iterator[tuple[str, Any]]:
    """The paths and contents of nested leaves."""
    for name, content in nested.items():
        if isinstance(content, Mapping):
            yield from flat(content, f'{path}{name}.')
        else:
            yield path + name, content


def _built(kind: type[Value], given: Mapping[str, Any], path: str, stored: bool) -> Value:
    types, contents = get_type_hints(kind), {}
    for each in fields(kind):
        if is_dataclass(types[each.name]):
            contents[each.name] = _built(types[each.name], given, _inside(path, each), stored)
            continue
        name = path + each.name
        if name in given:
            contents[each.name] = _allowed(
                _typed(given[name], types[each.name], name), each.metadata, name
            )
        elif stored and 'before' in each.metadata:
            contents[each.name] = each.metadata['before']
        else:
            raise UserError(f'{name}: the configuration lacks this leaf')
    return kind(**contents)


def _inside(path: str, each: Field) -> str:
    """The path of what a section holds: 'train.', or that of the section a part stands in."""
    section = each.metadata.get('section', each.name)
    return f'{path}{section}.' if section else path


def _typed(content, kind, path: str):
    """The content as its field has it; a field may be ``kind | None``."""
    if get_origin(kind) is UnionType:
        return None if content is None else _typed(content, get_args(kind)[0], path)
    if get_origin(kind) is tuple and isinstance(content, list | tuple):
        return tuple(_typed(each, get_args(kind)[0], path) for each in content)
    if kind is float and type(content) is int:
        return float(content)
    if type(content) is not kind:
        expected = getattr(kind, '__name__', kind)
        raise UserError(f'{path}: {content!r} is no {expected}')
    return content


def _allowed(content, metadata: Mapping[str, Any], path: str):
    """The content, if each of its names is among those of its field, and each of its numbers finite
    and within the bounds."""
    several = content if isinstance(content, tuple) else (content,)
    if 'one_of' in metadata:
        for name in several:
            require(metadata['one_of'], name, path)
    bounds = {name: metadata[name] for name in BOUNDS if name in metadata}
    for number in several:
        if isinstance(number, str | None) or number == metadata.get('also', math.nan):
            continue
        finite = -math.inf < number < math.inf  # integers of any size too
        if finite and all(BOUNDS[name](number, bound) for name, bound in bounds.items()):
            continue
        allowed = ['finite'] * (not finite)
        allowed += [f'{name.replace("_", " ")} {bound}' for name, bound in bounds.items()]
        also = f', or {metadata["also"]}' if 'also' in metadata else ''
        raise UserError(f'{path}={number}: must be {" and ".join(allowed)}{also}')
    return content
