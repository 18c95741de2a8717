"""Files and folders appear whole or not at all; a lock has one holder."""

import os
import subprocess
import sys

import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import locked, read_json, read_json_lines, replacing, write_json


def test_a_folder_appears_with_all_its_files(tmp_path):
    with replacing(tmp_path / 'kept') as part:
        part.mkdir()
        (part / 'a').write_text('1')
        assert not (tmp_path / 'kept').exists()
    assert [path.name for path in tmp_path.iterdir()] == ['kept']
    assert (tmp_path / 'kept' / 'a').read_text() == '1'


def half(folder):
    with replacing(folder) as part:
        part.mkdir()
        (part / 'a').write_text('1')
        raise ZeroDivisionError


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError):
        half(tmp_path / 'kept')
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_said_in_one_line(tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(UserError, match=r'a\.json: cannot be written: No space left on device$'):
        write_json(tmp_path / 'a.json', {})
    assert list(tmp_path.iterdir()) == []


HOLD = """
import sys, threading
from pathlib import Path
from xmrc_jax.ground.files import locked
with locked(Path(sys.argv[1])):
    print('held', flush=True)
    threading.Event().wait()
"""


def test_a_lock_is_free_again_when_its_holder_is_killed(tmp_path):
    path = tmp_path / 'lock'
    holder = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == 'held\n'
    with pytest.raises(BlockingIOError), locked(path, wait=False):
        pass
    holder.kill()
    holder.wait()
    with locked(path, wait=False):
        pass


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'cannot be read: No such file'),
        ('{"a": ', 'broken JSON: '),
        ('[' * 10**6, 'broken'),
        ('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a', 'a pointer of Git LFS'),
    ],
)
def test_json_that_cannot_be_read_is_named(tmp_path, content, message):
    path = tmp_path / 'values.json'
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=f'^{path}: {message}'):
        read_json(path)


def test_what_is_written_is_read(tmp_path):
    write_json(tmp_path / 'a', {'é': [1, None]})
    assert read_json(tmp_path / 'a') == {'é': [1, None]}


def test_half_a_line_is_left_out(tmp_path):
    assert read_json_lines(tmp_path / 'lines') == []
    (tmp_path / 'lines').write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert read_json_lines(tmp_path / 'lines') == [{'step': 1}, {'step': 2}]
