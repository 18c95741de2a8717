"""Which steps build on which."""

import pytest

from tests.small import small
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe.needs import MADE, NEEDS, check_needs


@pytest.mark.parametrize('step', [step for step, needs in NEEDS.items() if needs])
def test_a_step_by_itself_is_refused_unless_the_folder_holds_what_it_needs(step, tmp_path):
    run = small(**{'recipe': (step,), 'distil.teachers': 'base'})
    with pytest.raises(UserError, match=f'recipe={step}: {step} needs what .* name that step too'):
        check_needs(run, tmp_path)
    for name in MADE.values():
        (tmp_path / name).mkdir(parents=True)
    check_needs(run, tmp_path)


def test_a_step_is_content_with_one_before_it(tmp_path):
    check_needs(small(recipe=('base', 'mine', 'two_stage', 'score')), tmp_path)
    check_needs(small(**{'recipe': ('mine', 'two_stage'), 'mine.folds': 2}), tmp_path)
    check_needs(small(recipe=('teach', 'distil')), tmp_path)  # branches have teachers of their own
    folds = {'recipe': ('mine', 'two_stage'), 'mine.folds': 2, 'two_stage.start': 'base'}
    with pytest.raises(UserError, match='two_stage needs what base makes'):
        check_needs(small(**folds), tmp_path)
    with pytest.raises(UserError, match='mine needs what base makes'):
        check_needs(small(recipe=('mine', 'base')), tmp_path)
