"""Signs of life: where one process ends or falls silent, every other one ends within 60 seconds.

JAX's own heartbeat cannot take this place: when it misses a process it aborts all the others,
process 0 among them, with status 134 and a trace of C++ on the terminal. With
``jax_enable_recoverability`` it does so still where process 0 is missed (tried with jax 0.10.2).
"""

import json
import threading
import time
from itertools import count
from typing import NoReturn

import jax

from xmrc_jax.processes import ending
from xmrc_jax.processes.identity import client, myself, several

BEAT = 5  # seconds between two signs of life
SILENT = 45  # seconds without one, after which a process counts as lost
JAX_SILENT = 100  # the same for JAX, which looks after 70 of them: ours is to be first


def start() -> threading.Thread:
    """Gives signs of life, and looks for those of the others, in a thread.

    It ends when JAX is shut down after an orderly end. Wait for it then: a thread that comes back
    from JAX into an interpreter that is ending is aborted.
    """
    thread = threading.Thread(target=_watch, name='heartbeat', daemon=True)
    thread.start()
    return thread


def _watch() -> None:
    store, me = client(), jax.process_index()
    seen = {process: ('', time.monotonic()) for process in range(1, jax.process_count())}
    for beat in count():
        # A process 0 that is stopped, not gone, answers no call and refuses none.
        unanswered = threading.Timer(SILENT, _leave_without_process_0)
        unanswered.daemon = True
        unanswered.start()
        try:
            if me:
                store.key_value_set(f'xmrc/alive/{me}', str(beat), allow_overwrite=True)
            else:
                _look_for_the_silent(store, seen)
            reason = json.loads(store.blocking_key_value_get(ending.REASON, BEAT * 1000))
        except Exception as error:
            if 'DEADLINE_EXCEEDED' in str(error):
                continue
            if not several():
                return  # the orderly end
            _leave_without_process_0()
        finally:
            unanswered.cancel()
        if reason['of'] != myself():
            line = f'{myself()} ends, for {reason["of"]} did: {reason["line"]}'
            ending.leave(reason['status'], line)
        return


def _leave_without_process_0() -> NoReturn:
    ending.leave(ending.LOST, f'{myself()} cannot reach process 0; {ending.CONTINUES}')


def _look_for_the_silent(store, seen: dict[int, tuple[str, float]]) -> None:
    now, signs = time.monotonic(), dict(store.key_value_dir_get('xmrc/alive'))
    for process, (sign, since) in seen.items():
        last = signs.get(f'xmrc/alive/{process}', '')
        if last != sign:
            seen[process] = last, now
        elif now - since > SILENT:
            line = f'process {process} has given no sign for {SILENT} s; {ending.CONTINUES}'
            ending.end(ending.LOST, line)
