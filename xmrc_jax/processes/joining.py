"""How processes become one run. Only the command joins; nothing else knows how they were started.

Where one process ends before the others, whatever the reason, every other one says so in a line
and ends within 60 seconds:

* a process that ends by itself leaves its reason for the others (``ending``);
* each gives signs of life, and process 0 looks for those that fall silent (``heartbeat``);
* where process 0 itself is gone JAX aborts the others: a watcher has the last word (``last_word``).
"""

import importlib.util
import os
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import jax

from xmrc_jax.ground.errors import UserError, first_line
from xmrc_jax.processes import accelerators, heartbeat, identity, last_word, output
from xmrc_jax.processes.agreement import barrier
from xmrc_jax.processes.ending import CONTINUES, LOST, end, is_of_a_peer
from xmrc_jax.processes.identity import is_first, myself, several


@contextmanager
def joined(
    coordinator: str = '',
    processes: int | None = None,
    process: int | None = None,
    local_devices: Sequence[int] | None = None,
) -> Iterator[None]:
    """Make this process one of several, if it was started as one; with the block all end.

    SLURM's srun, Open MPI's mpirun and TPU slices are recognised; instead the host:port of process
    0 (any free port), the number of processes and that of this one, from 0, can be given. Of this
    machine's accelerators it takes those named, by default all, or its ``accelerators.share`` where
    srun or mpirun start the processes. Enter it before any use of JAX.

    Raises:
      UserError: given only in part, or JAX does not find what it is told to compute on.
    """
    _join(coordinator, processes, process, local_devices)
    accelerators.check()
    if jax.distributed.is_initialized():
        _enter()
    if not several():
        yield
        return
    beating = heartbeat.start()
    try:
        yield
    except (UserError, KeyboardInterrupt):
        raise
    except Exception as error:
        lost = is_of_a_peer(error)
        traceback.print_exc(file=output.kept() if lost else None)
        if lost:
            time.sleep(2 * heartbeat.BEAT)  # where it left a reason, the heartbeat says that
            end(LOST, f'{myself()} has lost another process ({first_line(error)}); {CONTINUES}')
        end(1, f'{myself()} failed: {type(error).__name__}: {first_line(error)}')
    barrier()
    identity.leave()
    last_word.dismiss()
    jax.distributed.shutdown()
    beating.join()


def _join(coordinator, processes, process, local_devices) -> None:
    if coordinator and processes is None and process is None:
        processes, process = accelerators.of_mpi(os.environ) or (None, None)
    given = bool(coordinator), processes is not None, process is not None
    if any(given) and not all(given):
        raise UserError(
            '--coordinator, --num_processes and --process_id belong together: '
            'the host:port of process 0, how many there are, and which one this is'
        )
    if not any(given) and not _started_as_one_of_several():
        return
    # SIGTERM is ours to answer (see sigterm); JAX's service would swallow it while nobody asks.
    jax.config.update('jax_enable_preemption_service', False)
    last_word.call()
    where = f' at {coordinator}' if coordinator else ''
    last_word.leave(f'the processes of this run have not found each other{where}; are all started?')
    if local_devices is None and 'JAX_LOCAL_DEVICE_IDS' not in os.environ:
        local_devices = accelerators.share(len(accelerators.gpus()))
    try:
        jax.distributed.initialize(
            coordinator or None,
            processes,
            process,
            local_devices,
            heartbeat_timeout_seconds=heartbeat.JAX_SILENT,
        )
    except (RuntimeError, ValueError) as error:
        end(LOST, f'the processes of this run cannot join ({first_line(error)}); {CONTINUES}')


def _enter() -> None:
    """All have found each other; a run may still be of one."""
    if jax.process_count() == 1:
        last_word.dismiss()
        return
    last_word.leave(f'{myself()} ended without a word: killed, or process 0 is gone; {CONTINUES}')
    identity.enter()
    if not is_first():
        os.environ['TQDM_DISABLE'] = '1'  # read when tqdm is imported, which is later


def _started_as_one_of_several() -> bool:
    """Whether the environment is one in which JAX finds the other processes by itself.

    JAX would take a lone task of srun for a process with one accelerator, and a machine with
    libtpu but without a TPU for one to ask Google's metadata server about; neither is wanted.
    """
    if int(os.environ.get('SLURM_NTASKS', 1)) > 1 and 'SLURM_STEP_NODELIST' in os.environ:
        return True
    mpi = accelerators.of_mpi(os.environ)
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
