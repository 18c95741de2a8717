"""From a run to what is compiled; what does not fit is changed, in a fixed order, until it does."""

import dataclasses

import pytest

from tests.plan.planned import SMALL, of, printed_bytes, simulated, tight
from xmrc_jax.configs import mlqa
from xmrc_jax.plan import plans, topologies
from xmrc_jax.recipe import settings


@pytest.fixture
def run():
    return settings.read(mlqa.get_config())


def test_a_job_is_what_the_run_trains(run):
    job = plans.job_of(run, 8)
    assert job.encoder == run.model.encoder
    assert (job.run, job.batch_size, job.mean_tokens) == (run, 32, 195)
    assert job.used_rows == 33_035
    each = settings.vary(run, {'train.batch_size_per': 'device', 'train.batch_size': 4})
    assert plans.job_of(each, 8).batch_size == 32
    assert plans.job_of(settings.vary(run, {'data.max_tokens': 64}), 8).mean_tokens == 64


def test_overrides_are_the_flags_that_make_the_change(run):
    job = plans.job_of(run, 8)
    remat = dataclasses.replace(job.encoder, remat=True)
    changed = dataclasses.replace(job, encoder=remat, fsdp=8, batch_size=64, accumulate=2)
    assert plans.overrides(job, job, 8) == ''
    assert plans.overrides(job, changed, 8) == (
        '--config.model.remat=True --config.mesh.fsdp=8 --config.train.batch_size=64 '
        '--config.train.accumulate=2'
    )
    each = dataclasses.replace(job, run=settings.vary(run, {'train.batch_size_per': 'device'}))
    assert '--config.train.batch_size=8' in plans.overrides(each, changed, 8)


def test_what_does_not_fit_is_changed_until_it_does(plan, monkeypatch):
    # Replicated: 4.69 M parameters and two moments, 56 MB. Over fsdp=8 an eighth of it.
    monkeypatch.setattr(topologies, 'simulated', lambda name, _: simulated(tight(50_000_000)))
    status, printed, _ = plan('--topology=cpu:8', *SMALL)
    assert status == 0
    lines = printed.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[3].startswith('does not fit: needs ')
    assert lines[4].startswith('  with --config.model.remat=True: needs ')
    assert lines[5] == '  with --config.mesh.fsdp=8: fits'
    assert 'compiled and planned with --config.mesh.fsdp=8' in printed
    assert "fits in the chip's 50.00 MB" in printed
    # Told as it is run: 18.750 MB of tables and kernels by 8, and 0.015 MB of the rest whole.
    assert printed_bytes(printed, 'parameters') == pytest.approx(18.750e6 / 8 + 0.015e6, rel=2e-3)


def test_where_nothing_helps_the_status_says_so(plan, monkeypatch):
    monkeypatch.setattr(topologies, 'simulated', lambda name, _: simulated(tight(1_000_000)))
    status, printed, _ = plan('--topology=cpu:8', '--config.train.batch_size=16', *SMALL)
    assert status == 1
    assert '--config.train.accumulate=2: needs' in printed
    assert printed.endswith('no change of remat, fsdp and accumulate makes it fit\n')


def test_the_order_of_changes(job):
    job = dataclasses.replace(job, batch_size=32)
    found = [
        (changed.encoder.remat, changed.fsdp, changed.accumulate)
        for changed in plans.changes(job, 8)
    ]
    assert found == [
        (True, 1, 1), (False, 8, 1), (True, 8, 1), (True, 8, 2), (True, 8, 4),
    ]  # fmt: skip
    alone = dataclasses.replace(job, batch_size=6)
    assert [each.accumulate for each in plans.changes(alone, 1)] == [1, 2]
    # Of 20 devices two go to `model`; 768 does not divide by the other 10, but by 2.
    wide = dataclasses.replace(job, encoder=of('xlmr_base'), model=2, batch_size=20)
    assert next(each.fsdp for each in plans.changes(wide, 20) if each.fsdp > 1) == 2
