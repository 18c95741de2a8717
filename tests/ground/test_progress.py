"""A log has a line now and then, and one at the end; a terminal has a bar."""

import io
import sys

import pytest

from xmrc_jax.ground import progress


@pytest.fixture
def clock(monkeypatch):
    """Seconds, which a test moves on."""
    now = [100.0]
    monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
    return now


def test_a_line_every_so_many_seconds_and_one_at_the_end(clock, capsys):
    with progress.progress(total=200, desc='base', unit='step') as bar:
        for number in range(200):
            clock[0] += 1
            bar.set_postfix_str(f'loss {number}')
            bar.update()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 7  # after 30, 60, ..., 180 s, and at the end
    assert lines[0] == 'base: 15% 30/200 [00:30<02:50,  1.00step/s, loss 29]'
    assert lines[-1] == 'base: 100% 200/200 [03:20<00:00,  1.00step/s, loss 199]'


def test_the_end_is_said_once(clock, capsys):
    with progress.progress(total=30, desc='base') as bar:
        for _ in range(30):
            clock[0] += 1
            bar.update()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('base: 100% 30/30 [00:30<')


def test_it_goes_over_what_it_is_given_and_counts_from_where_it_begins(clock, capsys):
    bar = progress.progress(iter('abc'), 'two_stage', 9, initial=6)
    assert list(bar) == ['a', 'b', 'c']
    bar.close()
    assert capsys.readouterr().err.startswith('two_stage: 100% 9/9 [')


def test_a_loop_that_breaks_off_leaves_the_word_to_its_error(clock, capsys):
    def broken():
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), progress.progress(total=9, desc='base') as bar:
        bar.update(sum(broken()))
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('options', [{'disable': True}, {'delay': 1}, 'TQDM_DISABLE'])
def test_what_is_short_or_silent_says_nothing(options, clock, capsys, monkeypatch):
    if isinstance(options, str):
        monkeypatch.setenv(options, '1')
        options = {}
    with progress.progress(total=2, **options) as bar:
        bar.update(2)
    assert capsys.readouterr().err == ''


def test_on_a_terminal_it_is_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, 'stderr', Terminal())
    with progress.progress(total=2, desc='base') as bar:
        bar.update(2)
    assert sys.stderr.getvalue().count('\r') >= 2
    assert 'base: 100%|' in sys.stderr.getvalue()
