"""The table of chips: each device finds its own row."""

import pytest

from xmrc_jax.train.chips import CHIPS, chip_of


@pytest.mark.parametrize('name', CHIPS)
def test_a_kind_finds_its_own_row_and_no_other(name):
    assert chip_of(CHIPS[name].kind.upper()) is CHIPS[name]


def test_a_kind_that_is_not_in_the_table_has_no_chip():
    assert chip_of('cpu') is None
