"""What is printed: lines for the user by one process, everything else to a file of each process."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import jax

from xmrc_jax.ground.files import writing
from xmrc_jax.processes.identity import is_first

_terminal = 2  # where lines for the user go, when all else that a process says goes to its file
_kept: TextIO | None = None  # that file


def say(line: str) -> None:
    """A line for the user, from whatever process and thread."""
    tqdm = sys.modules.get('tqdm')
    behind_a_bar = '\n' if tqdm and tqdm.tqdm._instances else ''
    os.write(_terminal, f'{behind_a_bar}xmrc_jax: {line}\n'.encode())


def kept() -> TextIO | None:
    """The file of this process inside ``kept_warnings``; None, which prints to stderr, before."""
    return _kept


@contextmanager
def kept_warnings(folder: Path) -> Iterator[None]:
    """Only process 0 prints; what libraries log, and each process's warnings, goes to ``folder``.

    All that the other processes write to stderr, messages of the compiler among it, goes there.
    UserError where it cannot be written.
    """
    global _terminal, _kept
    path = folder / f'process-{jax.process_index()}.log'
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        _kept = file = path.open('a', buffering=1, encoding='utf-8')
    if not is_first():
        _terminal = os.dup(2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(file.fileno(), 2)
    handler = logging.StreamHandler(file)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter('%(asctime)s %(name)s: %(message)s'))
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers, before = [handler], root.handlers
    try:
        yield
    finally:
        root.handlers = before
        logging.captureWarnings(False)
