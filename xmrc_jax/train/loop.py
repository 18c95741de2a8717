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
from xmrc_jax.ground.choices import require
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import write_text
from xmrc_jax.processes import cluster, preemption
from xmrc_jax.train import sharding
from xmrc_jax.train.checkpoints import Checkpoints
from xmrc_jax.train.health import Health
from xmrc_jax.train.log import MetricLog, told_scores
from xmrc_jax.train.optimizer import OptimizerConfig, build, decay
from xmrc_jax.train.profile import Profile
from xmrc_jax.train.step import Objective, TrainState, compiled_step, initial_state
from xmrc_jax.train.throughput import Meter
from xmrc_jax.train.vocabulary import Vocabulary, decayed, parked, table

# Which parameters a stage may report: the checkpoint with the best dev F1, the last one, or the
# mean of the last few.
SELECTIONS = ('best', 'last', 'average')


@dataclass(frozen=True)
class LoopConfig:
    """How often to look, and what to keep.

    Attributes:
      checkpoint_every: steps; the dev set is scored at each checkpoint.
      keep: newest checkpoints kept, besides the best; 0: all.
      log_every: steps.
      selection: the reported one of SELECTIONS.
      average: the last checkpoints whose mean is 'average'; all where there are fewer.
    """

    checkpoint_every: int
    keep: int
    log_every: int
    selection: str
    average: int

    def __post_init__(self):
        require(SELECTIONS, self.selection, 'train.selection')
        if self.keep < 0 or self.average < 1:
            raise UserError(
                'train.keep must be at least 0 and train.average at least 1, '
                f'not {self.keep} and {self.average}'
            )

    def due(self, step: int, steps: int) -> bool:
        """Whether a checkpoint is saved and scored after so many updates, of so many."""
        return step == steps or (step > 0 and step % self.checkpoint_every == 0)


@dataclass(frozen=True)
class Selected:
    """The checkpoints that a finished stage may report, and which of them it does.

    Attributes:
      selection: the reported one of ``choices``.
      step: the newest of its checkpoints.
      f1: dev F1 of that checkpoint in percent; None where no dev set is scored, and of a mean.
      choices: for each of SELECTIONS the checkpoints whose mean it is.
    """

    selection: str
    step: int
    f1: float | None
    choices: dict[str, list[int]]

    @classmethod
    def of(cls, loop: LoopConfig, kept: list[int], best: int | None, scores: dict[int, float]):
        """Without a dev set the best is the last."""
        last = [kept[-1]]
        choices = {
            'best': last if best is None else [best],
            'last': last,
            'average': kept[-loop.average :],
        }
        steps = choices[loop.selection]
        return cls(
            loop.selection, steps[-1], scores.get(steps[-1]) if len(steps) == 1 else None, choices
        )


def train(
    loop: LoopConfig,
    *,
    steps: int,
    profile: int,
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
    question_ids: Callable[[int], list[str]],
    dev_f1: Callable[[dict], float] | None = None,
    label: str = 'train',
) -> Selected:
    """Train until done, from this folder's newest sound checkpoint if there is one.

    At every multiple of ``checkpoint_every``, and at the end, the state is saved in the background
    and then scored; a run that is continued scores first what was saved and not scored.

    Args:
      steps: updates of the whole stage.
      profile: steps to record for jax.profiler; 0: none.
      objective: of the reader of the used rows.
      batches: of windows in the numbers of the used rows.
      vocabulary: the token rows in use. Nobody outside this loop sees a reader of these alone.
      abstract_params: shapes of the parameters, all rows included.
      init: makes the first parameters, called only where there is nothing to continue from. Every
        process makes all of them.
      seed: of the dropout; with the batches' own seed it fixes the run.
      folder: receives ``checkpoints/``, ``metrics.jsonl``, ``tensorboard/`` and, last of all,
        ``selected.json``; where that exists nothing is trained.
      flops: training FLOPs of windows with these lengths, for the MFU.
      question_ids: ids in the batch of a step, to be named where training fails.
      dev_f1: scores parameters on the dev set, in percent.
      label: of the progress bar.

    Returns:
      What was selected among ``folder / 'checkpoints'``.

    Raises:
      UserError: the loss is not finite, or a checkpoint cannot be written.
      Stopped: SIGTERM was heard; the state is saved.
    """
    finished = folder / 'selected.json'
    if cluster.decided(finished.exists()):
        return Selected(**json.loads(finished.read_text()))

    scores: dict[int, float] = {}
    due = partial(loop.due, steps=steps)
    checkpoints = Checkpoints(folder / 'checkpoints', keep=loop.keep, scores=scores, due=due)
    state, start_VD = _begin(
        checkpoints, vocabulary, abstract_params, init, build(optimizer, steps), mesh
    )
    shardings = jax.tree.map(lambda leaf: leaf.sharding, state)
    first = int(state.step)
    log = MetricLog(folder, resume_from=first) if cluster.is_first() else None
    told = cluster.decided(told_scores(folder) if log else {})
    scores |= {int(step): f1 for step, f1 in told.items()}
    write = log.write if log else lambda step, metrics: None
    meter = Meter(write, every=loop.log_every, flops=flops)
    health = Health(folder, question_ids)
    recorder = Profile(folder / 'profile', profile if cluster.is_first() else 0)

    def arrive(step: int, told: bool) -> None:
        """What is due between two steps: save, stop, score."""
        if not due(step) and not told:
            return
        meter.pause()
        health.check()
        if told:
            preemption.begin_saving()
        params = vocabulary.whole(state.params, start_VD)
        decay_V = vocabulary.decay_V(decay(optimizer, steps, step))
        decay_V = sharding.spread(decay_V, shardings.step)
        if step != checkpoints.newest:
            checkpoints.save(step, replace(state, params=params), decay_V)
        if told:
            raise preemption.Stopped
        if dev_f1 is not None and step not in scores:
            scores[step] = dev_f1(decayed(params, decay_V))
            write(step, {'dev_f1': scores[step]})
        meter.pause()

    step_fn = compiled_step(objective, optimizer, steps, shardings)
    run_key = jax.jit(partial(jax.random.key, seed), out_shardings=shardings.step)()
    share = sharding.Share(mesh, batches.batch_size)

    def put(batch: dict[str, np.ndarray]) -> dict[str, jax.Array]:
        if jax.process_count() > 1:  # one process need not ask the others
            batch['stop_B'] = np.full(len(share.rows), preemption.told())
        return share.put(batch)

    inputs = prefetch(
        (batches.batch_at(step, share.rows, share.groups) for step in range(first, steps)),
        put,
    )
    progress = tqdm(inputs, label, steps, initial=first, unit='step', smoothing=0.1)
    told = False
    try:
        with preemption.saving_first():
            for step, batch in enumerate(progress, first):
                arrive(step, told or (jax.process_count() == 1 and preemption.told()))
                recorder.before(step - first)
                with jax.transfer_guard('disallow'):
                    state, metrics = step_fn(state, batch, run_key)
                told = health.add(step, metrics.pop('vitals'))
                places = batch['token_GRP'].size
                meter.add(step + 1, metrics, batches.lengths_at(step), places)
                checkpoints.check()
            arrive(steps, told=False)
            checkpoints.wait()
    except preemption.Stopped:
        checkpoints.wait()
        raise preemption.Stopped(
            f'stopped by SIGTERM, {label} is saved at step {checkpoints.newest} of {steps}'
        ) from None
    finally:
        progress.close()
        recorder.end()
        checkpoints.close()
        if log:
            log.close()
    selected = Selected.of(loop, checkpoints.kept(), checkpoints.best(), scores)
    if cluster.is_first():
        write_text(finished, json.dumps(asdict(selected)))
    cluster.barrier()
    return selected


def _begin(
    checkpoints, vocabulary, abstract_params, init, adamw, mesh
) -> tuple[TrainState, jax.Array]:
    """The state to go on from, and all token rows as this stage found them."""
    initialised = partial(initial_state, optimizer=adamw)
    abstract = jax.eval_shape(lambda params: initialised(vocabulary.used(params)), abstract_params)
    shardings = sharding.of(abstract, mesh)
    restored = checkpoints.restore(sharding.placed(replace(abstract, params=abstract_params), mesh))
    if restored is None:
        params = sharding.spread(init(), sharding.of(abstract_params, mesh))
    else:
        params = restored.params
    used = jax.jit(vocabulary.used, out_shardings=shardings.params)(params)
    if restored is None:
        state = jax.jit(initialised, out_shardings=shardings)(used)
    else:
        state = replace(restored, params=used)
    return state, parked(table(params['reader']))
