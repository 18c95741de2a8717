"""A configuration on a topology: what is compiled, whether it fits, and what would."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

from xmrc_jax.ground.errors import UserError
from xmrc_jax.plan.compiled import Compiled, TooLargeError, compile_for
from xmrc_jax.plan.job import Job
from xmrc_jax.plan.roofline import stages_of
from xmrc_jax.plan.topologies import Topology
from xmrc_jax.recipe.objectives import OBJECTIVES
from xmrc_jax.recipe.settings import Run
from xmrc_jax.train import sharding

MEAN_TOKENS = 195  # of a window of squad/train, as XLM-R cuts it: docs/results.md, section 3
# Of XLM-R's table, and of one of its tokenizer's with spare rows, in squad/train, likewise.
USED_ROWS = {250_002: 33_035, 250_037: 33_035}


@dataclass(frozen=True)
class Plan:
    """What came of a configuration on a topology."""

    job: Job  # as it is planned: as configured, or with the first change that fits
    parts: dict[str, Compiled]  # by stage; empty where nothing fits
    overrides: str = ''  # the change, as flags


def job_of(run: Run, devices: int) -> Job:
    """The training of a run on that many devices."""
    encoder = run.model.encoder
    return Job(
        run,
        encoder,
        batch_size=run.train.global_batch(devices),
        mean_tokens=min(MEAN_TOKENS, run.data.size.max_tokens),
        used_rows=USED_ROWS.get(encoder.vocabulary, encoder.vocabulary),
        accumulate=run.train.accumulate,
        **asdict(run.mesh),
    )


def overrides(job: Job, changed: Job, devices: int) -> str:
    """The flags that turn a job into a changed one."""
    each = devices if job.run.train.batch_size_per == 'device' else 1
    leaves = {
        'model.remat': (job.encoder.remat, changed.encoder.remat),
        'mesh.data': (job.data, changed.data),
        'mesh.fsdp': (job.fsdp, changed.fsdp),
        'train.batch_size': (job.batch_size // each, changed.batch_size // each),
        'train.accumulate': (job.accumulate, changed.accumulate),
    }
    return ' '.join(f'--config.{name}={new}' for name, (old, new) in leaves.items() if old != new)


def make(run: Run, topology: Topology, report: Callable[[str], None]) -> Plan:
    """Compile what the configuration trains, and where it does not fit, what would.

    ``report`` gets a line for why it cannot be as configured, and for each change tried.

    Raises:
      UserError: nothing to train, sizes that do not divide, a failing compiler.
    """
    count = len(topology.devices)
    stages = list(dict.fromkeys(each for name in run.recipe for each in stages_of(run, name)))
    if not stages:
        raise UserError(f'recipe: nothing is trained; name {" or ".join(OBJECTIVES)}')
    configured = job = job_of(run, count)
    divided = sharding.batch_parts(job.mesh(topology.devices))
    if job.batch_size % divided:
        job = replace(job, batch_size=math.ceil(job.batch_size / divided) * divided)
        report(
            f'as configured it does not run: a global batch of {configured.batch_size} windows '
            f'does not divide by {divided} devices'
        )
    try:
        return Plan(job, fitting(job, stages, topology), overrides(configured, job, count))
    except TooLargeError as error:
        report(f'does not fit: {error} of {topology.memory / 1e9:.2f} GB a device')
    for changed in changes(job, count):
        flags = overrides(configured, changed, count)
        try:
            parts = fitting(changed, stages, topology)
        except (TooLargeError, UserError) as error:
            report(f'  with {flags}: {error}')
        else:
            report(f'  with {flags}: fits')
            return Plan(changed, parts, flags)
    return Plan(job, {})


def fitting(job: Job, stages: list[str], topology: Topology) -> dict[str, Compiled]:
    """Every stage, compiled; the last, which is the heaviest, first.

    Raises:
      UserError: as ``compile_for``.
      TooLargeError: one does not fit. Of a simulated device nothing is known: there all do.
    """
    parts = {}
    for stage in reversed(stages):
        parts[stage] = compile_for(job, stage, topology)
        if topology.memory is not None and parts[stage].memory > topology.memory:
            raise TooLargeError(parts[stage].memory)
    return {stage: parts[stage] for stage in stages}


def changes(job: Job, devices: int) -> Iterator[Job]:
    """Jobs that need less memory and compute the same: remat, fsdp over the devices, both, then the
    batch in two parts, in four and so on.

    fsdp takes as many of the devices as the width divides by.
    """
    split = {'data': -1, 'fsdp': math.gcd(job.encoder.width, devices // job.model)}
    remat = replace(job, encoder=replace(job.encoder, remat=True))
    found = [job, remat, replace(job, **split), replace(remat, **split)]
    each = job.batch_size // (devices // job.model)
    while each % (twice := 2 * found[-1].accumulate) == 0:
        found.append(replace(found[-1], accumulate=twice))
    yield from list(dict.fromkeys(found))[1:]
