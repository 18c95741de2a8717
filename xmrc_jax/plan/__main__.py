"""Plan before you pay: what a recipe needs on machines that are not there.

    python -m xmrc_jax.plan --config configs/mlqa.py --topology v5e:4x4
    python -m xmrc_jax.plan --config configs/mlqa.py:xlmr_large --topology h200:8 \\
        --config.train.batch_size=256 --config.mesh.fsdp=8

compiles the training step of every stage for the devices of the topology (named as in
``plan.topologies``) and prints what it needs and an estimate of the time. Nothing is run, and
neither data nor weights are read. Exit status 1: it does not fit, and no change was found.
"""

import os
import sys

from absl import flags

from xmrc_jax.ground.commands import command
from xmrc_jax.ground.errors import UserError
from xmrc_jax.main import read_config

SQUAD_WINDOWS = 89_597  # of 384 tokens, stride 128: docs/results.md, section 3
TOPOLOGY = flags.DEFINE_string('topology', None, 'Devices: v5e:4x4, v5p:2x2x4, h200:8, cpu:8, ...')
TRAIN_WINDOWS = flags.DEFINE_integer(
    'windows', SQUAD_WINDOWS, 'Windows of the training set; SQuAD v1.1 unless told.', 1
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


def main(argv: list[str]) -> None:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    config = read_config(argv)
    if TOPOLOGY.value is None:
        raise UserError('flag --topology must name devices, such as v5e:4x4, h200:8 or cpu:8')
    import jax

    from xmrc_jax.plan import plans, report, topologies
    from xmrc_jax.recipe import settings

    jax.config.update('jax_platforms', 'cpu')
    run = settings.read(config)
    topology = topologies.resolve(TOPOLOGY.value)
    lines = report.head(run.model.name, plans.job_of(run, len(topology.devices)), topology)
    print('\n'.join(lines), flush=True)
    plan = plans.make(run, topology, lambda line: print(line, flush=True))
    if not plan.parts:
        print('no change of remat, fsdp and batch size makes it fit')
        sys.exit(1)
    if plan.overrides:
        print(f'compiled and planned with {plan.overrides}')
    print('\n'.join(report.body(plan.job, plan.parts, topology)))
    recipe, unknown = plans.recipe_of(run, TRAIN_WINDOWS.value)
    print('\n'.join(report.times(plan, run.recipe, recipe, unknown, topology)))


if __name__ == '__main__':
    command(lambda: main(sys.argv))
