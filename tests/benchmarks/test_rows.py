"""The table of rows, on encoders of a few thousand weights."""

import dataclasses

import pytest

pytest.importorskip('torch')

from benchmarks import rows
from tests.tiny import GTE
from xmrc_jax.ground.errors import UserError


def test_a_line_says_how_far_apart_a_row_is(monkeypatch, capsys):
    tiny = dataclasses.replace(GTE, positions=300)
    monkeypatch.setattr(rows, 'ENCODERS', {'one': tiny, 'same': tiny})
    rows.main(['one', 'same'])
    _, _, line = capsys.readouterr().out.splitlines()
    names, size, largest, *apart, same = (cell.strip() for cell in line.strip('|').split('|'))
    assert (names, size, same) == ('one, same', '3 x 32', 'bit-exact')
    assert len(apart) == 6
    assert all(0 < float(each) < 1e-5 * float(largest) for each in apart[:3])


def test_what_does_not_fit_is_a_quarter_as_wide():
    wide = rows.reduced(rows.ENCODERS['xlmr_xl'])
    assert (wide.width, wide.heads, wide.mlp, wide.layers) == (640, 8, 2560, 36)
    base = rows.ENCODERS['mmbert_base']
    assert rows.reduced(base) == dataclasses.replace(base, vocabulary=1000)


def test_an_xlm_reads_two_of_its_languages():
    found = [rows.reduced(rows.ENCODERS[f'xlm_mlm_{name}']) for name in ('tlm_xnli15', '100')]
    assert [(each.types, each.passage_type) for each in found] == [(15, 14), (0, 0)]


def test_an_unknown_row_is_one_line():
    with pytest.raises(UserError, match="row: unknown choice 'mmbrt'"):
        list(rows.lines(['mmbrt']))
