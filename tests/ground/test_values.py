"""Configuration values: nested leaves in and out, and what is wrong with those that do not fit."""

from dataclasses import dataclass

import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.values import build, leaf, leaves, part, plain


@dataclass(frozen=True)
class Size:
    tokens: int
    share: float


@dataclass(frozen=True)
class Corpora:
    root: str = leaf(where=True)
    names: tuple[str, ...]
    size: Size = part()
    strict: bool


@dataclass(frozen=True)
class Run:
    seed: int
    data: Corpora
    method: Size = leaf(section='two_stage', late=True)
    folds: int = leaf(before=1)


NESTED = {
    'seed': 3,
    'data': {'root': 'here', 'names': ['a', 'b'], 'tokens': 5, 'share': 0.5, 'strict': False},
    'two_stage': {'tokens': 6, 'share': 1.0},
    'folds': 2,
}


def test_a_value_and_its_leaves_are_each_other_s_inverse():
    run = build(Run, NESTED)
    assert run == Run(3, Corpora('here', ('a', 'b'), Size(5, 0.5), False), Size(6, 1.0), 2)
    assert plain(run) == NESTED
    paths = {path: each.value for path, each in leaves(run).items()}
    assert paths['data.tokens'] == 5  # a part's leaf stands in the section of the whole
    assert build(Run, paths) == run


def test_a_section_hands_its_metadata_on():
    found = leaves(build(Run, NESTED))
    assert [path for path, each in found.items() if each.metadata.get('where')] == ['data.root']
    late = [path for path, each in found.items() if each.metadata.get('late')]
    assert late == ['two_stage.tokens', 'two_stage.share']


def test_an_integer_may_stand_for_a_float_and_nothing_else_for_another_type():
    assert build(Run, NESTED | {'two_stage': {'tokens': 6, 'share': 1}}).method.share == 1.0
    for path, content in (
        ('seed', 3.0),
        ('seed', True),
        ('data.strict', 0),
        ('data.root', None),
        ('data.names', 'a'),
        ('data.names', [1]),
        ('two_stage', 6),
    ):
        with pytest.raises(UserError, match=rf'^{path}'):
            build(Run, changed(path, content))


def changed(path, content):
    """NESTED with one leaf of another content, without it where that is ``...``."""
    nested = {name: dict(each) if isinstance(each, dict) else each for name, each in NESTED.items()}
    *section, name = path.split('.')
    place = nested[section[0]] if section else nested
    place[name] = content
    if content is ...:
        del place[name]
    return nested


@dataclass(frozen=True)
class Bounded:
    shares: tuple[float, ...] = leaf(at_least=0, below=1)
    axis: int = leaf(above=1, at_most=4, also=-1)
    names: tuple[str, ...] = leaf(one_of={'a': 1, 'b': 2})


@pytest.mark.parametrize('axis', [-1, 2, 4])
def test_within_its_bounds_a_number_is_as_it_is_given(axis):
    given = {'shares': [0, 0.5], 'axis': axis, 'names': []}
    assert build(Bounded, given) == Bounded((0.0, 0.5), axis, ())
    assert build(Bounded, given | {'shares': []}).shares == ()


@pytest.mark.parametrize(
    ('name', 'content', 'line'),
    [
        ('shares', [0, 1.0], 'shares=1.0: must be at least 0 and below 1'),
        ('shares', [-0.5, 0], 'shares=-0.5: must be at least 0 and below 1'),
        ('shares', [float('nan')], 'shares=nan: must be finite and at least 0 and below 1'),
        ('axis', 1, 'axis=1: must be above 1 and at most 4, or -1'),
        ('axis', 5, 'axis=5: must be above 1 and at most 4, or -1'),
    ],
)
def test_a_number_out_of_its_bounds_is_refused_with_them(name, content, line):
    with pytest.raises(UserError) as refused:
        build(Bounded, {'shares': [0], 'axis': 2, 'names': []} | {name: content})
    assert str(refused.value) == line


def test_a_name_that_is_none_of_the_choices_is_refused_with_them():
    given = {'shares': [], 'axis': 2}
    assert build(Bounded, given | {'names': ['b', 'a']}).names == ('b', 'a')
    with pytest.raises(UserError, match=r"^names: unknown choice 'c'; choose from a, b$"):
        build(Bounded, given | {'names': ['a', 'c']})


def test_a_number_without_bounds_is_finite():
    with pytest.raises(UserError, match=r'^data\.share=inf: must be finite$'):
        build(Run, changed('data.share', float('inf')))


def test_a_leaf_without_a_field_and_a_field_without_a_leaf_are_named():
    with pytest.raises(UserError, match=r'data\.token: no such leaf; did you mean data\.tokens\?'):
        build(Run, changed('data.token', 1))
    with pytest.raises(UserError, match=r'data\.share: the configuration lacks this leaf'):
        build(Run, changed('data.share', ...))


def test_what_was_stored_before_a_leaf_was_known_has_the_value_of_that_time():
    old = changed('folds', ...)
    assert build(Run, old, stored=True).folds == 1
    with pytest.raises(UserError, match='folds'):
        build(Run, old)
    with pytest.raises(UserError, match='seed'):
        build(Run, changed('seed', ...), stored=True)
