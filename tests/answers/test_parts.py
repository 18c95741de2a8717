"""Folders of parts: begun, gone on with, read whole, and bound to what they were made from."""

import pytest

from xmrc_jax.answers.parts import Binding, Parts
from xmrc_jax.ground.errors import UserError

BINDING = Binding(checkpoint='c1', tokenizer='t1', text='x1')
SIZE = {'questions': 10, 'tokens': 70, 'block': 4}


def made(folder, *missing):
    parts = Parts.begun(folder, BINDING, SIZE, '.npy')
    for rows in parts.missing():
        if rows.start not in missing:
            parts.path(rows).touch()
    return parts


def test_what_is_missing_is_made_when_it_is_gone_on_with(tmp_path):
    parts = made(tmp_path / 'p', 4)
    assert parts.blocks == [slice(0, 4), slice(4, 8), slice(8, 10)]
    assert parts.missing() == Parts.begun(tmp_path / 'p', BINDING, SIZE, '.npy').missing()
    assert parts.missing() == [slice(4, 8)]
    with pytest.raises(UserError, match='1 of 3 parts are not made yet'):
        Parts.finished(tmp_path / 'p', BINDING, tuple(SIZE), '.npy')
    made(tmp_path / 'p')
    assert Parts.finished(tmp_path / 'p', BINDING, tuple(SIZE), '.npy').size == SIZE


@pytest.mark.parametrize('field', Binding._fields)
def test_a_part_of_something_else_is_refused_by_name(field, tmp_path):
    made(tmp_path / 'p')
    other = BINDING._replace(**{field: 'other'})
    line = f'made from {field} {getattr(BINDING, field)}, not other; delete it'
    with pytest.raises(UserError, match=line):
        Parts.begun(tmp_path / 'p', other, SIZE, '.npy')
    with pytest.raises(UserError, match=line):
        Parts.finished(tmp_path / 'p', other, tuple(SIZE), '.npy')


def test_another_size_is_refused(tmp_path):
    made(tmp_path / 'p')
    with pytest.raises(UserError, match=r"begun with .*'block': 4.* not .*'block': 5"):
        Parts.begun(tmp_path / 'p', BINDING, SIZE | {'block': 5}, '.npy')


def test_parts_that_nothing_says_anything_of_are_not_gone_on_with(tmp_path):
    made(tmp_path / 'p', 8)
    (tmp_path / 'p' / 'manifest.json').unlink()
    with pytest.raises(UserError, match=r'p: parts without a manifest\.json; delete it'):
        Parts.begun(tmp_path / 'p', BINDING._replace(checkpoint='c2'), SIZE, '.npy')


def test_a_folder_of_another_kind_is_damage(tmp_path):
    made(tmp_path / 'p')
    with pytest.raises(UserError, match=r'manifest\.json: .*damaged'):
        Parts.finished(tmp_path / 'p', BINDING, ('questions', 'k', 'block'), '.npz')
