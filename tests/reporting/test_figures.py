"""Curves as files that do not change, and as part of a page."""

from xmrc_jax.reporting.figures import Line, Plot, draw, in_page

PLOT = Plot(
    'name',
    'title',
    'cost in $x$',
    'F1',
    (Line('a $b$', [1, 2], [3.0, 4.0], [0.1, 0.2]), Line('', [1, 2], [1.0, 1.0], quiet=True)),
    marks=True,
)


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
