"""The watcher: a program beside a process that says its last line, should it end unannounced.

It reads lines from the process until that is gone, and prints the last one unless it is a period.
Run by its path, without site-packages: it knows nothing of this package and starts at once.
"""

import signal
import sys


def watch() -> None:
    """Outlives the signals that end a whole group of processes."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    *_, line = '.\n', *sys.stdin
    if line != '.\n':
        print('xmrc_jax:', line, end='', file=sys.stderr)


if __name__ == '__main__':
    watch()
