"""The first line of somebody else's error."""

import pytest

from xmrc_jax.ground.errors import first_line


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (ValueError('wrong\nTraceback ...'), 'wrong'),
        (ValueError('\n  wrong  \nmore'), 'wrong'),
        (ValueError('a field:\n  is text\nmore'), 'a field: is text'),
        (ValueError('a field:'), 'a field:'),
        (KeyError(), 'KeyError'),
    ],
)
def test_the_first_line_is_one_line_and_never_empty(error, line):
    assert first_line(error).strip() == line
