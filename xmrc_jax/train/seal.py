"""The seal of a finished folder: the size and sha256 of every file in it.

It is written last. So a folder without one was not finished, and a file that was cut, lost or
changed afterwards, by a bit, is found before anything of it is used.
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_json, write_json

SEAL = 'seal.json'


def seal(folder: Path) -> None:
    """Seals a folder as it is; UserError where the seal cannot be written."""
    write_json(folder / SEAL, {name: _mark(path) for name, path in _files(folder)})


def damage(folder: Path, below: str | tuple[str, ...] = '') -> str:
    """What is wrong with a sealed folder, or below some folders of it, in words; '' for nothing."""
    if not (folder / SEAL).exists():
        return 'it was never finished (no seal)'
    try:
        marks = {name: m for name, m in read_json(folder / SEAL).items() if name.startswith(below)}
    except (UserError, AttributeError):
        return f'{SEAL} cannot be read'
    if not marks:
        return f'{SEAL} names no file'
    try:
        found = {name: path for name, path in _files(folder) if name.startswith(below)}
        if missing := sorted(marks.keys() - found.keys()):
            return f'{missing[0]} is missing'
        if strange := sorted(found.keys() - marks.keys()):
            return f'{strange[0]} does not belong there'
        for name, (size, _) in marks.items():
            if found[name].stat().st_size != size:
                return f'{name} has {found[name].stat().st_size} bytes, not {size}'
        with ThreadPoolExecutor() as pool:
            for name, mark in zip(found, pool.map(_mark, found.values()), strict=True):
                if mark != marks[name]:
                    return f'{name} has other content'
    except (OSError, ValueError, TypeError) as error:
        return str(error)
    return ''


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob('*')):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != SEAL:
            yield name, path


def _mark(path: Path) -> list:
    with path.open('rb') as file:
        return [path.stat().st_size, hashlib.file_digest(file, 'sha256').hexdigest()]
