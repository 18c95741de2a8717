"""What a key of ``config.json`` may hold, and how it is refused otherwise."""

import re

import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import config_values as values

ANYTHING = (
    None,
    'x',
    '1',
    -1,
    0,
    10**9,
    1e-7,
    1.5,
    True,
    [],
    {},
    [1],
    {'a': 1},
    float('nan'),
    float('inf'),
)


@pytest.mark.parametrize(
    ('kind', 'taken'),
    [
        (lambda found: values.whole(found, 'n', 0), [0]),
        (lambda found: values.epsilon(found, 'n'), [1e-7]),
        (lambda found: values.number(found, 'n'), [10**9, 1e-7, 1.5]),
        (lambda found: values.section(found, 'n', ['a']), [None, 0, [], {}, {'a': 1}]),
        (lambda found: values.names(found, 'n'), [None, 0, [], {}]),
    ],
)
def test_all_else_is_refused_with_the_key_and_what_it_holds(kind, taken):
    for value in ANYTHING:
        if value in taken and type(value) in map(type, taken):
            kind({'n': value})
        else:
            with pytest.raises(UserError, match=re.escape(f'n {value!r} must be ')):
                kind({'n': value})


def test_unknown_keys_of_a_section_are_named_unless_they_are_null():
    assert values.section({'n': {'a': 1, 'b': None}}, 'n', ['a']) == {'a': 1, 'b': None}
    with pytest.raises(UserError, match='^b 0 of n is not supported, only a, c$'):
        values.section({'n': {'a': 1, 'b': 0}}, 'n', ['a', 'c'])
