"""A working folder belongs to one run at a time."""

import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe.workdir import claimed


def test_a_folder_is_made_held_and_given_back(tmp_path):
    workdir = tmp_path / 'deep' / 'run'
    with claimed(workdir):
        assert workdir.is_dir()
        with pytest.raises(UserError, match='another run is at work here'), claimed(workdir):
            raise AssertionError('claimed twice')
    with claimed(workdir):
        pass


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / 'file').write_text('')
    with (
        pytest.raises(UserError, match='cannot be used as working folder'),
        claimed(tmp_path / 'file' / 'run'),
    ):
        raise AssertionError('claimed a file')
