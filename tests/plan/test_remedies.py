"""What does not fit is changed, in a fixed order, until it does."""

import dataclasses

import pytest

from tests.plan.planned import SMALL, of, simulated, tight, told_bytes
from xmrc_jax.plan import remedies, topologies


def test_what_does_not_fit_is_changed_until_it_does(tell, monkeypatch):
    # Replicated: 4.69 M parameters and two moments, 56 MB. Over fsdp=8 an eighth of it.
    monkeypatch.setattr(topologies, 'simulated', lambda name, _: simulated(tight(50_000_000)))
    status, told, _ = tell('--topology=cpu:8', *SMALL)
    assert status == 0
    lines = told.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[3].startswith('does not fit: needs ')
    assert lines[4].startswith('  with --config.model.remat=True: needs ')
    assert lines[5] == '  with --config.mesh.fsdp=8: fits'
    assert 'compiled and planned with --config.mesh.fsdp=8' in told
    assert "fits in the chip's 50.00 MB" in told
    # Told as it is run: 18.750 MB of tables and kernels by 8, and 0.015 MB of the rest whole.
    assert told_bytes(told, 'parameters') == pytest.approx(18.750e6 / 8 + 0.015e6, rel=2e-3)


def test_where_nothing_helps_the_status_says_so(tell, monkeypatch):
    monkeypatch.setattr(topologies, 'simulated', lambda name, _: simulated(tight(1_000_000)))
    status, told, _ = tell('--topology=cpu:8', '--config.train.batch_size=16', *SMALL)
    assert status == 1
    assert '--config.train.batch_size=8: needs' in told
    assert told.endswith('no change of remat, fsdp and batch size makes it fit\n')


def test_the_order_of_changes(job):
    job = dataclasses.replace(job, batch_size=32)
    found = [
        (changed.encoder.remat, changed.fsdp, changed.batch_size)
        for changed in remedies.changes(job, 8)
    ]
    assert found == [
        (True, 1, 32), (False, 8, 32), (True, 8, 32), (True, 8, 16), (True, 8, 8),
    ]  # fmt: skip
    # Of 20 devices two go to `model`; 768 does not divide by the other 10, but by 2.
    wide = dataclasses.replace(job, encoder=of('xlmr_base'), model=2, batch_size=20)
    assert next(each.fsdp for each in remedies.changes(wide, 20) if each.fsdp > 1) == 2
