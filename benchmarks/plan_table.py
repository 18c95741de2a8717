"""What XLM-R base and large need on machines that are not there, as a Markdown table.

    python -m benchmarks.plan_table

compiles the paper's recipe for every row (minutes each) and prints its heavier stage. It needs
the optional packages: pip install "jax[tpu]" "jax[cuda13]".
"""

import os
import sys
from importlib.metadata import version

from xmrc_jax.configs import mlqa
from xmrc_jax.ground.errors import UserError
from xmrc_jax.plan import __main__ as command

MODELS = ('two_stage', 'xlmr_large')  # variants of the configuration
TOPOLOGIES = ('v4:2x2x4', 'v5e:4x4', 'v5p:2x2x4', 'v6e:8x8', 'a100:8', 'h100:8', 'h200:8')
BATCH_SIZE = 256  # windows of the global batch
HEADER = (
    'model', 'topology', 'changed', 'parameters', 'optimizer', 'temporaries', 'together', 'chip',
    'FLOPs', 'bytes', 'collectives', 'estimated step', 'estimated recipe', 'measured',
)  # fmt: skip


def row(variant: str, name: str) -> list[str]:
    """One plan: the two-stage step on each device, and the estimated times."""
    from xmrc_jax.plan import plans, report, topologies
    from xmrc_jax.plan.roofline import WINDOWS, recipe_times, step_time
    from xmrc_jax.recipe import settings

    config = mlqa.get_config(variant)
    with config.unlocked():
        config.train.batch_size = BATCH_SIZE
    run = settings.read(config)
    topology = topologies.resolve(name)
    head = [config.model.name, name]
    try:
        made = plans.make(run, topology, lambda line: print(f'{name}: {line}', file=sys.stderr))
    except UserError as error:
        return [*head, str(error), *[''] * (len(HEADER) - 3)]
    if not made.parts:
        return [*head, 'no change makes it fit', *[''] * (len(HEADER) - 3)]
    part = made.parts['two_stage']
    seconds = recipe_times(run, made.job, made.parts, topology, WINDOWS['squad/train'])
    sizes = (part.parameters, part.moments, part.temporaries, part.memory, topology.memory)
    return [
        *head,
        made.overrides.replace('--config.', '') or 'nothing',
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
    os.environ.update(command.ENVIRONMENT)
    import jax

    jax.config.update('jax_platforms', 'cpu')
    print(f'global batch {BATCH_SIZE}; jax {version("jax")}, libtpu {version("libtpu")}\n')
    print(f'| {" | ".join(HEADER)} |\n| --- | --- | --- |{" ---: |" * (len(HEADER) - 3)}')
    for variant in MODELS:
        for name in TOPOLOGIES:
            print(f'| {" | ".join(row(variant, name))} |', flush=True)


if __name__ == '__main__':
    main()
