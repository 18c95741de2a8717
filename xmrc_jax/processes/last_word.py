"""What is said of this process should it end unannounced: killed, or aborted by JAX.

A watcher beside it (``watcher``) says so, on the stderr that the process had when it was called.
"""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

_watcher: IO[bytes] | None = None  # its stdin


def call() -> None:
    """Starts the watcher."""
    global _watcher
    command = [sys.executable, '-S', '-E', str(Path(__file__).with_name('watcher.py'))]
    _watcher = subprocess.Popen(command, stdin=subprocess.PIPE).stdin


def leave(line: str) -> None:
    """Replaces what the watcher is to say."""
    with suppress(OSError):
        _watcher.write(f'{line}\n'.encode())
        _watcher.flush()


def dismiss() -> None:
    """Nothing is left to say; of no effect where there is no watcher (any more)."""
    if _watcher is not None and not _watcher.closed:
        leave('.')
        _watcher.close()
