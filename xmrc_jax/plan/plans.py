"""A configuration on a topology: what is compiled, whether it fits, and what would."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from xmrc_jax.ground.errors import UserError
from xmrc_jax.plan import remedies
from xmrc_jax.plan.compiled import Job, TooLargeError, compile_for
from xmrc_jax.plan.roofline import Recipe
from xmrc_jax.recipe.settings import Run

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

MEAN_TOKENS = 195  # of a window of squad/train, likewise
# Of XLM-R's table, and of one of its tokenizer's with spare rows, in squad/train, likewise.
USED_ROWS = {250_002: 33_035, 250_037: 33_035}


@dataclass(frozen=True)
class Plan:
    """What came of a configuration on a topology.

    Attributes:
      job: as it is planned: as configured, or with the first change that fits.
      parts: stage -> Compiled; empty where nothing fits.
      overrides: the change, as flags; '' where there is none.
    """

    job: Job
    parts: dict
    overrides: str = ''


def job_of(run: Run, devices: int) -> Job:
    """The training of a run on that many devices."""
    encoder, max_tokens = run.model.encoder, run.data.size.max_tokens
    return Job(
        encoder=encoder,
        optimizer=run.train.optimizer,
        method=run.method.reading,
        candidates=run.mine.candidates,
        max_answer_tokens=run.evaluate.ask.max_answer_tokens,
        batch_size=run.train.global_batch(devices),
        max_tokens=max_tokens,
        mean_tokens=min(MEAN_TOKENS, max_tokens),
        used_rows=USED_ROWS.get(encoder.vocabulary, encoder.vocabulary),
        **asdict(run.mesh),
    )


def recipe_of(run: Run, windows: int) -> tuple[Recipe, list[str]]:
    """How much the recipe runs, and the sets whose windows were never counted."""
    dev = (run.data.dev,) if run.data.dev else ()
    unknown = [name for name in (*dev, *run.data.tests) if name not in WINDOWS]
    return Recipe(
        windows=windows,
        epochs=run.train.epochs,
        folds=run.mine.folds,
        checkpoint_every=run.train.loop.checkpoint_every,
        dev_windows=sum(WINDOWS.get(name, 0) for name in dev),
        test_windows=sum(WINDOWS.get(name, 0) for name in run.data.tests),
        predict_batch=run.evaluate.ask.batch_size,
    ), unknown


def overrides(run: Run, job, changed, devices: int) -> str:
    """The flags that turn a job into a changed one."""
    found = []
    if changed.encoder.remat != job.encoder.remat:
        found.append('--config.model.remat=True')
    if changed.data != job.data:
        found.append(f'--config.mesh.data={changed.data}')
    if changed.fsdp != job.fsdp:
        found.append(f'--config.mesh.fsdp={changed.fsdp}')
    if changed.batch_size != job.batch_size:
        each = devices if run.train.batch_size_per == 'device' else 1
        found.append(f'--config.train.batch_size={changed.batch_size // each}')
    return ' '.join(found)


def make(run: Run, topology, report: Callable[[str], None]) -> Plan:
    """Compile what the configuration trains, and where it does not fit, what would.

    Args:
      run: whose training is planned.
      topology: from ``planning.topologies``.
      report: called with a line for why it cannot be as configured, and for each change tried.

    Raises:
      UserError: nothing to train, sizes that do not divide, a failing compiler.
    """

    count = len(topology.devices)
    stages = tuple(stage for stage in ('base', 'two_stage') if stage in run.recipe)
    if not stages:
        raise UserError("recipe: nothing is trained; name 'base' or 'two_stage'")
    configured = job = job_of(run, count)
    mesh = job.mesh(topology.devices)
    parts_of_batch = mesh.shape['data'] * mesh.shape['fsdp']
    if job.batch_size % parts_of_batch:
        job = replace(job, batch_size=math.ceil(job.batch_size / parts_of_batch) * parts_of_batch)
        report(
            f'as configured it does not run: a global batch of {configured.batch_size} windows '
            f'does not divide by {parts_of_batch} devices'
        )

    def changed_by(changed):
        return overrides(run, configured, changed, count)

    parts = {}
    try:
        for stage in reversed(stages):
            parts[stage] = compile_for(job, stage, topology)
        if all(remedies.fits(part, topology) for part in parts.values()):
            return Plan(job, {stage: parts[stage] for stage in stages}, changed_by(job))
        most = max(part.memory for part in parts.values())
    except TooLargeError as error:
        most = error.needed
    needed = f'{most / 1e9:.2f} GB' if most else 'more than there is'
    report(f'does not fit: needs {needed} of {topology.memory / 1e9:.2f} GB a device')
    found = remedies.first_that_fits(
        job, stages, topology, lambda changed, what: report(f'  with {changed_by(changed)}: {what}')
    )
    if found is None:
        return Plan(job, {})
    return Plan(*found, changed_by(found[0]))
