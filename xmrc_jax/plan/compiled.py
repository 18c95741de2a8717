"""One stage of training, compiled for devices that are not there, in numbers for one device."""

import dataclasses
import math
import multiprocessing
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

import jax
from jax.sharding import NamedSharding, PartitionSpec

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model.attention import chosen
from xmrc_jax.plan.hlo import Collective, Program
from xmrc_jax.plan.job import Job, batches, trained
from xmrc_jax.plan.topologies import Topology, resolve
from xmrc_jax.train import sharding
from xmrc_jax.train.optimizer import build
from xmrc_jax.train.step import compiled_step, initial_state

_UNIT = {'': 1, 'K': 2**10, 'M': 2**20, 'G': 2**30}


@dataclass(frozen=True)
class Compiled:
    """A training step for one device; all sizes in bytes."""

    parameters: int  # trained or not, float32 as the moments; from shapes and shardings
    moments: int
    temporaries: int  # what XLA needs besides the state: activations first of all
    rest: int  # the batch, the metrics and the program itself, layouts' padding of the state
    flops: float  # of the matrix products, this device's even share
    bytes: int  # that move between the device and its memory
    collectives: tuple[Collective, ...]

    @property
    def memory(self) -> int:
        return self.parameters + self.moments + self.temporaries + self.rest


class TooLargeError(Exception):
    """The program does not fit; ``needed`` bytes, None where the compiler does not say."""

    def __init__(self, needed: int | None):
        super().__init__(needed)
        self.needed = needed

    def __str__(self) -> str:
        return f'needs {self.needed / 1e9:.2f} GB' if self.needed else 'needs more than there is'


def trace(job: Job, stage: str, devices: Sequence[jax.Device]) -> tuple[jax.stages.Traced, tuple]:
    """The training step of a stage, a key of ``OBJECTIVES``, traced for devices, and what it takes.

    Raises:
      UserError: mesh, parameters and batch do not divide.
    """
    mesh, train = job.mesh(devices), job.run.train
    steps = 1000  # a schedule is compiled in; its length costs nothing
    sharding.check_batch(mesh, job.batch_size, job.accumulate)
    platform = devices[0].platform
    own, relative = job.encoder, job.encoder.design.positions == 'disentangled'
    attention = chosen(own.attention, own.dtype, platform, relative)
    encoder = dataclasses.replace(own, vocabulary=job.used_rows, attention=attention)
    params, objective = trained(job, stage, encoder, steps)

    def init(params):
        own, fixed = train.tuning.parted(params)
        return initial_state(own, build(train.optimizer, steps), fixed)

    abstract = jax.eval_shape(init, params)
    step = compiled_step(objective, train.optimizer, steps, sharding.of(abstract, mesh))

    def placed(leaf, spec):
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=NamedSharding(mesh, spec))

    state = sharding.placed(abstract, mesh)
    planned = batches(job, 1, stage)
    (layout,) = planned.layouts(1, sharding.batch_parts(mesh) * job.accumulate)
    batch = jax.tree.map(
        lambda values: placed(values, sharding.BATCH), planned.batch_at(0, layout=layout)
    )
    run_key = placed(jax.eval_shape(partial(jax.random.key, 0)), PartitionSpec())
    return step.trace(state, batch, run_key), (state, batch, run_key)


def compile_for(job: Job, stage: str, topology: Topology) -> Compiled:
    """``compile_step`` for a topology: TPU's and GPU's compilers in a process of their own, for one
    that crashes takes its process with it. That is a UserError, too."""
    if topology.devices[0].platform == 'cpu':
        return compile_step(job, stage, topology.devices)
    return apart(_compile_named, job, stage, topology.name)


def apart(function: Callable, *arguments):
    """The function's result from a process of its own, whose stderr nobody sees."""
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(1, context, initializer=_silence) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except BrokenProcessPool:
            raise UserError(
                'the compiler crashed; another batch size, mesh or remat may spare it'
            ) from None


def _silence() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _compile_named(job: Job, stage: str, name: str) -> Compiled:
    jax.config.update('jax_platforms', 'cpu')
    return compile_step(job, stage, resolve(name).devices)


def compile_step(job: Job, stage: str, devices: Sequence[jax.Device]) -> Compiled:
    """Compile the training step of a stage and read off what it needs; see ``trace``.

    Raises:
      UserError, TooLargeError: see ``failure``.
    """
    traced, (state, *_) = trace(job, stage, devices)
    try:
        compiled = traced.lower().compile()
        program = Program(compiled.as_text())
    except jax.errors.JaxRuntimeError as error:
        raise failure(error) from error
    parameters, moments = _held((state.params, state.fixed)), _held(state.opt_state)
    memory = compiled.memory_analysis()
    held = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    return Compiled(
        parameters=parameters,
        moments=moments,
        temporaries=memory.temp_size_in_bytes,
        rest=held + memory.generated_code_size_in_bytes - parameters - moments,
        flops=matrix_flops(traced.jaxpr.jaxpr) / len(devices),
        bytes=program.bytes(),
        collectives=tuple(program.collectives()),
    )


def _held(tree) -> int:
    """Bytes of a tree that lie on one device."""
    return sum(
        math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
        for leaf in jax.tree.leaves(tree)
    )


def failure(error: Exception) -> Exception:
    """What the compiler's failure means to the user."""
    text = ' '.join(str(error).split())
    if 'RESOURCE_EXHAUSTED' in text:
        needed = re.search(r'([\d.]+)([KMG]?)\)? (?:exceeds|of)', text)
        return TooLargeError(needed and int(float(needed[1]) * _UNIT[needed[2]]))
    hint = ''
    if 'async-update' in text:
        hint = (
            f'; libtpu {version("libtpu")} is newer than this JAX can read: pip install '
            f'"jax[tpu]=={jax.__version__}"'
        )
    return UserError(f'the compiler failed: {text[:200]}{hint}')


def matrix_flops(jaxpr) -> int:
    """FLOPs of the matrix products of a traced function, on all devices together.

    2 for each multiplication and addition; what a scan repeats counts as often as it does, and so
    do products that rematerialisation makes twice.

    >>> f = jax.jit(lambda a_MK, b_KN: jax.lax.scan(lambda c, _: (c, a_MK @ b_KN), 0, length=3))
    >>> arrays = jax.numpy.ones((2, 4)), jax.numpy.ones((4, 5))
    >>> matrix_flops(f.trace(*arrays).jaxpr.jaxpr)  # 3 times 2 * 2 * 4 * 5
    240
    """
    total = 0
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == 'dot_general':
            ((contracted, _), _), (lhs, _) = eqn.params['dimension_numbers'], eqn.invars
            terms = math.prod(lhs.aval.shape[axis] for axis in contracted)
            total += 2 * math.prod(eqn.outvars[0].aval.shape) * terms
        total += sum(map(matrix_flops, _inner(eqn.params))) * eqn.params.get('length', 1)
    return total


def _inner(params: dict) -> Iterator:
    """The jaxprs that an equation calls, loops over or chooses from."""
    for value in params.values():
        for each in value if isinstance(value, tuple | list) else (value,):
            each = getattr(each, 'jaxpr', each)
            if hasattr(each, 'eqns'):
                yield each
