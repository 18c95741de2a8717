"""What a step of the recipe leaves in the working folder, and which steps it builds on."""

from pathlib import Path

from xmrc_jax.ground.errors import UserError
from xmrc_jax.processes import agreement
from xmrc_jax.recipe import settings

# What a step leaves when it is done, and what each builds on: of every tuple one must be done.
MADE = {'base': 'base/selected.json', 'mine': 'candidates', 'two_stage': 'two_stage/selected.json'}
NEEDS = {
    'base': (),
    'mine': (('base',),),
    'two_stage': (('mine',),),
    'score': (('base', 'two_stage'),),
}


def check_needs(run: settings.Run, workdir: Path) -> None:
    """Refuse a step that builds on what neither a step before it makes nor the folder holds."""
    needs = NEEDS | ({'mine': ()} if run.mine.folds > 1 else {})  # folds have readers of their own
    for place, name in enumerate(run.recipe):
        before = run.recipe[:place]
        for needed in needs[name]:
            there = any(step in before or (workdir / MADE[step]).exists() for step in needed)
            if not agreement.decided(there):
                raise UserError(
                    f'recipe={",".join(run.recipe)}: {name} needs what {" or ".join(needed)} '
                    f'makes, which no step before it does and {workdir} does not hold; name that '
                    'step too'
                )
