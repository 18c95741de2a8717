"""Plans as text for a terminal of 100 columns. A GB is 10^9 bytes."""

import textwrap
from collections import Counter
from collections.abc import Iterator

from xmrc_jax.answers.soft_targets import BYTES
from xmrc_jax.plan.compiled import Compiled
from xmrc_jax.plan.job import Job
from xmrc_jax.plan.plans import Plan
from xmrc_jax.plan.roofline import WINDOWS, recipe_times, step_time, steps
from xmrc_jax.plan.topologies import Topology

SHOWN = 12  # collectives, those that move most


def head(job: Job, topology: Topology) -> Iterator[str]:
    """What is planned for what."""
    devices = topology.devices
    mesh = ' '.join(f'{axis}={size}' for axis, size in job.mesh(devices).shape.items())
    remat = ', remat' if job.encoder.remat else ''
    hosts = f' on {topology.hosts} hosts' if topology.hosts > 1 else ''
    rows = f'{job.used_rows:,} of {job.encoder.vocabulary:,} token rows'
    windows = f'{job.batch_size} windows of {job.mean_tokens} real tokens'
    parts = f', in {job.accumulate} parts' if job.accumulate > 1 else ''
    name, tuning = job.run.model.name or job.encoder.family, job.run.train.tuning
    below = f' and the first {tuning.freeze} layers' if tuning.freeze > 0 else ''
    yield f'{topology.name}: {len(devices)} x {devices[0].device_kind}{hosts}, mesh {mesh}'
    yield f'{name}: {rows} trained, {job.encoder.dtype}{remat}'
    yield f'global batch {windows}, at most {job.run.data.size.max_tokens}{parts}'
    if tuning.lora_rank:
        yield f'trained: the head and adapters of rank {tuning.lora_rank}'
    if tuning.freeze >= 0:
        yield f'frozen: the embeddings{below}'


def body(parts: dict[str, Compiled], topology: Topology) -> Iterator[str]:
    """What each stage needs of a device; all of them fit."""
    for stage, part in parts.items():
        yield f'\n{stage}, one training step, on each device'
        rows = (
            ('parameters', amount(part.parameters), 'float32; from shapes and shardings'),
            ("optimizer, Adam's two moments", amount(part.moments), 'likewise'),
            ('activations and other temporaries', amount(part.temporaries), "XLA's own analysis"),
            ('batch, metrics, program, padding', amount(part.rest), 'likewise'),
            ('together', amount(part.memory), _verdict(topology)),
            ('FLOPs', amount(part.flops, 'FLOP'), 'matrix products of the traced step'),
            ('bytes to and from memory', amount(part.bytes), 'estimate: compiled text, no caches'),
        )
        for label, size, source in rows:
            yield f'  {label:34}{size:>10}   {source}'
        yield from _collectives(part)


def _verdict(topology: Topology) -> str:
    if topology.memory is None:
        return "the host's memory: not judged"
    share = '' if topology.chip.axes else f"{topology.memory_share:.0%} (JAX's share) of "
    return f"fits in {share}the chip's {amount(topology.chip.memory)}"


def _collectives(part: Compiled) -> Iterator[str]:
    """Those that move most, each with its bytes, and the sum of the others of each kind."""
    alike = Counter()
    for each in part.collectives:
        alike[each._replace(count=1)] += each.count
    total = sum(each.size * count for each, count in alike.items())
    yield f'  {"collectives":34}{amount(total):>10}   whole arrays, times the runs of their loop'
    ordered = sorted(alike.items(), key=lambda pair: -pair[0].size * pair[1])
    for each, count in ordered[:SHOWN]:
        how = 'asynchronous' if each.asynchronous else 'synchronous'
        yield (
            f'    {each.kind:19}{each.shape:18}{count:3} x{amount(each.size):>10} '
            f'  over {each.devices} devices, {how}'
        )
    others, sizes = Counter(), Counter()
    for each, count in ordered[SHOWN:]:
        others[each.kind] += count
        sizes[each.kind] += each.size * count
    for kind, count in others.items():
        yield f'    {kind:19}{"smaller ones":18}{count:3}  {amount(sizes[kind]):>10}   together'


def amount(number: float, unit: str = 'B') -> str:
    """A number with a decimal prefix.

    >>> amount(768_006_144), amount(12.0), amount(4.24e11, 'FLOP')
    ('768.01 MB', '12.00 B', '424.00 GFLOP')
    """
    for prefix, size in (('T', 1e12), ('G', 1e9), ('M', 1e6), ('k', 1e3)):
        if number >= size:
            return f'{number / size:.2f} {prefix}{unit}'
    return f'{number:.2f} {unit}'


def times(plan: Plan, windows: int, topology: Topology) -> Iterator[str]:
    """The roofline: of a step, and of the recipe."""
    run = plan.job.run
    count = steps(plan.job, windows, run.train.epochs)
    yield f'\n{windows:,} training windows, {run.train.epochs:g} epochs: {count:,} steps a stage'
    if 'teach' in run.recipe:
        size = windows * plan.job.mean_tokens * plan.job.teachers * BYTES
        yield f'soft targets: {amount(size)} on disk'
    if topology.chip is None:
        yield 'estimated time: none, a data sheet says nothing of simulated devices; measured: none'
        return
    yield 'estimated times (roofline at data-sheet bfloat16 peaks; expect a real step to be slower)'
    for stage, part in plan.parts.items():
        step = step_time(part, topology)
        yield (
            f'  {stage:10} step {1e3 * step.total:8.1f} ms = max(compute {1e3 * step.compute:.1f}, '
            f'memory {1e3 * step.memory:.1f}) + exposed collectives {1e3 * step.exposed:.1f} '
            f'of {1e3 * step.collectives:.1f}'
        )
    found = recipe_times(plan.job, plan.parts, topology, windows)
    each_step = ', '.join(f'{name} {duration(seconds)}' for name, seconds in found.items())
    yield f'  recipe     {duration(sum(found.values()))} = {each_step}'
    corpora = (run.data.dev, *run.data.tests)
    if unknown := ' '.join(name for name in corpora if name and name not in WINDOWS):
        line = f'  not counted, for want of their number of windows: {unknown}'
        yield from textwrap.wrap(line, width=98, subsequent_indent='    ')
    yield 'measured on this kind of device: none'


def duration(seconds: float) -> str:
    for unit, size in (('h', 3600), ('min', 60)):
        if seconds >= size:
            return f'{seconds / size:.1f} {unit}'
    return f'{seconds:.1f} s'
