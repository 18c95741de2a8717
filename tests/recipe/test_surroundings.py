"""What a run runs on, as its record has it."""

import hashlib
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import jax
import pytest

import xmrc_jax
from xmrc_jax.recipe import surroundings


def test_versions_are_those_that_are_installed():
    known = surroundings.software()
    assert known['jax'] == version('jax') == jax.__version__
    assert set(known) == {'xmrc_jax', 'python', *surroundings.PACKAGES}


def test_a_changed_line_of_the_package_changes_its_hash(tmp_path):
    shutil.copytree(Path(xmrc_jax.__file__).parent, tmp_path / 'xmrc_jax')
    with open(tmp_path / 'xmrc_jax/export.py', 'a') as file:
        file.write('# changed\n')
    code = 'from xmrc_jax.recipe import surroundings; print(surroundings.software()["xmrc_jax"])'
    changed = subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert changed.stdout.strip() != surroundings.software()['xmrc_jax']
    digest = hashlib.sha256()
    for path in sorted((tmp_path / 'xmrc_jax').rglob('*.py')):
        digest.update(path.relative_to(tmp_path / 'xmrc_jax').as_posix().encode())
        digest.update(path.read_bytes())
    assert digest.hexdigest()[:12] in changed.stdout


def test_the_commit_is_named_where_the_files_are_a_checkout_s_own(tmp_path):
    def git(*words):
        subprocess.run(['git', '-C', tmp_path, *words], check=True, capture_output=True)

    def said():
        code = 'from xmrc_jax.recipe import surroundings; print(surroundings.commit())'
        run = subprocess.run(
            [sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    shutil.copytree(Path(xmrc_jax.__file__).parent, tmp_path / 'xmrc_jax')
    git('init')
    (tmp_path / 'own').write_text('of somebody who installed it here')
    as_somebody = '-c', 'user.name=A', '-c', 'user.email=a@b.c'
    git('add', 'own')
    git(*as_somebody, 'commit', '-m', 'own')
    assert said() == 'not a checkout'
    git('add', 'xmrc_jax')
    git(*as_somebody, 'commit', '-m', 'xmrc_jax')
    head = subprocess.check_output(['git', '-C', tmp_path, 'rev-parse', 'HEAD'], text=True)
    assert said() == head[:12]
    (tmp_path / 'xmrc_jax' / 'export.py').write_text('# changed')
    assert said() == f'{head[:12]}, changed since'


def test_devices_are_counted():
    assert surroundings.hardware() == '8 x cpu'


@pytest.mark.parametrize(('before', 'expected'), [(None, 'cache/compiled'), ('own', 'own')])
def test_programs_are_kept_in_the_cache_unless_elsewhere(before, expected, monkeypatch):
    changed = {'jax_compilation_cache_dir': before}
    config = SimpleNamespace(jax_compilation_cache_dir=before, update=changed.__setitem__)
    monkeypatch.setattr(jax, 'config', config)
    surroundings.keep_compiled(Path('cache'))
    assert changed['jax_compilation_cache_dir'] == expected
    assert changed['jax_persistent_cache_min_compile_time_secs'] == 0
