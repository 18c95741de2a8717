"""A run of one agrees with itself and waits for nobody."""

import pytest

from xmrc_jax.processes import agreement


def test_a_process_alone_waits_for_nobody():
    agreement.barrier()
    with agreement.first_turn():
        assert agreement.decided({'seed': 1}) == {'seed': 1}
    assert agreement.everywhere('here') == ['here']
    agreement.agree({'seed': 1})


@pytest.mark.parametrize('flag', [True, False])
def test_any_of_one(flag):
    assert agreement.any_of(flag) is flag
