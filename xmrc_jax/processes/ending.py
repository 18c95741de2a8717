"""How a process ends so that all others do, for the same reason and with one line each.

A process that ends by itself leaves its reason with the key-value store before it goes; the others
find it there (``heartbeat``).
"""

import json
import os
import re
import sys
import threading
import time
from contextlib import suppress
from typing import NoReturn

from xmrc_jax.processes import last_word, output
from xmrc_jax.processes.identity import client, is_first, myself, several

LOST, STOPPED = 69, 75  # exit status, as in sysexits.h: unavailable; try again
CONTINUES = 'the same command continues'
REASON = 'xmrc/end'  # key of the reason of the process that ended first

_leaving = threading.Lock()


def end(status: int, line: str) -> NoReturn:
    """End this process, from whatever thread, for a reason that ends the run and all others.

    Whoever is first says the line; a process that had the same to say is silent.
    """
    if not several() and threading.current_thread() is threading.main_thread():
        last_word.dismiss()
        print(f'xmrc_jax: {line}', file=sys.stderr)
        sys.exit(status)
    if several():
        reason = {'status': status, 'line': line, 'of': myself()}
        try:
            client().key_value_set(REASON, json.dumps(reason))
        except Exception:  # another was first, or there is no service any more
            with suppress(Exception):
                first = json.loads(client().key_value_try_get(REASON))
                line = '' if first['line'] == line else line
    leave(status, line)


def leave(status: int, line: str) -> NoReturn:
    """End this process alone, without the hooks of an orderly end, which wait for others."""
    _leaving.acquire()  # for good: of two threads with a reason one speaks
    if line:
        output.say(line)
    if several() and is_first():
        time.sleep(2)  # the reason lies with process 0: let the others read it
    last_word.dismiss()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def is_of_a_peer(error: Exception) -> bool:
    """Whether a computation of all processes broke off: one of them is lost, most likely.

    JAX raises this or that kind of exception then, ValueError among them, so it is recognised by
    the status its message begins with. Nothing may take such an error for one of its own.
    """
    statuses = 'UNKNOWN|INTERNAL|UNAVAILABLE|ABORTED|CANCELLED|DEADLINE_EXCEEDED'
    return several() and re.match(rf'({statuses})\b', str(error)) is not None
