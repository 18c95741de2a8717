"""One stage: its batches, and that what is finished is left alone."""

import pytest

from tests.small import small
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.fit import Stage


@pytest.mark.parametrize(('per', 'windows'), [('run', 16), ('device', 128)])
def test_the_global_batch_is_that_of_all_devices(per, windows):
    run = small(**{'train.batch_size_per': per})
    assert run.train.global_batch(8) == windows


def test_batches_are_of_the_split_in_groups_of_questions(finished):
    own = Experiment(small(), finished)
    batches = own.fit.batches(own.inputs.train)
    assert (batches.batch_size, batches.max_tokens) == (16, own.run.data.size.max_tokens)
    batch = batches.batch_at(0)
    ids = [own.inputs.train.questions[question].id for question in batches.questions_at(0)]
    same = [[one == other for other in ids] for one in ids]
    assert (batch.group_B[:, None] == batch.group_B).tolist() == same


def test_a_finished_stage_is_not_trained_again(finished):
    own = Experiment(small(), finished)

    def never(*_):
        raise AssertionError('trained again')

    own.fit(own.store('base'), Stage(own.inputs.train, lambda *_: never, never))
