"""What slow and lost processes are taken for, on a machine that has no time."""

import pytest

from benchmarks import scale


@pytest.mark.slow
def test_beside_processes_that_burn_the_processors_nobody_is_lost_but_who_is(tmp_path, capsys):
    scale.loaded(tmp_path, runs=1)
    run, killed, stopped = capsys.readouterr().out.splitlines()
    assert 'burn the processors: 0 of 2 processes lost' in run
    for line, how in ((killed, 'killed'), (stopped, 'stopped')):
        assert line.startswith(f'one {how}: the other ended ')
        assert 'with status 69: xmrc_jax: ' in line
        assert line.endswith('the same command continues')
