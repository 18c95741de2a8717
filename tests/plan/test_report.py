"""Plans as text."""

import pytest

from xmrc_jax.plan.report import amount, duration


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
