"""Signs of life: where one process ends or falls silent, every other one ends within 60 seconds.

JAX's own heartbeat cannot take this place: when it misses a process it aborts all the others,
process 0 among them, with status 134 and a trace of C++ on the terminal. With
``jax_enable_recoverability`` it does so still where process 0 is missed (tried with jax 0.10.2).

Silence is counted in beats of whoever listens, not by the clock: where everything is slow, beats
are too, and a machine that stood still as a whole has missed nobody when it goes on.
"""

import json
import threading
from itertools import count
from typing import NoReturn

import jax

from xmrc_jax.processes import ending
from xmrc_jax.processes.identity import client, myself, several

BEAT = 5  # seconds between two signs of life
MISSED = 9  # beats without one, after which a process counts as lost: 45 s
JAX_SILENT = 3600  # the same in seconds for JAX, whose clock takes all for lost where all are slow


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
    seen = dict.fromkeys(range(1, jax.process_count()), ('', 0))
    for beat in count():
        answered = threading.Event()
        threading.Thread(target=_expect, args=(answered,), daemon=True).start()
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
            answered.set()
        if reason['of'] != myself():
            line = f'{myself()} ends, for {reason["of"]} did: {reason["line"]}'
            ending.leave(reason['status'], line)
        return


def _expect(answered: threading.Event) -> None:
    """A process 0 that is stopped, not gone, answers no call and refuses none."""
    if not any(answered.wait(BEAT) for _ in range(MISSED)):
        _leave_without_process_0()


def _leave_without_process_0() -> NoReturn:
    ending.leave(ending.LOST, f'{myself()} cannot reach process 0; {ending.CONTINUES}')


def _look_for_the_silent(store, seen: dict[int, tuple[str, int]]) -> None:
    """``seen``: the last sign of each process, and how many looks have found no other since."""
    signs = dict(store.key_value_dir_get('xmrc/alive'))
    for process, (last, looks) in seen.items():
        sign = signs.get(f'xmrc/alive/{process}', '')
        seen[process] = sign, looks + 1 if sign == last else 0
        if seen[process][1] > MISSED:
            line = f'process {process} has given no sign for {MISSED * BEAT} s; {ending.CONTINUES}'
            ending.end(ending.LOST, line)
