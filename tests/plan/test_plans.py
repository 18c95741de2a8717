"""From a run to what is compiled, and to how much the recipe runs."""

import dataclasses

import pytest

from xmrc_jax.configs import mlqa, xquad
from xmrc_jax.plan import plans
from xmrc_jax.recipe import settings


@pytest.fixture
def run():
    return settings.read(mlqa.get_config())


def test_a_job_is_what_the_run_trains(run):
    job = plans.job_of(run, 8)
    assert job.encoder == run.model.encoder
    assert job.optimizer == run.train.optimizer
    assert job.method == run.method.reading
    assert (job.candidates, job.batch_size, job.max_tokens) == (20, 32, 384)
    assert job.used_rows == 33_035
    each = settings.vary(run, {'train.batch_size_per': 'device', 'train.batch_size': 4})
    assert plans.job_of(each, 8).batch_size == 32
    assert plans.job_of(settings.vary(run, {'data.max_tokens': 64}), 8).mean_tokens == 64


def test_a_recipe_counts_what_is_known_and_names_the_rest():
    recipe, unknown = plans.recipe_of(settings.read(xquad.get_config()), 89_597)
    assert unknown == ['squad_dev_minus_xquad']
    # The windows of XQuAD's six languages, as plans.WINDOWS has them.
    assert recipe.test_windows == 1_249 + 1_275 + 1_269 + 1_292 + 1_342 + 1_287
    assert (recipe.dev_windows, recipe.windows, recipe.epochs) == (0, 89_597, 8.0)


def test_overrides_are_the_flags_that_make_the_change(run):
    job = plans.job_of(run, 8)
    remat = dataclasses.replace(job.encoder, remat=True)
    changed = dataclasses.replace(job, encoder=remat, fsdp=8, batch_size=64)
    assert plans.overrides(run, job, job, 8) == ''
    assert plans.overrides(run, job, changed, 8) == (
        '--config.model.remat=True --config.mesh.fsdp=8 --config.train.batch_size=64'
    )
    each = settings.vary(run, {'train.batch_size_per': 'device'})
    assert '--config.train.batch_size=8' in plans.overrides(each, job, changed, 8)
