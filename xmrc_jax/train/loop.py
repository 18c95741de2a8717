"""The one training loop. A stage is an objective, a table and a folder; the loop knows none."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import jax
import numpy as np

from xmrc_jax.data.batches import Batches
from xmrc_jax.data.prefetch import prefetch
from xmrc_jax.ground.files import write_json
from xmrc_jax.ground.values import leaf
from xmrc_jax.model.tuning import Tuning, whole
from xmrc_jax.processes import agreement, identity, sigterm
from xmrc_jax.train import sharding
from xmrc_jax.train.ahead import Ahead
from xmrc_jax.train.checkpoints import Checkpoints
from xmrc_jax.train.health import Health
from xmrc_jax.train.inputs import Inputs
from xmrc_jax.train.log import MetricLog, dev_scores
from xmrc_jax.train.loggers import LOGGERS
from xmrc_jax.train.optimizer import OptimizerConfig, build, decay
from xmrc_jax.train.parts import parts_of, state_of
from xmrc_jax.train.profile import Profile
from xmrc_jax.train.programs import Programs, counted
from xmrc_jax.train.screen import Screen
from xmrc_jax.train.signals import must_stop
from xmrc_jax.train.step import Objective, TrainState, compiled_step, initial_state
from xmrc_jax.train.throughput import Meter
from xmrc_jax.train.vocabulary import Vocabulary

# Which parameters a stage may report: the checkpoint with the best dev F1, the last one, or the
# mean of the last few.
SELECTIONS = ('best', 'last', 'average')


@dataclass(frozen=True)
class LoopConfig:
    """How often to look, and what to keep."""

    checkpoint_every: int = leaf(at_least=1)  # steps; the dev set is scored at each checkpoint
    keep: int = leaf(at_least=0)  # newest checkpoints, besides the best; 0: all
    log_every: int = leaf(at_least=1)  # steps
    selection: str = leaf(one_of=SELECTIONS)  # the reported one
    average: int = leaf(at_least=1)  # the last whose mean is 'average'; all where there are fewer
    patience: int = leaf(before=0, at_least=0)  # checkpoints without a better dev F1; 0: no end
    loggers: tuple[str, ...] = leaf(before=(), where=True, one_of=LOGGERS)  # see ``loggers``

    def due(self, step: int, steps: int) -> bool:
        """Whether a checkpoint is saved and scored after so many of all updates."""
        return step == steps or (step > 0 and step % self.checkpoint_every == 0)

    def exhausted(self, scores: Mapping[int, float]) -> bool:
        """Whether so many checkpoints in a row are no better than one before, dev F1 by step."""
        if not self.patience or not scores:
            return False
        best = max(scores, key=lambda step: (scores[step], -step))
        return sum(step > best for step in scores) >= self.patience


@dataclass(frozen=True)
class Selected:
    """The checkpoints that a finished stage may report, and which of them it does."""

    selection: str  # the reported one of ``choices``
    step: int  # the newest of its checkpoints
    f1: float | None  # on the dev set, in percent; None where none is scored, and of a mean
    choices: dict[str, list[int]]  # for each of SELECTIONS the checkpoints whose mean it is

    @classmethod
    def of(cls, loop: LoopConfig, kept: list[int], best: int | None, scores: dict[int, float]):
        """Without a dev set the best is the last."""
        choices = {
            'best': kept[-1:] if best is None else [best],
            'last': kept[-1:],
            'average': kept[-loop.average :],
        }
        *others, step = choices[loop.selection]
        return cls(loop.selection, step, None if others else scores.get(step), choices)


@dataclass(frozen=True)
class Training:
    """One stage: what is trained, on what, and where it is kept."""

    loop: LoopConfig
    steps: int  # updates of the whole stage
    objective: Objective  # of the reader of the used rows
    optimizer: OptimizerConfig
    batches: Batches  # of windows in the numbers of the used rows
    accumulate: int  # parts in which a device computes its windows, as the objective's encoder has
    tuning: Tuning  # of the whole parameters what is trained, likewise
    vocabulary: Vocabulary  # these rows; nobody outside the loop sees parameters of them alone
    abstract_params: dict  # shapes of the whole parameters
    init: Callable[[], dict]  # makes the first ones, in every process; called where nothing is kept
    mesh: jax.sharding.Mesh
    seed: int  # of the dropout; with the batches' own seed it fixes the run
    folder: Path
    flops: Callable[[np.ndarray], float]  # of training on windows of these lengths, for the MFU
    question_ids: Callable[[int], list[str]]  # in the batch of a step, named where training fails
    dev_f1: Callable[[dict], float] | None  # of parameters on the dev set, in percent
    profile: int  # steps to record for jax.profiler
    label: str  # of the progress bar


@dataclass(frozen=True)
class _Landing:
    """What is due between two steps: save, stop, score."""

    stage: Training
    start_VD: jax.Array  # all token rows, parked
    checkpoints: Checkpoints
    scores: dict[int, float]
    write: Callable
    meter: Meter
    health: Health

    def between(self, step: int, state: TrainState, stop: bool) -> bool:
        """So many updates are made; whether the stage ends here, before its last.

        Raises:
          Stopped: the run must stop; its state is being saved.
        """
        stage = self.stage
        if not stage.loop.due(step, stage.steps) and not stop:
            return False
        if stop:
            sigterm.begin_saving()  # before the steps that are queued are waited for
        self.meter.pause()
        self.health.check()
        shrunk = 1.0 if 'embed' in state.fixed else decay(stage.optimizer, stage.steps, step)
        params = whole(state.params, state.fixed)
        stored = stage.vocabulary.whole(params, self.start_VD, shrunk)
        if step != self.checkpoints.newest:
            state = replace(state, params=stored.params)
            self.checkpoints.save(step, parts_of(state, stored.decay))
        if stop:
            raise sigterm.Stopped
        if stage.dev_f1 is not None and step not in self.scores:
            self.scores[step] = stage.dev_f1(stored.now())
            self.write(step, {'dev_f1': self.scores[step]})
        self.meter.pause()
        return stage.loop.exhausted(self.scores)


def train(stage: Training) -> None:
    """Train until done, from its folder's newest sound checkpoint if there is one.

    It is done after its last step, or where ``patience`` has run out. At every multiple of
    ``checkpoint_every``, and at the end, the state is saved in the background and then scored; a
    run that is continued scores first what was saved and not scored. The folder receives
    ``checkpoints/``, ``metrics.jsonl``, ``tensorboard/`` and, last of all, ``selected.json``: where
    that exists nothing is trained.

    Raises:
      UserError: the loss is not finite, or a checkpoint cannot be written.
      Stopped: SIGTERM or Ctrl-C was heard; the state is saved.
    """
    loop, folder, steps = stage.loop, stage.folder, stage.steps
    finished = folder / 'selected.json'
    if agreement.decided(finished.exists()):
        return
    due, scores = partial(loop.due, steps=steps), {}
    checkpoints = Checkpoints(folder / 'checkpoints', keep=loop.keep, scores=scores, due=due)
    with counted() as programs:
        _train(stage, checkpoints, scores, programs)
    selected = Selected.of(loop, checkpoints.kept(), checkpoints.best(), scores)
    if identity.is_first():
        write_json(finished, asdict(selected))
    agreement.barrier()


def _train(
    stage: Training, checkpoints: Checkpoints, scores: dict[int, float], programs: Programs
) -> None:
    """Make the steps that are left, and put into ``checkpoints`` and ``scores`` what they give."""
    loop, folder, steps = stage.loop, stage.folder, stage.steps
    state, start_VD = _begin(stage, checkpoints)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, state)
    first = int(state.step)
    log, previous = _opened(stage, first)
    scores |= previous
    inputs = Inputs(stage.batches, steps, stage.mesh, stage.accumulate)
    screen = Screen(stage.label, prefetch(range(first, steps), inputs.at), steps, first)

    def write(step: int, metrics: dict) -> None:
        screen.show(metrics)
        if log:
            log.write(step, metrics)

    meter = Meter(write, every=loop.log_every, flops=stage.flops)
    health = Health(folder, stage.question_ids)
    trace = Profile(folder / 'profile', stage.profile if identity.is_first() else 0)
    landing = _Landing(stage, start_VD, checkpoints, scores, write, meter, health)
    run_key = jax.jit(partial(jax.random.key, stage.seed), out_shardings=shardings.step)()
    step_fn = compiled_step(stage.objective, stage.optimizer, steps, shardings)
    step_fns = Ahead(step_fn, inputs, first, state, run_key)
    stop = False
    try:
        with sigterm.saving_first():
            for step, (batch, signals) in enumerate(screen, first):
                if landing.between(step, state, stop or must_stop()):
                    print(f'{stage.label}: dev F1 rises no more, ends at step {step} of {steps}')
                    break
                trace.before(step - first)
                step_fn = step_fns[step]
                with jax.transfer_guard('disallow'):
                    state, metrics = step_fn(state, batch, run_key, signals)
                stop = health.add(step, metrics.pop('vitals'))
                sigterm.step_ended()
                lengths_B = stage.batches.lengths_at(step)
                meter.add(step + 1, metrics, lengths_B, batch.token_GRP.size)
                checkpoints.check()
            else:
                landing.between(steps, state, stop=False)
            checkpoints.wait()
        if first < steps:
            write(checkpoints.newest, programs.metrics)
    except sigterm.Stopped:
        checkpoints.wait()
        at = f'saved at step {checkpoints.newest} of {steps}'
        raise sigterm.Stopped(f'stopped by {sigterm.cause()}, {stage.label} is {at}') from None
    finally:
        screen.close()
        step_fns.close()
        trace.end()
        checkpoints.close()
        if log:
            log.close()
    if first < steps:
        print(f'{stage.label}: {programs}', flush=True)


def _opened(stage: Training, first: int) -> tuple[MetricLog | None, dict[int, float]]:
    """The log, which the first process alone writes, and the dev F1 of each step scored before."""
    own = {'resume_from': first, 'loggers': stage.loop.loggers}
    log = MetricLog(stage.folder, **own) if identity.is_first() else None
    scores = agreement.decided(dev_scores(stage.folder) if log else {})
    return log, {int(step): f1 for step, f1 in scores.items()}


def _begin(stage: Training, checkpoints: Checkpoints) -> tuple[TrainState, jax.Array]:
    """The state to go on from, and all token rows, parked meanwhile."""
    vocabulary, mesh, abstract_params = stage.vocabulary, stage.mesh, stage.abstract_params
    optimizer = build(stage.optimizer, stage.steps)

    def parted(params):
        return stage.tuning.parted(vocabulary.used(params))

    def initialised(trained, fixed):
        return initial_state(trained, optimizer, fixed)

    abstract = jax.eval_shape(lambda params: initialised(*parted(params)), abstract_params)
    shardings = sharding.of(abstract, mesh)
    stored = sharding.placed(replace(abstract, params=abstract_params), mesh)
    parts = checkpoints.restore(parts_of(stored))
    if parts is None:
        params = sharding.spread(stage.init(), sharding.of(abstract_params, mesh))
    else:
        params = state_of(parts).params
    own = jax.jit(parted, out_shardings=(shardings.params, shardings.fixed))(params)
    if parts is None:
        state = jax.jit(initialised, out_shardings=shardings)(*own)
    else:
        state = replace(state_of(parts), params=own[0], fixed=own[1])
    return state, vocabulary.parked(params)
