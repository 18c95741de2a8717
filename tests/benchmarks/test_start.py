"""What a start costs besides its steps, of a run that is over at once."""

import pytest

from benchmarks import start

SMALL = ['--config', 'tests/small.py']


@pytest.mark.slow
def test_the_second_start_needs_what_the_first_left(monkeypatch, capsys):
    monkeypatch.setattr(start, 'STEPS', 3)
    start.main(SMALL)
    head, _, first, second = capsys.readouterr().out.strip().splitlines()[-4:]
    assert head.startswith('| start | ')
    for line, name in ((first, 'first'), (second, 'second')):
        found, *seconds = (each.strip() for each in line.strip('|').split('|'))
        to_first, to_tenth, ten, without = map(float, seconds)
        assert found == name
        assert 0 < to_first <= to_tenth
        assert without == pytest.approx(to_tenth - ten, abs=0.11)  # of numbers as printed


def test_a_run_that_ends_before_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match='ended before step 2: xmrc_jax: .*no_such'):
        start.started(tmp_path / 'runs' / 'run', ['--config', 'no_such.py'], 2)
