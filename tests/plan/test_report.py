"""Plans as text."""

import dataclasses

import pytest

from xmrc_jax.configs import xquad
from xmrc_jax.plan import compiled, plans, topologies
from xmrc_jax.plan.report import amount, duration, times
from xmrc_jax.recipe import settings
from xmrc_jax.train.chips import CHIPS


@pytest.mark.parametrize(
    ('number', 'text'),
    [(999.0, '999.00 B'), (1_000, '1.00 kB'), (2.5e9, '2.50 GB'), (1.2e13, '12.00 TB')],
)
def test_amounts_have_decimal_prefixes(number, text):
    assert amount(number) == text


@pytest.mark.parametrize(
    ('seconds', 'text'), [(59.94, '59.9 s'), (60, '1.0 min'), (5_400, '1.5 h'), (0.04, '0.0 s')]
)
def test_durations_have_the_largest_unit_that_fits(seconds, text):
    assert duration(seconds) == text


def test_corpora_whose_windows_nobody_counted_are_named(job):
    job = dataclasses.replace(job, run=settings.read(xquad.get_config('base')))
    plan = plans.Plan(job, {'base': compiled.Compiled(80, 0, 0, 0, 1e12, 1e9, ())})
    lines = list(times(plan, 89_597, topologies.Topology('v5e:4x2', range(8), CHIPS['v5e'])))
    (line,) = (line for line in lines if 'not counted' in line)
    assert line.endswith('for want of their number of windows: squad_dev_minus_xquad')


def test_what_teachers_say_is_sized_beforehand(job):
    job = dataclasses.replace(job, run=settings.read(xquad.get_config('lbmrc')))
    step = compiled.Compiled(80, 0, 0, 0, 1e12, 1e9, ())
    plan = plans.Plan(job, {'base': step, 'distil': step})
    lines = times(plan, 1000, topologies.Topology('v5e:4x2', range(8), CHIPS['v5e']))
    # 1,000 windows of 32 tokens, 4 bytes a token, one teacher.
    assert 'soft targets: 128.00 kB on disk' in list(lines)
