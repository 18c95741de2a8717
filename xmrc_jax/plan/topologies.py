"""Names of machines to devices that can be compiled for, none of which need be there.

    v5e:4x4, v6e:8x8      TPU slices of two axes, chips along each
    v4:2x2x4, v5p:4x4x4   TPU slices of three
    h200:8, h100:16       GPUs; 8 to a host, so 16 are two hosts
    cpu:8                 simulated host devices: nothing is known of their speed

TPUs need the package ``libtpu``, GPUs the CUDA plugin of JAX.
"""

import importlib.util
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

import jax
from jax.experimental import topologies

from xmrc_jax.ground.errors import UserError
from xmrc_jax.train.chips import CHIPS, Chip

GPUS_PER_HOST = 8
MEMORY_SHARES = ('XLA_CLIENT_MEM_FRACTION', 'XLA_PYTHON_CLIENT_MEM_FRACTION')  # new name, old one


@dataclass(frozen=True)
class Topology:
    """Devices of one kind."""

    name: str  # as the user wrote it
    devices: Sequence[jax.Device]  # for a mesh; programs can be compiled for them, not run
    chip: Chip | None  # None where nothing is known (CPU)
    hosts: int = 1  # machines; TPU slices count as one, for their links span hosts

    @property
    def memory(self) -> float | None:
        """Bytes of a device that a program may use.

        On GPU the share that JAX reserves, by either name of its variable, else 3/4.
        On TPU what the data sheet says; the compiler refuses what is too much, a little earlier.
        """
        if self.chip is None:
            return None
        return self.chip.memory * (1.0 if self.chip.axes else self.memory_share)

    @property
    def memory_share(self) -> float:
        for name in MEMORY_SHARES:
            if share := os.environ.get(name):
                try:
                    return float(share)
                except ValueError:
                    raise UserError(f'{name}={share}: not a number') from None
        return 0.75

    @property
    def link(self) -> float:
        """Bytes/s a device can send: between hosts the network's, for every collective."""
        return self.chip.network if self.hosts > 1 else self.chip.link


@dataclass(frozen=True)
class Target:
    """What XLA's GPU compiler asks of a GPU besides its memory; NVIDIA's architecture papers."""

    capability: tuple[int, int]
    cores: int
    float32_units: int  # of a core
    clock: float  # GHz
    l2: int  # bytes
    shared: int  # KiB of shared memory in a core; a block may use one less


TARGETS = {
    'h200': Target((9, 0), 132, 128, 1.98, 50 * 2**20, 228),
    'h100': Target((9, 0), 132, 128, 1.98, 50 * 2**20, 228),
    'a100': Target((8, 0), 108, 64, 1.41, 40 * 2**20, 164),
}


def resolve(name: str) -> Topology:
    """The devices of a topology.

    Raises:
      UserError: no such chip or layout, or the package that compiles for it is not installed.
    """
    kind, _, layout = name.partition(':')
    tpus = {name: chip.axes for name, chip in CHIPS.items() if chip.axes}
    axes = dict.fromkeys(TARGETS, 1) | tpus | {'cpu': 1}
    try:
        if not re.fullmatch(r'[1-9]\d*(x[1-9]\d*)*', layout):
            raise UserError('write a chip and its number, such as v5e:4x4 or h200:8')
        if kind not in axes:
            raise UserError(f'unknown chip {kind!r}; choose from {", ".join(axes)}')
        sizes = [int(size) for size in layout.split('x')]
        if len(sizes) != axes[kind]:
            example = 'x'.join(['4'] * axes[kind])
            numbers = 'one number' if axes[kind] == 1 else f'{axes[kind]} numbers'
            raise UserError(f'{kind} takes {numbers}, such as {kind}:{example}')
        if kind in tpus:
            return _tpu(name, kind)
        return simulated(name, *sizes) if kind == 'cpu' else _gpu(name, kind, *sizes)
    except (UserError, jax.errors.JaxRuntimeError) as error:
        raise UserError(f'topology {name!r}: {" ".join(str(error).split())}') from error


def simulated(name: str, count: int) -> Topology:
    try:
        jax.config.update('jax_num_cpu_devices', count)
    except RuntimeError:  # JAX has started: there are as many as there are
        if (simulates := jax.device_count('cpu')) < count:
            raise UserError(f'this process simulates {simulates} devices') from None
    return Topology(name, jax.devices('cpu')[:count], None)


def _tpu(name: str, kind: str) -> Topology:
    if importlib.util.find_spec('libtpu') is None:
        raise UserError('needs libtpu: pip install "jax[tpu]"')
    # Two cores of a v4 chip are one device to JAX where it really runs.
    options = {'chip_config_name': 'megacore'} if kind == 'v4' else {}
    described = topologies.get_topology_desc(name, 'tpu', **options)
    return Topology(name, described.devices, CHIPS[kind])


def _gpu(name: str, kind: str, count: int) -> Topology:
    if count > GPUS_PER_HOST and count % GPUS_PER_HOST:
        raise UserError(f'hosts have {GPUS_PER_HOST} GPUs; choose at most that, or a multiple')
    if not any(importlib.util.find_spec(f'jax_cuda{version}_plugin') for version in (12, 13)):
        raise UserError('needs the CUDA plugin: pip install "jax[cuda13]"')
    hosts = -(-count // GPUS_PER_HOST)
    layout = f'{hosts}x1x{count // hosts}'  # hosts, processes of a host, devices of a process
    described = topologies.get_topology_desc(
        '', 'cuda', target_config=_target(kind), topology=layout
    )
    return Topology(name, described.devices, CHIPS[kind], hosts)


def _target(kind: str) -> str:
    """XLA's description of a GPU, in protobuf's text form."""
    target, chip = TARGETS[kind], CHIPS[kind]
    major, minor = target.capability
    return f"""
        gpu_device_info {{
          cuda_compute_capability {{ major: {major} minor: {minor} }}
          core_count: {target.cores}
          fpus_per_core: {target.float32_units}
          clock_rate_ghz: {target.clock}
          l2_cache_size: {target.l2}
          device_memory_size: {chip.memory}
          memory_bandwidth: {int(chip.bandwidth)}
          threads_per_warp: 32
          threads_per_block_limit: 1024
          threads_per_core_limit: 2048
          thread_dim_limit_x: 1024 thread_dim_limit_y: 1024 thread_dim_limit_z: 64
          block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
          registers_per_core_limit: 65536
          registers_per_block_limit: 65536
          shared_memory_per_block: {48 * 1024}
          shared_memory_per_block_optin: {(target.shared - 1) * 1024}
          shared_memory_per_core: {target.shared * 1024}
        }}
        platform_name: "CUDA"
        dnn_version_info {{ major: 9 minor: 10 }}
        device_description_str: "NVIDIA {kind.upper()}"
    """
