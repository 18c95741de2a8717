"""The one training loop. A stage is an objective and a folder; the loop knows neither."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
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
from xmrc_jax.train.optimizer import OptimizerConfig, build, decay
from xmrc_jax.train.step import Objective, TrainState, compiled_step, initial_state
from xmrc_jax.train.throughput import Meter
from xmrc_jax.train.vocabulary import Vocabulary, decayed, parked, table


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
    vocabulary: Vocabulary,
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
      objective: of the reader of the used rows.
      batches: of windows in the numbers of the used rows.
      vocabulary: the token rows in use. Nobody outside this loop sees a reader of these alone.
      abstract_params: shapes of the parameters, all rows included.
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

    checkpointer = checkpoints.open_folder(
        folder / 'checkpoints', every=loop.checkpoint_every, keep=loop.keep
    )
    state, start_VD = _begin(
        checkpointer, vocabulary, abstract_params, init, build(optimizer, loop.steps), mesh
    )
    first = int(state.step)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, state)
    step_fn = compiled_step(objective, optimizer, loop.steps, shardings)
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())

    def score_and_save(step: int) -> None:
        meter.pause()
        params = vocabulary.whole(state.params, start_VD)
        decay_V = vocabulary.decay_V(decay(optimizer, loop.steps, step))
        decay_V = jax.device_put(decay_V, everywhere)
        f1 = None if dev_f1 is None else dev_f1(decayed(params, decay_V))
        if f1 is not None:
            log.write(step, {'dev_f1': f1})
        saved = replace(state, params=params)
        checkpoints.save(checkpointer, step, saved, decay_V, f1, last=step == loop.steps)
        meter.pause()

    run_key = jax.device_put(jax.random.key(seed), everywhere)
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


def _begin(
    checkpointer, vocabulary, abstract_params, init, adamw, mesh
) -> tuple[TrainState, jax.Array]:
    """The state to go on from, and all token rows as this stage found them."""
    first_state = partial(initial_state, optimizer=adamw)
    abstract = jax.eval_shape(lambda params: first_state(vocabulary.used(params)), abstract_params)
    shardings = sharding.of(abstract, mesh)
    whole = replace(abstract, params=abstract_params)
    restored = checkpoints.restore(checkpointer, sharding.placed(whole, mesh))
    if restored is None:
        params = jax.device_put(init(), sharding.of(abstract_params, mesh))
    else:
        params = restored.params
    used = jax.jit(vocabulary.used, out_shardings=shardings.params)(params)
    if restored is None:
        state = jax.jit(first_state, out_shardings=shardings)(used)
    else:
        state = replace(restored, params=used)
    return state, parked(table(params['reader']))
