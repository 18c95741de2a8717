"""The table of chips: each device finds its own row."""

import pytest

from xmrc_jax.train.chips import CHIPS, chip_of


@pytest.mark.parametrize(
    ('kind', 'name'),
    [  # as JAX gives them; one TPU's name begins with that of another
        ('TPU v5 lite', 'v5e'),
        ('TPU v5p', 'v5p'),
        ('TPU v6 lite', 'v6e'),
        ('NVIDIA H100 80GB HBM3', 'h100'),
        ('NVIDIA A100-SXM4-40GB', 'a100'),
    ],
)
def test_a_device_finds_its_own_row(kind, name):
    assert chip_of(kind) is CHIPS[name]


def test_a_kind_that_is_not_in_the_table_has_no_chip():
    assert chip_of('cpu') is None
