"""What a start costs besides its steps; runs of the command, ended at a step."""

import pytest

from benchmarks import start

SMALL = ['--config', 'tests/small.py']


def test_ten_steps_are_timed_behind_the_tenth_and_taken_off(monkeypatch, capsys):
    # Step n of the first start is seen after 30 + 2 n seconds, of the second after 5 + 2 n: ten
    # take 20, so that 50 - 20 = 30 and 25 - 20 = 5 remain.
    def started(folder, words, steps):
        before = 30 if folder.name == 'first' else 5
        return [before + 2.0 * step for step in range(1, steps + 1)]

    monkeypatch.setattr(start, 'started', started)
    start.main(SMALL)
    *_, first, second = capsys.readouterr().out.strip().splitlines()
    rows = [[each.strip() for each in line.strip('|').split('|')] for line in (first, second)]
    assert rows == [
        ['first', '32.0', '50.0', '20.0', '30.0'],
        ['second', '7.0', '25.0', '20.0', '5.0'],
    ]


@pytest.mark.slow
def test_a_start_is_ended_at_its_step_and_leaves_what_it_compiled(tmp_path):
    words = [*SMALL, *start.OWN, f'--config.data.cache={tmp_path}/cache']
    seconds = start.started(tmp_path / 'runs' / 'run', words, 3)
    assert len(seconds) == 3
    assert 0 < seconds[0] <= seconds[1] <= seconds[2]
    assert any((tmp_path / 'runs' / 'compiled').iterdir())
    assert not (tmp_path / 'runs' / 'run' / 'base' / 'selected.json').exists()


def test_a_run_that_ends_before_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match='ended before step 2: xmrc_jax: .*no_such'):
        start.started(tmp_path / 'runs' / 'run', ['--config', 'no_such.py'], 2)
