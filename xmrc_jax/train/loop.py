"""The one training loop. A stage is an objective and a folder; the loop knows neither."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

from xmrc_jax.data.batches import Batches, prefetch
from xmrc_jax.data.squad import replacing
from xmrc_jax.errors import UserError
from xmrc_jax.train import checkpoints, sharding
from xmrc_jax.train.log import MetricLog
from xmrc_jax.train.optimizer import OptimizerConfig, build
from xmrc_jax.train.step import Objective, compiled_step, initial_state
from xmrc_jax.train.throughput import Meter


@dataclass(frozen=True)
class LoopConfig:
    """How long to train and what to keep."""

    steps: int
    checkpoint_every: int = 1000  # steps; the dev set is scored at each checkpoint
    keep: int = 3  # newest checkpoints kept, besides the best
    log_every: int = 10  # steps
    selection: str = 'best'  # the reported checkpoint: 'best' by dev F1 or 'last'

    def __post_init__(self):
        if self.selection not in ('best', 'last'):
            raise UserError(f"train.selection: 'best' or 'last', not {self.selection!r}")


@dataclass(frozen=True)
class Selected:
    """The checkpoint a finished stage reports."""

    step: int
    f1: float | None  # dev F1 in percent, None where no dev set is scored


def train(
    loop: LoopConfig,
    *,
    objective: Objective,
    optimizer: OptimizerConfig,
    batches: Batches,
    abstract_params: dict,
    init: Callable[[], dict],
    mesh: jax.sharding.Mesh,
    seed: int,
    folder: Path,
    flops: Callable[[np.ndarray], float],
    dev_f1: Callable[[dict], float] | None = None,
    label: str = 'train',
) -> Selected:
    """Train until done, from this folder's newest checkpoint if there is one.

    Args:
      abstract_params: shapes of the parameters.
      init: makes the first parameters, called only where there is nothing to continue from.
      seed: of the dropout; with the batches' own seed it fixes the run.
      folder: receives ``checkpoints/``, ``metrics.jsonl``, ``tensorboard/`` and, last of all,
        ``selected.json``; where that exists nothing is trained.
      flops: training FLOPs of windows with these lengths, for the MFU.
      dev_f1: scores parameters on the dev set, in percent.
      label: of the progress bar.

    Returns:
      The selected checkpoint below ``folder / 'checkpoints'``.
    """
    finished = folder / 'selected.json'
    if finished.exists():
        return Selected(**json.loads(finished.read_text()))

    adamw = build(optimizer, loop.steps)
    abstract = jax.eval_shape(partial(initial_state, optimizer=adamw), abstract_params)
    shardings = sharding.of(abstract, mesh)
    checkpointer = checkpoints.open_folder(
        folder / 'checkpoints', every=loop.checkpoint_every, keep=loop.keep
    )
    state = checkpoints.restore(checkpointer, sharding.placed(abstract, mesh))
    if state is None:
        params = jax.device_put(init(), shardings.params)
        state = jax.jit(partial(initial_state, optimizer=adamw), out_shardings=shardings)(params)
    first = int(state.step)
    step_fn = compiled_step(objective, optimizer, loop.steps, shardings)

    def score_and_save(step: int) -> None:
        meter.pause()
        f1 = None if dev_f1 is None else dev_f1(state.params)
        if f1 is not None:
            log.write(step, {'dev_f1': f1})
        checkpoints.save(checkpointer, step, state, f1, last=step == loop.steps)
        meter.pause()

    run_key = jax.device_put(
        jax.random.key(seed), jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    )
    log = MetricLog(folder, resume_from=first)
    meter = Meter(log, every=loop.log_every, max_tokens=batches.max_tokens, flops=flops)
    own = sharding.rows(mesh, batches.batch_size)
    inputs = prefetch(
        (batches.batch_at(step, own) for step in range(first, loop.steps)),
        lambda batch: (batch['length_B'][batch['real_B']], sharding.put(batch, mesh)),
    )
    progress = tqdm(inputs, label, loop.steps, initial=first, unit='step', smoothing=0.1)
    for step, (length_B, batch) in enumerate(progress, first):
        if step > first and step % loop.checkpoint_every == 0:
            score_and_save(step)
        with jax.transfer_guard('disallow'):
            state, metrics = step_fn(state, batch, run_key)
        meter.add(step + 1, metrics, length_B)
    if first < loop.steps:
        score_and_save(loop.steps)
    log.close()
    checkpointer.wait()
    chosen = checkpoints.best(checkpointer) if loop.selection == 'best' else checkpointer.latest
    selected = Selected(chosen.step, None if dev_f1 is None else chosen.metrics['f1'])
    checkpointer.close()
    with replacing(finished) as part:
        part.write_text(json.dumps(asdict(selected)))
    return selected
