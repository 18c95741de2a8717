"""Files that appear whole or not at all, and what only one process may do at a time.

A run may be killed at any moment; whatever it leaves under its final name is complete.
"""

import codecs
import fcntl
import gzip
import json
import os
import secrets
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from xmrc_jax.ground.errors import UserError

POINTER = b'version https://git-lfs.github.com/'  # how a pointer of Git LFS begins
GZIP = b'\x1f\x8b'  # how what it has packed begins


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary sibling that becomes ``path`` when the block ends, and vanishes when it fails.

    The block writes a file or makes a folder, which may take the place of an empty one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f'.{path.name}.{secrets.token_hex(4)}'  # of a name that may be '.'
    try:
        yield part
        os.replace(part, path)
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        with suppress(OSError):
            part.unlink()


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill that becomes ``folder`` when the block ends, and vanishes when it fails.

    Raises:
      UserError: there is something in its place already, or it cannot be written.
    """
    folder = folder.absolute()
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f'{folder}: exists already; name a new or empty folder')
        with replacing(folder) as part:
            part.mkdir()
            yield part
    except OSError as error:
        raise UserError(f'{folder}: cannot be written ({error.strerror or error})') from None


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all; UserError where it cannot be written."""
    with writing(path), replacing(path) as part:
        part.write_bytes(content)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """UserError where the block cannot write the file that is named."""
    try:
        yield
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror}') from None


def write_text(path: Path, text: str) -> None:
    """``write_bytes`` of a text as UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: object) -> None:
    """``write_text`` of a value as readable JSON."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + '\n')


def read_bytes(path: Path) -> bytes:
    """What a file holds; UserError where it cannot be read, or was not fetched."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from None
    _refuse_pointer(path, content)
    return content


def check_fetched(path: Path) -> None:
    """UserError where a file is what Git leaves in the place of a large one that was not fetched.

    Raises:
      OSError: it cannot be read.
    """
    with path.open('rb') as file:
        _refuse_pointer(path, file.read(len(POINTER)))


def _refuse_pointer(path: Path, begins: bytes) -> None:
    if begins.startswith(POINTER):
        raise UserError(
            f'{path}: a pointer of Git LFS in its place; fetch it with `git lfs pull` in its folder'
        )


def unpacked(path: Path, content: bytes) -> bytes:
    """What a file holds, decompressed if its first two bytes are gzip's; UserError if broken."""
    try:
        return gzip.decompress(content) if content.startswith(GZIP) else content
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f'{path}: broken gzip file, fetch it again: {error}') from None


def unpacking(file: BinaryIO) -> BinaryIO:
    """A file that is open at its begin, or what reads it decompressed, likewise told."""
    packed = file.read(len(GZIP)) == GZIP
    file.seek(0)
    return gzip.GzipFile(fileobj=file) if packed else file


def encoding_of(file: BinaryIO) -> str:
    """The encoding of a text that is open at its begin, as Python calls it, by its first four
    bytes: they have a mark, or the zeros of two ASCII characters in UTF-16 or 32, else UTF-8."""
    begins = file.read(4)
    file.seek(0)
    return json.detect_encoding(begins)


def utf8(path: Path | str, content: bytes) -> bytes:
    """The bytes of a text as UTF-8 without a mark, if ``encoding_of`` tells another encoding: so
    its lines can be told apart.

    Raises:
      UserError: it is not what they say.
    """
    encoding = json.detect_encoding(content[:4])
    if encoding.startswith('utf-8'):
        return content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode(encoding).encode()
    except UnicodeError as error:
        raise UserError(f'{path}: broken {encoding.upper()}: {error}') from None


def read_json(path: Path):
    """The value in a JSON file, see ``parsed_json``; UserError where it cannot be read."""
    return parsed_json(path, read_bytes(path))


def read_object(path: Path) -> dict:
    """The object in a JSON file; an empty one where there is no file."""
    return read_json(path) if path.exists() else {}


def parsed_json(path: Path, content: bytes):
    """The value in the bytes of a JSON file, gzip-compressed or not.

    Raises:
      UserError: with the path and what is wrong.
    """
    try:
        return json.loads(unpacked(path, content))
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path}: broken JSON: {error}') from None


def read_json_lines(path: Path) -> list[dict]:
    """The values of a file with one a line; none where there is no file.

    A last line without its end is left out: a writer that was killed may have left half of one.
    """
    if not path.exists():
        return []
    lines = path.read_text('utf-8').splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith('\n')]


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Holds a lock that the system releases when its holder ends, however it ends.

    Its file is made if missing and left behind.

    Raises:
      BlockingIOError: it is held and ``wait`` is False.
      OSError: the file cannot be made, or its disk knows no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a') as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
