"""Which process this is, in a run of one."""

import socket

import pytest

from xmrc_jax.processes import identity


def test_a_run_of_one_has_a_first_process_and_no_others():
    assert identity.is_first()
    assert not identity.several()
    assert identity.client() is None
    assert identity.myself() == f'process 0 ({socket.gethostname()})'


@pytest.fixture
def entered():
    identity.enter()
    yield
    identity.leave()


def test_a_process_is_one_of_several_until_it_leaves(entered):
    assert identity.several()
    identity.leave()
    assert not identity.several()
