"""How a process ends, and which errors are those of another."""

import pytest

from xmrc_jax.processes import ending, identity


def test_a_run_of_one_ends_with_a_line_and_a_status(capsys):
    with pytest.raises(SystemExit) as ended:
        ending.end(ending.STOPPED, 'stopped by SIGTERM')
    assert ended.value.code == 75
    assert capsys.readouterr().err == 'xmrc_jax: stopped by SIGTERM\n'


@pytest.fixture
def entered():
    identity.enter()
    yield
    identity.leave()


BROKEN_OFF = ValueError('UNKNOWN: Gloo all-reduce failed')


def test_errors_of_a_peer_are_recognised_by_their_status(entered):
    assert ending.is_of_a_peer(BROKEN_OFF)
    assert not ending.is_of_a_peer(ValueError('UNKNOWNS: 3'))
    assert not ending.is_of_a_peer(ValueError('the status is UNKNOWN: look'))


def test_a_process_alone_has_no_peers():
    assert not ending.is_of_a_peer(BROKEN_OFF)
