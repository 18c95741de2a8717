"""Plan before you pay: what a recipe needs on machines that are not there.

    python -m xmrc_jax.plan --config configs/mlqa.py --topology v5e:4x4
    python -m xmrc_jax.plan --config configs/mlqa.py:xlmr_large --topology h200:8 \\
        --config.train.batch_size=256 --config.mesh.fsdp=8

compiles the training step of every stage for the devices of the topology (named as in
``planning.topologies``) and prints what it needs and an estimate of the time. Nothing is run, and
neither data nor weights are read. Exit status 1: it does not fit, and no change was found.
"""

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from absl import flags
from ml_collections import ConfigDict

from xmrc_jax.errors import UserError
from xmrc_jax.main import command, read_config

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
USED_ROWS = {250_002: 33_035}  # of XLM-R's table in squad/train, likewise

TOPOLOGY = flags.DEFINE_string('topology', None, 'Devices: v5e:4x4, v5p:2x2x4, h200:8, cpu:8, ...')
TRAIN_WINDOWS = flags.DEFINE_integer(
    'windows', WINDOWS['squad/train'], 'Windows of the training set; SQuAD v1.1 unless told.', 1
)

# Before JAX starts: no metadata server is asked what TPU this is, a training run that holds a TPU
# is no hindrance, and the compilers' diaries stay silent.
ENVIRONMENT = {
    'ALLOW_MULTIPLE_LIBTPU_LOAD': '1',
    'TPU_ACCELERATOR_TYPE': 'v5litepod-4',
    'TPU_SKIP_MDS_QUERY': '1',
    'TPU_STDERR_LOG_LEVEL': '3',
    'TPU_WORKER_HOSTNAMES': 'localhost',
    'TF_CPP_MIN_LOG_LEVEL': '3',
}


@dataclass(frozen=True)
class Plan:
    """What came of a configuration on a topology.

    Attributes:
      job: as it is planned: as configured, or with the first change that fits.
      parts: stage -> Compiled; empty where nothing fits.
      overrides: the change, as flags; '' where there is none.
    """

    job: object
    parts: dict
    overrides: str = ''


def job_of(config: ConfigDict, devices: int):
    """What the configuration trains, as ``planning`` knows it."""
    from xmrc_jax import settings
    from xmrc_jax.planning.compiled import Job

    encoder = settings.encoder(config.model)
    return Job(
        encoder=encoder,
        optimizer=settings.optimizer(config.train),
        options=settings.two_stage(config),
        batch_size=settings.global_batch(config.train, devices),
        max_tokens=config.data.max_tokens,
        mean_tokens=min(MEAN_TOKENS, config.data.max_tokens),
        used_rows=USED_ROWS.get(encoder.vocabulary, encoder.vocabulary),
        **config.mesh,
    )


def recipe_of(config: ConfigDict, windows: int):
    """How much the recipe runs, and the sets whose windows were never counted."""
    from xmrc_jax.planning.roofline import Recipe

    dev = (config.data.dev,) if config.data.dev else ()
    unknown = [name for name in (*dev, *config.data.tests) if name not in WINDOWS]
    return Recipe(
        windows=windows,
        epochs=config.train.epochs,
        folds=config.mine.folds,
        checkpoint_every=config.train.checkpoint_every,
        dev_windows=sum(WINDOWS.get(name, 0) for name in dev),
        test_windows=sum(WINDOWS.get(name, 0) for name in config.data.tests),
        predict_batch=config.evaluate.batch_size,
    ), unknown


def overrides(config: ConfigDict, job, changed, devices: int) -> str:
    """The flags that turn a job into a changed one."""
    found = []
    if changed.encoder.remat != job.encoder.remat:
        found.append('--config.model.remat=True')
    if changed.data != job.data:
        found.append(f'--config.mesh.data={changed.data}')
    if changed.fsdp != job.fsdp:
        found.append(f'--config.mesh.fsdp={changed.fsdp}')
    if changed.batch_size != job.batch_size:
        each = devices if config.train.batch_size_per == 'device' else 1
        found.append(f'--config.train.batch_size={changed.batch_size // each}')
    return ' '.join(found)


def make(config: ConfigDict, topology, tell: Callable[[str], None]) -> Plan:
    """Compile what the configuration trains, and where it does not fit, what would.

    Args:
      config: see ``configs/paper.py``.
      topology: from ``planning.topologies``.
      tell: called with a line for why it cannot be as configured, and for each change tried.

    Raises:
      UserError: nothing to train, sizes that do not divide, a failing compiler.
    """
    from xmrc_jax.planning import remedies
    from xmrc_jax.planning.compiled import TooLargeError, compile_for

    count = len(topology.devices)
    stages = tuple(stage for stage in ('base', 'two_stage') if stage in config.recipe)
    if not stages:
        raise UserError("recipe: nothing is trained; name 'base' or 'two_stage'")
    configured = job = job_of(config, count)
    mesh = job.mesh(topology.devices)
    parts_of_batch = mesh.shape['data'] * mesh.shape['fsdp']
    if job.batch_size % parts_of_batch:
        job = replace(job, batch_size=math.ceil(job.batch_size / parts_of_batch) * parts_of_batch)
        tell(
            f'as configured it does not run: a global batch of {configured.batch_size} windows '
            f'does not divide by {parts_of_batch} devices'
        )

    def changed_by(changed):
        return overrides(config, configured, changed, count)

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
    tell(f'does not fit: needs {needed} of {topology.memory / 1e9:.2f} GB a device')
    found = remedies.first_that_fits(
        job, stages, topology, lambda changed, what: tell(f'  with {changed_by(changed)}: {what}')
    )
    if found is None:
        return Plan(job, {})
    return Plan(*found, changed_by(found[0]))


def main(argv: list[str]) -> None:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    config = read_config(argv)
    if TOPOLOGY.value is None:
        raise UserError('flag --topology must name devices, such as v5e:4x4, h200:8 or cpu:8')
    import jax

    from xmrc_jax.planning import report, topologies

    jax.config.update('jax_platforms', 'cpu')
    topology = topologies.resolve(TOPOLOGY.value)
    lines = report.head(config.model.name, job_of(config, len(topology.devices)), topology)
    print('\n'.join(lines), flush=True)
    plan = make(config, topology, lambda line: print(line, flush=True))
    if not plan.parts:
        print('no change of remat, fsdp and batch size makes it fit')
        sys.exit(1)
    if plan.overrides:
        print(f'compiled and planned with {plan.overrides}')
    print('\n'.join(report.body(plan.job, plan.parts, topology)))
    recipe, unknown = recipe_of(config, TRAIN_WINDOWS.value)
    print('\n'.join(report.times(plan, tuple(config.recipe), recipe, unknown, topology)))


if __name__ == '__main__':
    command(lambda: main(sys.argv))
