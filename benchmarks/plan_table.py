"""What encoders need on machines that are not there, as a Markdown table.

    python -m benchmarks.plan_table
    python -m benchmarks.plan_table --models mmbert_small xlmr_xl xlmr_xl,lora --topologies h200:8

compiles the paper's recipe for every row (minutes each) and prints its heavier stage. It needs
the optional packages: pip install "jax[tpu]" "jax[cuda13]". FLOPs of a token are those of the
formula, on windows of SQuAD's mean length: what of them a step recomputes is in FLOPs alone.
"""

import argparse
import os
import sys
from importlib.metadata import version

import numpy as np

from xmrc_jax.configs import mlqa
from xmrc_jax.ground.errors import UserError
from xmrc_jax.plan import __main__ as command

MODELS = ('two_stage', 'xlmr_large')  # variants of the configuration
TOPOLOGIES = ('v4:2x2x4', 'v5e:4x4', 'v5p:2x2x4', 'v6e:8x8', 'a100:8', 'h100:8', 'h200:8')
BATCH_SIZE = 256  # windows of the global batch
HEADER = (
    'model', 'topology', 'changed', 'FLOPs of a token', 'parameters', 'optimizer', 'temporaries',
    'together', 'chip', 'FLOPs', 'bytes', 'collectives', 'estimated step', 'estimated recipe',
    'measured',
)  # fmt: skip


def row(variant: str, name: str) -> list[str]:
    """One plan: the two-stage step on each device, and the estimated times."""
    from xmrc_jax.plan import plans, report, topologies
    from xmrc_jax.plan.roofline import WINDOWS, recipe_times, step_time
    from xmrc_jax.recipe import settings
    from xmrc_jax.train.throughput import train_flops

    config = mlqa.get_config(variant)
    with config.unlocked():
        config.train.batch_size = BATCH_SIZE
    run = settings.read(config)
    topology = topologies.resolve(name)
    own = run.model.encoder, np.array([plans.MEAN_TOKENS])
    of_token = train_flops(*own, run.train.tuning) / plans.MEAN_TOKENS
    head = [variant, name]
    try:
        made = plans.make(run, topology, lambda line: print(f'{name}: {line}', file=sys.stderr))
    except UserError as error:
        return [*head, str(error), *[''] * (len(HEADER) - 3)]
    if not made.parts:
        return [*head, 'no change makes it fit', *[''] * (len(HEADER) - 3)]
    part = made.parts['two_stage']
    seconds = recipe_times(made.job, made.parts, topology, WINDOWS['squad/train'])
    sizes = (part.parameters, part.moments, part.temporaries, part.memory, topology.memory)
    return [
        *head,
        made.overrides.replace('--config.', '') or 'nothing',
        report.amount(of_token, 'FLOP'),
        *(f'{size / 1e9:.2f} GB' for size in sizes),
        report.amount(part.flops, 'FLOP'),
        report.amount(part.bytes),
        report.amount(sum(each.size * each.count for each in part.collectives)),
        f'{1e3 * step_time(part, topology).total:.1f} ms',
        report.duration(sum(seconds.values())),
        'none',
    ]


def main() -> None:
    """Prints the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--models', nargs='+', default=MODELS, help='variants of configs/mlqa.py')
    parser.add_argument('--topologies', nargs='+', default=TOPOLOGIES)
    args = parser.parse_args()
    os.environ.update(command.ENVIRONMENT)
    import jax

    jax.config.update('jax_platforms', 'cpu')
    print(f'global batch {BATCH_SIZE}; jax {version("jax")}, libtpu {version("libtpu")}\n')
    print(f'| {" | ".join(HEADER)} |\n| --- | --- | --- |{" ---: |" * (len(HEADER) - 3)}')
    for variant in args.models:
        for name in args.topologies:
            print(f'| {" | ".join(row(variant, name))} |', flush=True)


if __name__ == '__main__':
    main()
