"""Plan before you pay: what a recipe needs on machines that are not there.

    python -m xmrc_jax.plan --config configs/mlqa.py --topology v5e:4x4
    xmrc plan --config mlqa --topology v5e:4x4          # the same, installed
    xmrc plan --config mlqa:xlmr_large --topology h200:8 \\
        --config.train.batch_size=256 --config.mesh.fsdp=8

compiles the training step of every stage for the devices of the topology and
prints what it needs and an estimate of the time. Topologies are TPU slices
(v5e:4x4, v6e:8x8, v4:2x2x4, v5p:4x4x4), GPUs (a100:8, h100:8, h200:16) and
cpu:8. Nothing is run, and neither data nor weights are read. Exit status 1: it
does not fit, and no change was found.
"""

import os
import sys

from absl import flags

from xmrc_jax.ground.commands import command
from xmrc_jax.ground.errors import UserError
from xmrc_jax.main import read_config

TOPOLOGY = flags.DEFINE_string('topology', None, 'Devices: v5e:4x4, v5p:2x2x4, h200:8, cpu:8, ...')
TRAIN_WINDOWS = flags.DEFINE_integer(
    'windows', None, "Windows of the training set; by default SQuAD v1.1's.", 1
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

    from xmrc_jax.plan import plans, report, roofline, topologies
    from xmrc_jax.recipe import settings

    jax.config.update('jax_platforms', 'cpu')
    run = settings.read(config)
    topology = topologies.resolve(TOPOLOGY.value)
    job = plans.job_of(run, len(topology.devices))
    print(*report.head(job, topology), sep='\n', flush=True)
    plan = plans.make(run, topology, lambda line: print(line, flush=True))
    if not plan.parts:
        print('no change of remat, fsdp and accumulate makes it fit')
        sys.exit(1)
    if plan.overrides:
        print(f'compiled and planned with {plan.overrides}')
    print(*report.body(plan.parts, topology), sep='\n')
    windows = TRAIN_WINDOWS.value or roofline.WINDOWS['squad/train']
    print(*report.times(plan, windows, topology), sep='\n')


if __name__ == '__main__':
    command(lambda: main(sys.argv))
