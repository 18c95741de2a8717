"""Several processes as one run: how they join, agree, take turns, and end together.

JAX's own service connects the processes (``jax.distributed``); this file asks it the questions of a
run and sees to it that nothing hangs. Where one process ends before the others, whatever the
reason, every other one says so in a line and ends within 60 seconds:

* a process that ends by itself leaves its reason with the service before it goes;
* each gives a sign of life every ``BEAT`` seconds, and process 0 looks for those that fall silent;
* where process 0 itself is gone JAX aborts the others: a watcher beside them has the last word.

A run of one process, on however many devices, needs none of this, and every call here returns at
once. Only the command joins; below it nothing knows how processes were started.
"""

import importlib.util
import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import jax
import numpy as np
from jax._src import distributed  # its key-value store has no public name; orbax uses it likewise
from jax.experimental import multihost_utils

from xmrc_jax.ground.errors import UserError

BEAT = 5  # seconds between two signs of life
SILENT = 45  # seconds without one, after which a process counts as lost
PATIENCE = 7 * 24 * 3600 * 1000  # milliseconds: waiting is ended by the watch, not by a clock

LOST, STOPPED = 69, 75  # exit status, as in sysexits.h: unavailable; try again

Value = TypeVar('Value')
_turns = count()  # every process takes the same turns, so their numbers agree
_joined = False  # whether this process is one of several, and has not left them
_word = None  # stdin of the watcher beside it
_leaving = threading.Lock()


@contextmanager
def joined(
    coordinator: str = '',
    processes: int | None = None,
    process: int | None = None,
    local_devices: Sequence[int] | None = None,
) -> Iterator[None]:
    """Make this process one of several, if it was started as one; with the block all end.

    SLURM's srun, Open MPI's mpirun and TPU slices are recognised; everything can be told instead.
    Enter it before any use of JAX.

    Args:
      coordinator: host:port of process 0, reachable from all; any free port.
      processes: their number.
      process: number of this one, from 0.
      local_devices: those of this machine's accelerators that this process takes; by default
        all, or one each where srun or mpirun start the processes.

    Raises:
      UserError: told only in part.
    """
    global _joined
    _join(coordinator, processes, process, local_devices)
    if not _joined:
        yield
        return
    try:
        yield
    except (UserError, KeyboardInterrupt):
        raise
    except Exception as error:
        lost = is_of_a_peer(error)
        traceback.print_exc(file=_kept if lost else None)
        if lost:
            time.sleep(2 * BEAT)  # its own reason, where it left one, is told by the watch
            end(LOST, f'{myself()} has lost another process ({_first_line(error)}); {CONTINUES}')
        end(1, f'{myself()} failed: {type(error).__name__}: {_first_line(error)}')
    barrier()
    _joined = False
    _dismiss_watcher()
    jax.distributed.shutdown()


def is_of_a_peer(error: Exception) -> bool:
    """Whether a computation of all processes broke off: one of them is lost, most likely.

    JAX raises this or that kind of exception then, ValueError among them, so it is told by the
    status its message begins with. Nothing may take such an error for one of its own.
    """
    statuses = 'UNKNOWN|INTERNAL|UNAVAILABLE|ABORTED|CANCELLED|DEADLINE_EXCEEDED'
    return _joined and re.match(rf'({statuses})\b', str(error)) is not None


def _join(coordinator, processes, process, local_devices) -> None:
    global _joined
    if coordinator and processes is None and process is None:
        processes, process = _of_open_mpi() or (None, None)
    told = bool(coordinator), processes is not None, process is not None
    if any(told) and not all(told):
        raise UserError(
            '--coordinator, --num_processes and --process_id belong together: '
            'the host:port of process 0, how many there are, and which one this is'
        )
    if not any(told) and not _started_as_one_of_several():
        return
    # SIGTERM is ours to answer (see preemption); JAX's service would swallow it while nobody asks.
    jax.config.update('jax_enable_preemption_service', False)
    _call_watcher()
    where = f' at {coordinator}' if coordinator else ''
    _leave_word(f'the processes of this run have not found each other{where}; are all started?')
    try:
        jax.distributed.initialize(coordinator or None, processes, process, local_devices)
    except (RuntimeError, ValueError) as error:
        end(LOST, f'the processes of this run cannot join ({_first_line(error)}); {CONTINUES}')
    if jax.process_count() == 1:
        _dismiss_watcher()
        return
    _leave_word(f'{myself()} ended without a word: killed, or process 0 is gone; {CONTINUES}')
    _joined = True
    threading.Thread(target=_watch, name='watch', daemon=True).start()
    if not is_first():
        os.environ['TQDM_DISABLE'] = '1'  # read when tqdm is imported, which is later


def _of_open_mpi() -> tuple[int, int] | None:
    size, rank = (os.environ.get(f'OMPI_COMM_WORLD_{name}') for name in ('SIZE', 'RANK'))
    return (int(size), int(rank)) if size and rank else None


def _started_as_one_of_several() -> bool:
    """Whether the environment is one in which JAX finds the other processes by itself.

    JAX would take a lone task of srun for a process with one accelerator, and a machine with
    libtpu but without a TPU for one to ask Google's metadata server about; neither is wanted.
    """
    if int(os.environ.get('SLURM_NTASKS', 1)) > 1 and 'SLURM_STEP_NODELIST' in os.environ:
        return True
    mpi = _of_open_mpi()
    if mpi and mpi[0] > 1:
        if 'OMPI_MCA_orte_hnp_uri' not in os.environ:
            raise UserError(
                f'mpirun started {mpi[0]} processes, but this version of Open MPI does not tell '
                'where the first one is: name it with --coordinator=HOST:PORT'
            )
        return True
    tpu = any(Path(path).exists() for path in ('/dev/accel0', '/dev/vfio/0'))
    wanted = os.environ.get('JAX_PLATFORMS', 'tpu')
    return tpu and 'tpu' in wanted and importlib.util.find_spec('libtpu') is not None


def is_first() -> bool:
    """Whether this process prints and writes for all: the only one, or number 0."""
    return jax.process_index() == 0


def _client():
    return distributed.global_state.client


# -- agree ---------------------------------------------------------------------------------------


def barrier() -> None:
    """Wait until every process is here."""
    if _joined:
        _wait_at(f'barrier/{next(_turns)}')


def _wait_at(name: str) -> None:
    _client().wait_at_barrier(f'xmrc/{name}', PATIENCE)


@contextmanager
def first_turn() -> Iterator[None]:
    """Process 0 goes through the block while the others wait; then they do.

    What process 0 leaves on a disk that all share is there for the others. The block may ask what
    is ``decided``; it must not wait for the others or compute with them.
    """
    if not _joined:
        yield
        return
    turn = next(_turns)
    if is_first():
        yield
    _wait_at(f'first/{turn}')
    if not is_first():
        yield
    _wait_at(f'rest/{turn}')


def decided(value: Value) -> Value:
    """What process 0 thinks, for all: files that it sees may not be seen everywhere yet.

    Args:
      value: anything that JSON can tell.
    """
    if not _joined:
        return value
    key = f'xmrc/decided/{next(_turns)}'
    if is_first():
        _client().key_value_set(key, json.dumps(value))
        return value
    return json.loads(_client().blocking_key_value_get(key, PATIENCE))


def any_of(flag: bool) -> bool:
    """Whether any process says so. All must ask."""
    if not _joined:
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.array([flag]))))


def agree(facts: Mapping[str, Any]) -> None:
    """Refuse to go on where a process was started with something else than process 0.

    Args:
      facts: as JSON gives them back, so with lists for tuples.

    Raises:
      UserError: names the process and what differs.
    """
    there, here = decided(facts), facts
    if different := list(differences(there, here)):
        raise UserError(
            f'{myself()} was started with something else than process 0: {"; ".join(different)}; '
            'start all processes with the same code and configuration'
        )
    barrier()


def differences(there, here, path: str = '') -> Iterator[str]:
    """Leaves of two nested dicts that differ, as 'train.peak_lr is 3e-05 there, 1e-05 here'."""
    if isinstance(there, dict) and isinstance(here, dict):
        for name in sorted(there.keys() | here.keys()):
            inner = f'{path}.{name}' if path else name
            yield from differences(there.get(name), here.get(name), inner)
    elif there != here:
        yield f'{path} is {there!r} there, {here!r} here'


def hosts() -> list[str]:
    """The machine of every process."""
    if not _joined:
        return [socket.gethostname()]
    turn = next(_turns)
    _client().key_value_set(f'xmrc/host/{turn}/{jax.process_index()}', socket.gethostname())
    return [
        _client().blocking_key_value_get(f'xmrc/host/{turn}/{process}', PATIENCE)
        for process in range(jax.process_count())
    ]


# -- end -----------------------------------------------------------------------------------------


def end(status: int, line: str) -> NoReturn:
    """End this process, from whatever thread, for a reason that ends the run and all others.

    Whoever is first says the line; a process that had the same to say is silent.
    """
    if not _joined and threading.current_thread() is threading.main_thread():
        _dismiss_watcher()
        print(f'xmrc_jax: {line}', file=sys.stderr)
        sys.exit(status)
    if _joined:
        reason = {'status': status, 'line': line, 'of': myself()}
        try:
            _client().key_value_set('xmrc/end', json.dumps(reason))
        except Exception:  # another was first, or there is no service any more
            with suppress(Exception):
                first = json.loads(_client().key_value_try_get('xmrc/end'))
                line = '' if first['line'] == line else line
    _leave(status, line)


def _leave(status: int, line: str) -> NoReturn:
    """Without the hooks of an orderly end, which wait for other threads and processes."""
    _leaving.acquire()  # for good: of two threads with a reason one speaks
    if line:
        tqdm = sys.modules.get('tqdm')
        behind_a_bar = '\n' if tqdm and tqdm.tqdm._instances else ''
        os.write(_stderr, f'{behind_a_bar}xmrc_jax: {line}\n'.encode())
    if _joined and is_first():
        time.sleep(2)  # the reason lies with process 0: let the others read it
    _dismiss_watcher()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


CONTINUES = 'the same command continues'


def myself() -> str:
    """This process and its machine, for a line to the user."""
    return f'process {jax.process_index()} ({socket.gethostname()})'


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _call_watcher() -> None:
    """Have someone beside this process who speaks the last word left, should it end unannounced."""
    global _word
    code = (
        'import signal, sys; [signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]\n'
        'for word in sys.stdin: pass\n'
        'word == ".\\n" or print("xmrc_jax:", word, end="", file=sys.stderr)'
    )
    command = [sys.executable, '-S', '-E', '-c', code]
    _word = subprocess.Popen(command, stdin=subprocess.PIPE).stdin


def _leave_word(line: str) -> None:
    with suppress(OSError):
        _word.write(f'{line}\n'.encode())
        _word.flush()


def _dismiss_watcher() -> None:
    if _word is not None and not _word.closed:
        _leave_word('.')
        _word.close()


def _watch() -> None:
    client, me = _client(), jax.process_index()
    seen = {process: ('', time.monotonic()) for process in range(1, jax.process_count())}
    for beat in count():
        try:
            if me:
                client.key_value_set(f'xmrc/alive/{me}', str(beat), allow_overwrite=True)
            else:
                _look_for_the_silent(client, seen)
            reason = json.loads(client.blocking_key_value_get('xmrc/end', BEAT * 1000))
        except Exception as error:
            if 'DEADLINE_EXCEEDED' in str(error):
                continue
            if not _joined:
                return  # the orderly end
            _leave(LOST, f'{myself()} cannot reach process 0; {CONTINUES}')
        if reason['of'] != myself():
            _leave(reason['status'], f'{myself()} ends, for {reason["of"]} did: {reason["line"]}')
        return


def _look_for_the_silent(client, seen: dict[int, tuple[str, float]]) -> None:
    now, signs = time.monotonic(), dict(client.key_value_dir_get('xmrc/alive'))
    for process, (sign, since) in seen.items():
        last = signs.get(f'xmrc/alive/{process}', '')
        if last != sign:
            seen[process] = last, now
        elif now - since > SILENT:
            end(LOST, f'process {process} has given no sign for {SILENT} s; {CONTINUES}')


# -- what is printed -----------------------------------------------------------------------------

_stderr = 2  # where lines for the user go, when all else that a process says goes to its file
_kept = None  # that file


@contextmanager
def kept_warnings(folder: Path) -> Iterator[None]:
    """Only process 0 prints; what libraries log, and each process's warnings, goes to ``folder``.

    All that the other processes write to stderr, messages of the compiler among it, goes there.

    Raises:
      UserError: the folder cannot be written.
    """
    global _stderr, _kept
    path = folder / f'process-{jax.process_index()}.log'
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _kept = file = path.open('a', buffering=1, encoding='utf-8')
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error.strerror}') from None
    if not is_first():
        _stderr = os.dup(2)
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
