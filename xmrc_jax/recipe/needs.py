"""What a step of the recipe leaves in the working folder, and which steps it builds on."""

from pathlib import Path

from xmrc_jax.ground.errors import UserError
from xmrc_jax.processes import agreement
from xmrc_jax.recipe import settings

# Readers, each called as the step that trains it.
SCORED = ('base', 'two_stage', 'distil', 'calibrate', 'lakm')

# What a step leaves when it is done, and what each builds on: of every tuple one must be done.
MADE = {'mine': 'candidates', 'teach': 'soft_targets'}
MADE |= {name: f'{name}/selected.json' for name in SCORED}
NEEDS = {
    'base': (),
    'mine': (('base',),),
    'two_stage': (('mine',),),
    'teach': (('base',),),
    'distil': (('teach',),),
    'calibrate': (('base',), ('mine',)),
    'lakm': (),
    'score': (SCORED,),
}


def needs(run: settings.Run) -> dict[str, tuple[tuple[str, ...], ...]]:
    """``NEEDS``, where folds and branches have readers of their own, and a stage a start."""
    alone = {'mine': run.mine.folds > 1, 'teach': run.distil.teachers != 'base'}
    found = NEEDS | {name: () for name, needless in alone.items() if needless}
    if run.method.start == 'base':
        found['two_stage'] += (('base',),)
    return found


def check_needs(run: settings.Run, workdir: Path) -> None:
    """Refuse a step that builds on what neither a step before it makes nor the folder holds."""
    for place, name in enumerate(run.recipe):
        before = run.recipe[:place]
        for needed in needs(run)[name]:
            is_made = any(step in before or (workdir / MADE[step]).exists() for step in needed)
            if not agreement.decided(is_made):
                raise UserError(
                    f'recipe={",".join(run.recipe)}: {name} needs what {" or ".join(needed)} '
                    f'makes, which no step before it does and {workdir} does not hold; name that '
                    'step too'
                )
