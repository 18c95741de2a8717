"""One stage: its batches, and that what is finished is left alone."""

import json

import pytest

from tests.conftest import squad_json
from tests.small import small
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import experiment
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

    own.fit(own.store('base'), Stage(own.inputs.train, 'base', never))


LONG = ' '.join(['Fenwick'] * 200)  # an answer that no window of 64 tokens holds


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'mine.folds': 10}, r'mine\.folds=10: questions are of 9 passages, .* choose fewer folds'),
        ({'recipe': ('teach', 'distil')}, 'teachers/de: no window to train on: none of'),
        ({'recipe': ('base', 'mine', 'calibrate')}, 'recover: no window to train on: none of'),
        ({'recipe': ('base', 'lakm')}, 'phrases.jsonl: no phrase would be masked: each is too'),
    ],
)
def test_what_a_later_step_cannot_train_on_is_refused_before_the_first(changes, message, tmp_path):
    own = squad_json([('q1', LONG, 'Who?', LONG)])
    (tmp_path / 'own.json').write_text(json.dumps(own))
    phrased = {'text': LONG, 'language': 'en', 'spans': [[0, len(LONG)]]}
    (tmp_path / 'phrases.jsonl').write_text(json.dumps(phrased))
    paths = {'data.phrases': str(tmp_path / 'phrases.jsonl')}
    if 'mine.folds' not in changes:
        paths['data.train'] = ('encyclopedia/train/en', f'{tmp_path}/own.json@de')
    with pytest.raises(UserError, match=message):
        experiment.run(small(**paths, **changes), tmp_path / 'run')
    written = {path.name for path in (tmp_path / 'run').iterdir()}
    assert not written & {'config.json', 'manifest.json', 'base', 'teachers', 'recover'}
