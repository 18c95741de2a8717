"""Times from what a step computes, moves and sends, all at full rates: estimates, all of them."""

from dataclasses import dataclass

import numpy as np

from xmrc_jax.plan.compiled import Compiled, Job, batches
from xmrc_jax.plan.topologies import Topology
from xmrc_jax.train.throughput import train_flops


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


@dataclass(frozen=True)
class Recipe:
    """How much of everything a recipe runs.

    Attributes:
      windows: of the training set, all of them trained on.
      epochs: of a stage.
      folds: readers that mine the training set; 1: the base reader does.
      checkpoint_every: steps; the dev set is scored at each.
      dev_windows: of the dev set.
      test_windows: of all test sets together; each trained reader answers them.
      predict_batch: windows of a batch of prediction.
    """

    windows: int
    epochs: float
    folds: int
    checkpoint_every: int
    dev_windows: int
    test_windows: int
    predict_batch: int

    def steps(self, job: Job) -> int:
        """Training steps of a stage."""
        return batches(job, self.windows, 'base').steps(self.epochs)

    def fold_steps(self, job: Job) -> int:
        """Training steps of all readers that mine a fold."""
        if self.folds == 1:
            return 0
        others = self.windows - self.windows // self.folds
        return self.folds * batches(job, others, 'base').steps(self.epochs)


def predict_time(job: Job, parameters: int, windows: int, batch: int, topology: Topology) -> float:
    """Seconds to answer windows, all taken as full, in batches.

    A batch computes a third of what training does and reads the parameters once; the longer of
    the two counts.
    """
    flops = train_flops(job.encoder, np.full(batch, job.max_tokens)) / 3 / len(topology.devices)
    bound = max(flops / topology.chip.peak_flops, parameters / topology.chip.bandwidth)
    return -(-windows // batch) * bound


def recipe_times(
    recipe: Recipe, steps: tuple[str, ...], job: Job, parts: dict, topology: Topology
) -> dict[str, float]:
    """Seconds of each step of the recipe.

    Args:
      recipe: how much of everything.
      steps: of 'base', 'mine', 'two_stage' and 'score', those that are run.
      job: as it is run.
      parts: 'base' and 'two_stage' -> Compiled, those that are trained.
      topology: where.
    """
    parameters = next(iter(parts.values())).parameters

    def answer(windows):
        return predict_time(job, parameters, windows, recipe.predict_batch, topology)

    times = {}
    for step in steps:
        if step in parts:
            count = recipe.steps(job)
            scored = -(-count // recipe.checkpoint_every)
            times[step] = count * step_time(parts[step], topology).total
            times['dev set'] = times.get('dev set', 0.0) + scored * answer(recipe.dev_windows)
        elif step == 'mine':
            times[step] = answer(recipe.windows)
            if recipe.folds > 1:
                each = step_time(parts['base'], topology).total
                times[step] += recipe.fold_steps(job) * each
        elif step == 'score':
            times[step] = len(parts) * answer(recipe.test_windows)
    return times
