"""Accelerators of a machine: which there are, which are a process's share, which nobody uses.

What there is is looked up without JAX, so that it can be told when JAX does not find it.
"""

import importlib.util
import os
import re
import socket
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import jax

from xmrc_jax.ground.errors import UserError, first_line
from xmrc_jax.processes import agreement

DEV = Path('/dev')

# Kind -> Python modules of JAX's plugins, and what to do where there is none, or one that fails.
PLUGINS = {
    'GPU': (
        ('jax_cuda13_plugin', 'jax_cuda12_plugin'),
        'pip install "jax[cuda13]", or "jax[cuda12]" for an older driver',
        '{} is installed and finds none: nvidia-smi says whether the driver works and for which '
        'CUDA; "jax[cuda12]" takes an older one than "jax[cuda13]"',
    ),
    'TPU': (
        ('libtpu',),
        'pip install "jax[tpu]"',
        '{} is installed and finds none: does another process hold them?',
    ),
}


class Machine(NamedTuple):
    """What one process sees of the accelerators of its machine, and uses."""

    host: str
    kind: str  # 'GPU' or 'TPU'
    seen: Sequence[str]  # their names
    used: Sequence[str]
    remedy: str  # where JAX computes on the CPU, else ''


def gpus(dev: Path = DEV, environment: Mapping[str, str] = os.environ) -> list[str]:
    """NVIDIA GPUs that CUDA shows this process, by number, or as CUDA_VISIBLE_DEVICES names them.

    As CUDA has it, the first name there that is none ends the list.

    Args:
      dev: the folder of device files.
      environment: of the process.
    """
    count = len([path for path in dev.glob('nvidia*') if re.fullmatch(r'nvidia\d+', path.name)])
    names = environment.get('CUDA_VISIBLE_DEVICES')
    if names is None or not count:
        return [str(number) for number in range(count)]
    return list(takewhile(re.compile(r'\d+|(GPU|MIG)-.+').fullmatch, names.split(',')))


def tpus(dev: Path = DEV) -> list[str]:
    """TPU chips of this machine, by their numbers among the device files."""
    found = [*dev.glob('accel*'), *dev.glob('vfio/*')]
    return sorted(path.name for path in found if re.fullmatch(r'(accel)?\d+', path.name))


def share(count: int, environment: Mapping[str, str] = os.environ) -> list[int] | None:
    """Those of so many visible GPUs that are this process's, where srun or mpirun started it.

    The tasks of a machine take equal parts, in their order, so a task that is alone there takes
    all; what remains is nobody's. What SLURM has bound to a task is that task's alone. None, which
    leaves it to JAX, for other processes, and where there are fewer GPUs than tasks.

    Example:
      >>> share(4, {'OMPI_COMM_WORLD_LOCAL_SIZE': '2', 'OMPI_COMM_WORLD_LOCAL_RANK': '1'})
      [2, 3]
    """
    tasks, own = of_mpi(environment, 'LOCAL_') or _of_slurm(environment) or (0, 0)
    each = count // tasks if tasks else 0
    return list(range(own * each, (own + 1) * each)) or None


def of_mpi(environment: Mapping[str, str], where: str = '') -> tuple[int, int] | None:
    """Open MPI's processes, those of this machine with 'LOCAL_', and which of them this is."""
    names = (f'OMPI_COMM_WORLD_{where}{name}' for name in ('SIZE', 'RANK'))
    size, rank = map(environment.get, names)
    return (int(size), int(rank)) if size and rank else None


def _of_slurm(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """The tasks of SLURM's step on this machine, and which of them this is."""
    names = ('SLURM_STEP_TASKS_PER_NODE', 'SLURM_NODEID', 'SLURM_LOCALID')
    if not all(name in environment for name in names):
        return None
    if 'SLURM_GPUS_PER_TASK' in environment:
        return 1, 0
    per_node, node, own = map(environment.get, names)
    counts = re.findall(r'(\d+)(?:\(x(\d+)\))?', per_node)  # '4(x2),3' is 4, 4, 3
    tasks = [int(number) for number, times in counts for _ in range(int(times or 1))]
    return tasks[int(node)], int(own)


def here(dev: Path = DEV, environment: Mapping[str, str] = os.environ) -> Machine:
    """This process's view; nothing is seen where the CPU was asked for (``JAX_PLATFORMS``)."""
    devices = jax.local_devices()
    platform = devices[0].platform
    seen, kind = gpus(dev, environment), 'GPU'
    if platform == 'tpu' or not seen:
        seen, kind = tpus(dev), 'TPU'
    if jax.config.jax_platforms == 'cpu':
        seen = []
    if platform == 'cpu':
        return Machine(socket.gethostname(), kind, seen, [], _remedy(kind))
    own = {device.local_hardware_id for device in devices}
    used = [name for number, name in enumerate(seen) if platform == 'tpu' or number in own]
    return Machine(socket.gethostname(), kind, seen, used, '')


def check() -> None:
    """UserError where JAX does not find what it is told to compute on (``JAX_PLATFORMS``)."""
    try:
        jax.local_devices()
    except (RuntimeError, AssertionError) as error:  # the latter where the plugin is not installed
        if isinstance(error, RuntimeError) and jax.distributed.is_initialized():
            raise  # another process may be to blame
        asked = jax.config.jax_platforms
        reason = f' ({first_line(error)})' if str(error) else ''
        remedy = _remedy('TPU' if asked == 'tpu' else 'GPU')
        raise UserError(
            f'JAX_PLATFORMS={asked}: there is no such device{reason}: {remedy}'
        ) from None


def _remedy(kind: str) -> str:
    modules, missing, failing = PLUGINS[kind]
    installed = [name for name in modules if importlib.util.find_spec(name)]
    return failing.format(installed[0]) if installed else missing


def machines() -> list[Machine]:
    """The view of every process, in their order."""
    return [Machine(*each) for each in agreement.everywhere(here())]


def unused(views: Sequence[Machine]) -> list[str]:
    """A line for each machine some of whose accelerators no process uses."""
    lines = []
    for host in dict.fromkeys(view.host for view in views):
        own = [view for view in views if view.host == host]
        used = {name for view in own for name in view.used}
        seen = dict.fromkeys(name for view in own for name in view.seen)
        idle, kind = [name for name in seen if name not in used], own[0].kind
        if idle and own[0].remedy:
            lines.append(
                f'warning: {host} has {len(seen)} {kind}{"s" * (len(seen) > 1)}, '
                f'but JAX computes on the CPU: {own[0].remedy}'
            )
        elif idle:
            lines.append(
                f'warning: {host}: {kind} {", ".join(idle)} of {len(seen)} seen and not used: '
                f'start as many processes as divide {len(seen)}, or name them all with '
                '--local_device_ids'
            )
    return lines
