"""Signs of life: where one process ends or falls silent, every other one ends within 60 seconds.

JAX's own heartbeat cannot take this place: when it misses a process (after 15 to 18 of 20 s,
measured with jax 0.10.2) it aborts all others with status 134 and a trace on stderr.
"""

import json
import threading
import time
from itertools import count

import jax

from xmrc_jax.processes import ending
from xmrc_jax.processes.identity import client, myself, several

BEAT = 5  # seconds between two signs of life
SILENT = 45  # seconds without one, after which a process counts as lost


def start() -> None:
    """Gives signs of life, and looks for those of the others, in a thread."""
    threading.Thread(target=_watch, name='heartbeat', daemon=True).start()


def _watch() -> None:
    store, me = client(), jax.process_index()
    seen = {process: ('', time.monotonic()) for process in range(1, jax.process_count())}
    for beat in count():
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
            ending.leave(ending.LOST, f'{myself()} cannot reach process 0; {ending.CONTINUES}')
        if reason['of'] != myself():
            line = f'{myself()} ends, for {reason["of"]} did: {reason["line"]}'
            ending.leave(reason['status'], line)
        return


def _look_for_the_silent(store, seen: dict[int, tuple[str, float]]) -> None:
    now, signs = time.monotonic(), dict(store.key_value_dir_get('xmrc/alive'))
    for process, (sign, since) in seen.items():
        last = signs.get(f'xmrc/alive/{process}', '')
        if last != sign:
            seen[process] = last, now
        elif now - since > SILENT:
            line = f'process {process} has given no sign for {SILENT} s; {ending.CONTINUES}'
            ending.end(ending.LOST, line)
