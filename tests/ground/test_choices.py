"""Choosing by a name that a user wrote."""

import pytest

from xmrc_jax.ground.choices import choose, require
from xmrc_jax.ground.errors import UserError


def test_a_choice_is_its_entry():
    assert choose({'a': 1, 'b': 2}, 'b', 'leaf') == 2
    assert require(('a', 'b'), 'a', 'leaf') is None


@pytest.mark.parametrize('check', [lambda: choose({'a': 1, 'b': 2}, 'c', 'leaf'),
                                   lambda: require(('a', 'b'), 'c', 'leaf')])  # fmt: skip
def test_an_unknown_name_is_refused_with_the_choices(check):
    with pytest.raises(UserError, match="^leaf: unknown choice 'c'; choose from a, b$"):
        check()
