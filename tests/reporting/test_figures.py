"""Curves as files that do not change, and as part of a page."""

import re

from xmrc_jax.reporting.figures import Line, Plot, draw, in_page

PLOT = Plot(
    'name',
    'title',
    'cost in $x$',
    'F1',
    (Line('a $b$', [1, 2], [3.0, 4.0], [0.1, 0.2]), Line('', [1, 2], [1.0, 1.0], quiet=True)),
    marks=True,
)


def test_plots_that_are_compared_have_one_axis():
    low, high = Line('base', [1, 5], [10.0, 20.0]), Line('two_stage', [1, 5], [40.0, 90.0])
    ticks = []
    for line in (low, high):
        _, svg = draw(Plot('a', 'A', 'k', 'EM', (line,), beside=(low, high)))
        ticks.append(re.findall('>([0-9]+)</text>', svg.decode()))
    assert ticks[0] == ticks[1]
    _, alone = draw(Plot('a', 'A', 'k', 'EM', (low,)))
    assert re.findall('>([0-9]+)</text>', alone.decode()) != ticks[0]


def test_the_same_input_gives_the_same_bytes():
    png, svg = draw(PLOT)
    assert (png, svg) == draw(PLOT)
    assert png.startswith(b'\x89PNG')


def test_labels_are_plain_text():
    svg = draw(PLOT)[1].decode()
    assert '>cost in $x$<' in svg
    assert '>a $b$<' in svg


def test_in_a_page_the_ink_is_the_pages():
    text = in_page(draw(PLOT)[1])
    assert text.startswith('<svg aria-hidden="true"')
    assert 'currentColor' in text
    assert '#1f2328' not in text
    assert '#ffffff' not in text
