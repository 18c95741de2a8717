"""Every stage of a recipe as it is compiled, against what training puts on the devices."""

import jax
import pytest

from xmrc_jax.configs import mlqa
from xmrc_jax.model import lm_head, reader
from xmrc_jax.plan import compiled, plans, roofline
from xmrc_jax.plan.job import batches, trained
from xmrc_jax.recipe import settings
from xmrc_jax.recipe.objectives import OBJECTIVES

PEERS = ('mixmrc', 'lbmrc', 'skd', 'calibrenet', 'lakm')


def leaves(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize('stage', OBJECTIVES)
def test_every_stage_is_traced(stage, job):
    traced, (_, batch, _) = compiled.trace(job, stage, jax.devices())
    assert compiled.matrix_flops(traced.jaxpr.jaxpr) > 0
    assert batch.real_B.shape == (job.batch_size,)


def test_what_a_stage_trains_besides_the_reader_is_counted(job):
    D, rows = job.encoder.width, job.used_rows
    encoder = job.encoder
    base = leaves(jax.eval_shape(lambda: reader.init(encoder, jax.random.key(0))))
    extra = {stage: leaves(trained(job, stage, encoder, 9)[0]) - base for stage in OBJECTIVES}
    head = leaves(jax.eval_shape(lambda: lm_head.init(encoder, jax.random.key(0))))
    assert head == D * D + D + 2 * D + encoder.vocabulary
    assert extra == {
        'base': 0,
        'two_stage': job.run.mine.candidates,
        'distil': 0,
        'calibrate': 3 * D,
        'lakm': head,
    }
    # Compiled, the head has a bias for the rows in use alone.
    state = compiled.trace(job, 'lakm', jax.devices())[1][0]
    assert leaves(state.params['lm']) == D * D + D + 2 * D + rows


def test_the_batches_are_those_of_the_peers(job):
    taught = batches(job, 3, 'distil').batch_at(0)
    assert taught.teacher_BLY2.shape == (job.batch_size, job.run.data.size.max_tokens, 1, 2)
    assert batches(job, 3, 'calibrate').batch_at(0).mark_B2.shape == (job.batch_size, 2)
    masked = batches(job, 3, 'lakm').batch_at(0)
    assert masked.masked_BZ.shape == (job.batch_size, int(0.15 * job.run.data.size.max_tokens) + 1)


@pytest.mark.parametrize('variant', PEERS)
def test_no_peer_is_refused_and_each_step_has_its_stages(variant):
    run = settings.read(mlqa.get_config(variant))
    stages = [each for name in run.recipe for each in roofline.stages_of(run, name)]
    assert (
        stages
        == {
            'mixmrc': ['base'],
            'lbmrc': ['base', 'distil'],
            'skd': ['base', 'distil'],
            'calibrenet': ['base', 'base', 'calibrate'],  # the second for the folds that mine
            'lakm': ['base', 'lakm'],
        }[variant]
    )
    assert plans.job_of(run, 8).teachers == 1


def test_all_branches_are_as_many_teachers_as_corpora():
    run = settings.read(mlqa.get_config('lbmrc'))
    run = settings.vary(run, {'distil.teachers': 'branches'})
    assert plans.job_of(run, 8).teachers == 6
