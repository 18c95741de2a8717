"""Where it goes what a process says."""

import warnings

import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.processes import output


def test_warnings_go_to_the_file_of_the_process(tmp_path, capfd):
    with output.kept_warnings(tmp_path / 'logs'):
        warnings.warn('of a library', stacklevel=1)
        output.say('for the user')
        print('a traceback', file=output.kept())
    text = (tmp_path / 'logs/process-0.log').read_text()
    assert 'of a library' in text
    assert 'a traceback' in text
    assert capfd.readouterr().err == 'xmrc_jax: for the user\n'


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / 'logs').touch()
    with pytest.raises(UserError, match='process-0.log: cannot be written: File exists'):
        output.kept_warnings(tmp_path / 'logs').__enter__()
