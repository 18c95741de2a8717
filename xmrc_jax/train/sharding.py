"""Where arrays live: the mesh, one table of parameter shardings, and the batch.

The mesh always has three axes. ``data`` splits the batch, ``fsdp`` splits the batch and the
parameters, ``model`` splits heads and MLP width. Adam's moments follow the same table, since
their paths end alike. This file knows no model code, only parameter paths.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.values import leaf

Rows = TypeVar('Rows')  # a tree of arrays, each with a row for a window or for a group of them

AXES = ('data', 'fsdp', 'model')
BATCH = P(('data', 'fsdp'))

# Parameter path -> mesh axes. The first match wins; a path that none matches raises. The leading
# None of a block's parameter is the axis of layers.
RULES = (
    (r'(query|key|value|up|gate)/lora_a$', P(None, 'fsdp', None)),
    (r'(query|key|value|up|gate)/lora_b$', P(None, None, 'model')),
    (r'(attention/out|down)/lora_a$', P(None, 'model')),
    (r'(attention/out|down)/lora_b$', P(None, None, 'fsdp')),
    (r'(embed/(token|position|type)|distances/relative)/embedding$|lm/table$', P(None, 'fsdp')),
    (r'attention/(query|key|value)/kernel$', P(None, 'fsdp', 'model', None)),
    (r'attention/(query|key|value)/bias$', P(None, 'model', None)),
    (r'attention/out/kernel$', P(None, 'model', None, 'fsdp')),
    (r'(up|gate)/kernel$', P(None, 'fsdp', 'model')),
    (r'(up|gate)/bias$', P(None, 'model')),
    (r'down/kernel$', P(None, 'model', 'fsdp')),
    (r'(transform/dense|embed/widen)/kernel$', P('fsdp', None)),
    (r'(attention/out|down|transform/dense|embed/widen)/bias$|norm/(scale|bias)$|span/', P()),
    (r'slot_logits$|marks/embedding$|lm/(dense/)?(kernel|bias)$', P()),
)


@dataclass(frozen=True)
class MeshShape:
    """Devices along each axis; ``data`` = -1 takes what the others leave."""

    data: int = leaf(at_least=1, also=-1)
    fsdp: int = leaf(at_least=1)
    model: int = leaf(at_least=1)


def make_mesh(
    data: int = -1, fsdp: int = 1, model: int = 1, devices: Sequence[jax.Device] | None = None
) -> Mesh:
    """Mesh over all devices of all processes, or those given; the sizes are a ``MeshShape``'s.

    Raises:
      UserError: the axes do not multiply to the number of devices.
    """
    devices = jax.devices() if devices is None else devices
    if data == -1 and len(devices) % (fsdp * model) == 0:
        data = len(devices) // (fsdp * model)
    if data * fsdp * model != len(devices):
        raise UserError(
            f'mesh data={data} fsdp={fsdp} model={model} does not cover {len(devices)} devices: '
            'choose sizes whose product is that number, or data=-1'
        )
    # A slice of 8x8 chips has no axis of 2: one of 8 is split where the mesh asks for it.
    sizes = data, fsdp, model
    placed = mesh_utils.create_device_mesh(sizes, devices, allow_split_physical_axes=True)
    return Mesh(placed, AXES, axis_types=(AxisType.Auto,) * 3)


def path_of(key_path) -> str:
    """``'encoder/embed/norm/scale'`` of a key path as jax.tree_util hands it out."""
    return jax.tree_util.keystr(key_path, simple=True, separator='/')


def spec_of(path: str) -> P:
    """The rule for one parameter path; scalars such as step counters are replicated.

    >>> tuple(spec_of('opt_state/1/mu/reader/encoder/blocks/up/kernel'))
    (None, 'fsdp', 'model')
    """
    for pattern, spec in RULES:
        if re.search(pattern, path):
            return spec
    if path.endswith(('step', 'count')):
        return P()
    raise ValueError(f'no sharding rule for parameter {path!r}')


def of(abstract, mesh: Mesh):
    """NamedShardings for a tree of arrays or shapes (parameters or a whole training state).

    Raises:
      UserError: an axis of a parameter does not divide by its mesh axes.
      ValueError: a path without a rule.
    """

    def place(key_path, leaf):
        path = path_of(key_path)
        spec = spec_of(path)
        for size, axis in zip(leaf.shape, spec, strict=False):
            if axis is not None and size % mesh.shape[axis]:
                raise UserError(
                    f'{path}: size {size} does not divide by mesh axis '
                    f'{axis}={mesh.shape[axis]}: choose another config.mesh'
                )
        return NamedSharding(mesh, spec)

    return jax.tree_util.tree_map_with_path(place, abstract)


def placed(abstract, mesh: Mesh):
    """The same shapes with the shardings that ``of`` gives them."""
    return jax.tree.map(
        lambda leaf, where: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where),
        abstract,
        of(abstract, mesh),
    )


def batch_parts(mesh: Mesh) -> int:
    """Parts of a batch that lie on different devices."""
    return mesh.shape['data'] * mesh.shape['fsdp']


def check_batch(mesh: Mesh, batch_size: int, accumulate: int = 1) -> None:
    """UserError where a global batch does not divide by the devices that split it, or what each
    has of it by the parts in which it is computed."""
    parts = batch_parts(mesh)
    if batch_size % parts:
        raise UserError(
            f'global batch of {batch_size} does not divide by {parts} devices '
            f'(data={mesh.shape["data"]} x fsdp={mesh.shape["fsdp"]}): '
            f'choose {math.ceil(batch_size / parts) * parts} or another mesh'
        )
    if batch_size // parts % accumulate:
        raise UserError(
            f'train.accumulate={accumulate}: a device has {batch_size // parts} windows of a '
            'batch, which do not divide by it'
        )


def rows(mesh: Mesh, batch_size: int, process: int | None = None) -> np.ndarray:
    """The rows of a global batch that a process computes, ascending; by default this one.

    They need not adjoin: on a torus of chips a mesh may go back and forth between machines. Raises
    as ``check_batch``, and so does whatever uses it.
    """
    check_batch(mesh, batch_size)
    process = jax.process_index() if process is None else process
    indices = NamedSharding(mesh, BATCH).devices_indices_map((batch_size,)).items()
    own = [index for device, (index,) in indices if device.process_index == process]
    return np.unique(np.concatenate([np.arange(batch_size)[index] for index in own]))


def topology(mesh: Mesh, batch_size: int, hosts: Sequence[str]) -> list[str]:
    """Lines that say which machine, of those of all processes, computes what rows of a batch."""
    check_batch(mesh, batch_size)
    devices, count = list(mesh.devices.flat), len(hosts)
    shape = ' '.join(f'{axis}={number}' for axis, number in mesh.shape.items())
    each = batch_size // batch_parts(mesh)
    lines = [
        f'{count} process{"es" * (count > 1)}, {len(devices)} x {devices[0].device_kind}, '
        f'mesh {shape}, global batch {batch_size}, {each} rows on each device'
    ]
    for process, host in enumerate(hosts):
        if 8 <= process < count - 1 and count > 16:
            continue
        own = sum(device.process_index == process for device in devices)
        numbers = _ranges(rows(mesh, batch_size, process))
        lines.append(f'process {process} on {host}: {own} device{"s" * (own != 1)}, rows {numbers}')
    return lines


def _ranges(numbers: np.ndarray) -> str:
    """Ascending numbers as '0-3, 8-11'."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return ', '.join(f'{run[0]}-{run[-1]}' if len(run) > 1 else f'{run[0]}' for run in runs)


class Share:
    """What this process holds of global batches of so many rows, and its way to the devices.

    Attributes:
      rows: those this process reads and puts, see ``rows``.
      groups: parts of the batch that lie on different devices.
    """

    def __init__(self, mesh: Mesh, batch_size: int):
        self.rows, self.groups = rows(mesh, batch_size), batch_parts(mesh)
        self._batch_size, self._sharding = batch_size, NamedSharding(mesh, BATCH)

    def put(self, batch: Rows) -> Rows:
        """Global arrays of a batch of which every process holds only its own rows, or groups."""
        return jax.tree.map(self._whole, batch)

    def _whole(self, local: np.ndarray) -> jax.Array:
        shape = (self._batch_size * len(local) // len(self.rows), *local.shape[1:])
        return jax.make_array_from_callback(shape, self._sharding, partial(self._part, local))

    def _part(self, local: np.ndarray, index: tuple[slice, ...]) -> np.ndarray:
        """Rows of the global array that one device wants, out of those that are held."""
        size = len(self.rows) // len(local)  # of a group, where the array has a row for each
        lo, hi, _ = index[0].indices(self._batch_size // size)
        return local[slice(*np.searchsorted(self.rows[::size] // size, [lo, hi]))]


def spread(tree, shardings):
    """Global arrays of values that every process holds whole; nothing is sent between them."""
    return jax.tree.map(
        lambda leaf, sharding: jax.make_array_from_callback(
            leaf.shape, sharding, np.asarray(leaf).__getitem__
        ),
        tree,
        shardings,
    )
