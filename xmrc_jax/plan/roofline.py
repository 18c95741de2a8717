"""Times from what a step computes, moves and sends, all at full rates: estimates, all of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from xmrc_jax.plan.compiled import Compiled
from xmrc_jax.plan.job import Job, batches
from xmrc_jax.plan.topologies import Topology
from xmrc_jax.recipe.objectives import OBJECTIVES
from xmrc_jax.recipe.settings import Run
from xmrc_jax.train.throughput import train_flops

# Windows of 384 tokens, stride 128, cut with XLM-R's tokenizer: docs/results.md, section 3.
WINDOWS = {
    'squad/train': 89_597,
    'mlqa/dev/en': 1_476,
    'xquad/test/en': 1_249,
    'xquad/test/es': 1_275,
    'xquad/test/de': 1_269,
    'xquad/test/ar': 1_292,
    'xquad/test/hi': 1_342,
    'xquad/test/vi': 1_287,
}


@dataclass(frozen=True)
class StepTime:
    """Seconds of one training step."""

    compute: float
    memory: float
    collectives: float  # all of them, hidden or not
    exposed: float  # what of them the device waits for

    @property
    def total(self) -> float:
        return max(self.compute, self.memory) + self.exposed


def step_time(compiled: Compiled, topology: Topology) -> StepTime:
    """The roofline of a training step.

    ``compute`` is the matrix products at the chip's bfloat16 peak, ``memory`` the bytes to and
    from memory at its full bandwidth; the two overlap, so the longer one counts. A collective
    takes what a device sends, by the algorithm that sends least, over all its links at their
    full rate. Those that XLA left synchronous are waited for; asynchronous ones hide behind the
    computation as far as it reaches. So

        step = max(compute, memory) + synchronous + max(0, asynchronous - max(compute, memory))

    Latency, launches, uneven loads and everything below a peak rate are left out, so expect a
    real step to be slower; only the bytes may be counted too high (caches are not known of).
    The peak is bfloat16's; float32 products, where they are not rounded, are slower still.
    """
    compute = compiled.flops / topology.chip.peak_flops
    memory = compiled.bytes / topology.chip.bandwidth
    sent = {True: 0.0, False: 0.0}
    for each in compiled.collectives:
        sent[each.asynchronous] += each.sent * each.count / topology.link
    exposed = sent[False] + max(0.0, sent[True] - max(compute, memory))
    return StepTime(compute, memory, sum(sent.values()), exposed)


def steps(job: Job, windows: int, epochs: float) -> int:
    """Training steps of a stage over so many windows."""
    return batches(job, windows, 'base').steps(epochs)


def stages_of(run: Run, name: str) -> tuple[str, ...]:
    """The stages whose training steps a step of the recipe makes, each as many as an epoch has."""
    if name == 'teach':
        return () if run.distil.teachers == 'base' else ('base',)  # all branches together
    if name == 'lakm':
        return ('base', 'lakm')
    if name == 'mine':  # folds have readers of their own
        return ('base',) if run.mine.folds > 1 else ()
    return (name,) if name in OBJECTIVES else ()


def recipe_times(
    job: Job,
    parts: dict[str, Compiled],
    topology: Topology,
    windows: int,
    counted: Mapping[str, int] = WINDOWS,
) -> dict[str, float]:
    """Seconds of each step of a run's recipe.

    Windows that are answered are all taken as full. A batch of them computes a third of what
    training does and reads the parameters once; the longer of the two counts.

    Args:
      windows: of the training set.
      counted: windows of the other corpora; those not among them take no time, nor do phrases whose
        boundaries are recovered.
    """
    run, batch = job.run, job.run.evaluate.ask.batch_size
    length_B = np.full(batch, run.data.size.max_tokens)
    flops = train_flops(job.encoder, length_B) / 3 / len(topology.devices)
    parameters = next(iter(parts.values())).parameters
    answer = max(flops / topology.chip.peak_flops, parameters / topology.chip.bandwidth)
    step = {stage: step_time(part, topology).total for stage, part in parts.items()}

    def answered(count: int) -> float:
        return -(-count // batch) * answer

    count, folds, epochs = steps(job, windows, run.train.epochs), run.mine.folds, run.train.epochs
    scored = -(-count // run.train.loop.checkpoint_every)
    dev_set = scored * answered(counted.get(run.data.dev, 0))
    tests = answered(sum(counted.get(each, 0) for each in run.data.tests))
    asked = {'teach': answered(windows), 'mine': answered(windows)}
    asked['score'] = len(OBJECTIVES.keys() & set(run.recipe)) * tests
    times = {}
    for name in run.recipe:
        stages, made = stages_of(run, name), count
        if name == 'mine' and folds > 1:
            made = folds * steps(job, windows - windows // folds, epochs)
        times[name] = made * sum(step[stage] for stage in stages) + asked.get(name, 0.0)
        if stages:
            times['dev set'] = times.get('dev set', 0.0) + dev_set
    return times
