"""Where two nested dicts differ, leaf by leaf."""

from xmrc_jax.ground.differences import differences


def test_every_leaf_that_differs_is_named_once():
    one = {'a': 1, 'b': {'c': [1, 2], 'd': None}, 'same': {'x': 0}}
    other = {'a': 1.5, 'b': {'c': [1, 3]}, 'same': {'x': 0}, 'e': 'new'}
    assert list(differences(one, other)) == [
        'a is 1 there, 1.5 here',
        'b.c is [1, 2] there, [1, 3] here',
        "e is None there, 'new' here",
    ]
    assert list(differences(one, one)) == []


def test_a_section_in_place_of_a_leaf_is_a_difference():
    assert list(differences({'a': {'b': 1}}, {'a': 2})) == ["a is {'b': 1} there, 2 here"]
