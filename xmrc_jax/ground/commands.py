"""How every command ends: in one line, with a status that launchers know."""

import argparse
import errno
import math
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from xmrc_jax.ground.errors import UserError

MISTAKE, INTERRUPTED = 2, 130  # exit status


def positive(word: str) -> int:
    """A number of at least 1, for the ``type`` of an argument."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f'{word} is not a whole number of at least 1')
    return int(word)


def named(word: str) -> Path:
    """A path that is not empty, as a shell leaves one whose variable is not set; likewise."""
    if not word:
        raise argparse.ArgumentTypeError('the name is empty')
    return Path(word)


def share(word: str) -> float:
    """A number from 0 to 1, likewise."""
    try:
        number = float(word)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f'{word} is not a number from 0 to 1')
    return number


def number(word: str) -> float:
    """A finite number, likewise."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f'{word} is not a finite number')
    return value


def documented(prog: str, doc: str) -> argparse.ArgumentParser:
    """A parser whose help begins with a module's docstring, examples as they are."""
    raw = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=prog, description=doc, formatter_class=raw)


def leave(status: int, line: str) -> NoReturn:
    """Say a line and end."""
    print(f'xmrc_jax: {line}', file=sys.stderr)
    sys.exit(status)


def command(body: Callable[[], object], end: Callable[[int, str], NoReturn] = leave) -> None:
    """Run a command's body; whatever ends it ends in one line.

    Statuses: 0 done; 2 a mistake that the user can mend (UserError), or standard output that was
    closed; 130 interrupted; 1 a defect of this software, which keeps its traceback. Runs of several
    processes have more, see ``processes``; ``end`` takes status and line.
    """
    # transformers is here for its tokenizers alone; do not let it ask for PyTorch. Where the hub
    # cannot be reached our own line says so, once.
    os.environ.setdefault('TRANSFORMERS_NO_ADVISORY_WARNINGS', '1')
    os.environ.setdefault('TRANSFORMERS_VERBOSITY', 'error')
    os.environ.setdefault('HF_HUB_VERBOSITY', 'error')
    os.environ.setdefault('DATASETS_VERBOSITY', 'critical')
    try:
        body()
        sys.stdout.flush()
    except KeyboardInterrupt:
        with suppress(SystemExit):
            end(INTERRUPTED, 'interrupted: the same command continues')
        # JAX, interrupted while it compiles, crashes when the interpreter is taken down.
        sys.stdout.flush()
        os._exit(INTERRUPTED)
    except UserError as error:
        end(MISTAKE, str(error).replace('\n', '\\n'))  # a file's name may hold one
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the last flush
        end(MISTAKE, 'standard output was closed before all was written')
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        end(MISTAKE, f'{error.filename or "a file"}: cannot be written: {error.strerror}')
