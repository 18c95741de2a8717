"""The installed package: what is in the wheel, and that it works from any folder."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.several import HANG

ROOT = Path(__file__).parents[1]


def python(*words, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, **options)


def test_importing_the_package_loads_no_jax_and_sets_no_environment_variable():
    program = (
        'import os, sys; before = dict(os.environ); import xmrc_jax; '
        'sys.exit("jax" in sys.modules or os.environ != before)'
    )
    assert python('-c', program, cwd=ROOT).returncode == 0


def test_the_reader_is_loaded_when_first_asked_for():
    program = (
        'import sys, xmrc_jax\n'
        'assert "Reader" in xmrc_jax.__all__ and "xmrc_jax.recipe" not in sys.modules\n'
        'from xmrc_jax import Answer, Reader\n'
        'assert Reader.__module__ == Answer.__module__ == "xmrc_jax.recipe.reader"\n'
        'try: xmrc_jax.Writer\n'
        'except AttributeError: sys.exit(0)\n'
        'sys.exit(1)'
    )
    loaded = python('-c', program, cwd=ROOT)
    assert loaded.returncode == 0, loaded.stderr


@pytest.fixture(scope='module')
def wheel(tmp_path_factory) -> Path:
    """The project's wheel, built without a network from a copy, which no earlier build was in."""
    folder = tmp_path_factory.mktemp('wheel')
    for name in ('xmrc_jax', 'configs'):
        unwanted = shutil.ignore_patterns('__pycache__')
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=unwanted)
    for name in ('pyproject.toml', 'requirements.txt', 'README.md', 'LICENSE'):
        shutil.copy(ROOT / name, folder)
    words = ['pip', 'wheel', '--quiet', '--no-deps', '--no-build-isolation', '.']
    built = python('-m', *words, cwd=folder)
    assert built.returncode == 0, built.stderr
    return next(folder.glob('*.whl'))


def test_the_wheel_has_one_package_with_the_configurations_in_it(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split('/')[0] for name in names}
    assert {name for name in top if not name.endswith('.dist-info')} == {'xmrc_jax'}
    assert 'xmrc_jax/py.typed' in names
    for name in ('mlqa', 'paper', 'tables/__init__', 'tables/table_7'):
        assert f'xmrc_jax/configs/{name}.py' in names
    for folder in ('data/articles', 'reporting', 'serve'):
        own = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / 'xmrc_jax' / folder).rglob('*.*')
            if '__pycache__' not in path.parts
        }
        assert own <= set(names)


NAMES = ['mlqa', 'configs/mlqa.py'] + [
    path.relative_to(ROOT / 'configs').with_suffix('').as_posix()
    for path in sorted((ROOT / 'configs').glob('**/*.py'))
    if 'def get_config' in path.read_text('utf-8')
]


def test_every_configuration_is_found_by_its_name_from_any_folder(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(tmp_path / 'site')
    (tmp_path / 'configs').mkdir()  # a user's own is no hindrance
    (tmp_path / 'configs' / '__init__.py').write_text('raise ImportError("not mine")')
    program = (
        f'import os, sys; sys.path.insert(0, {str(tmp_path / "site")!r})\n'
        'from xmrc_jax import main\n'
        'assert main.__file__.startswith(sys.path[0])\n'
        f'for name in {NAMES!r}:\n'
        '    if os.fork():  # flags are read once in a process\n'
        '        assert os.wait()[1] == 0, name\n'
        '        continue\n'
        '    sys.argv = ["main", "--config", f"{name}:smoke", "--config.seed=7"]\n'
        '    config = main.read_config(sys.argv)\n'
        '    print(config.seed, config.model.name, flush=True)\n'
        '    os._exit(0)'
    )
    found = python('-c', program, cwd=tmp_path)
    assert found.stdout.splitlines() == ['7 tiny'] * len(NAMES), found.stderr


def test_a_file_of_the_user_s_comes_before_one_of_the_package(tmp_path):
    (tmp_path / 'configs').mkdir()
    own = 'from xmrc_jax.configs import mlqa\n\ndef get_config(variant="base"):\n'
    own += (
        '    config = mlqa.get_config(variant).unlock()\n    config.seed = 11\n    return config\n'
    )
    (tmp_path / 'configs' / 'mlqa.py').write_text(own)
    program = (
        f'import sys; sys.path.insert(0, {str(ROOT)!r})\n'
        'from xmrc_jax import main\n'
        'print(main.read_config(["main", "--config=configs/mlqa.py"]).seed)'
    )
    assert python('-c', program, cwd=tmp_path).stdout.strip() == '11'


@pytest.fixture(scope='module')
def xmrc(wheel, tmp_path_factory):
    """Starts the installed command in a folder of its own, with the libraries of this Python."""
    folder = tmp_path_factory.mktemp('elsewhere')
    venv.create(folder / 'venv', symlinks=True)
    binaries = folder / 'venv' / 'bin'
    site = next((folder / 'venv').glob('lib/python*/site-packages'))
    (site / 'libraries.pth').write_text(sysconfig.get_path('purelib'))
    words = ['pip', '--python', binaries / 'python', 'install', '--quiet', '--no-deps', wheel]
    installed = python('-m', *words, '--no-index')
    assert installed.returncode == 0, installed.stderr
    environment = os.environ | {
        'JAX_PLATFORMS': 'cpu',
        'JAX_DISABLE_MOST_OPTIMIZATIONS': '1',
        'JAX_COMPILATION_CACHE_DIR': str(Path(tempfile.gettempdir(), 'xmrc_jax_tests')),
        'PYTHONUNBUFFERED': '1',
    }
    environment.pop('PYTHONPATH', None)

    def start(*words):
        return subprocess.Popen(
            [binaries / 'xmrc', *words],
            cwd=folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start


@pytest.mark.slow
def test_the_installed_command_trains_predicts_and_serves(xmrc):
    words = ['--config', 'quickstart:smoke', '--workdir', 'run']
    words += ['--config.data.encyclopedia.train_passages=8', '--config.data.cache=cache']
    words += ['--config.data.tests=("encyclopedia/test/hi",)', '--config.two_stage.spans=20']
    train = xmrc('train', *words)
    said, errors = train.communicate()
    assert train.returncode == 0, errors
    assert 'tables: run/results.md' in said
    predict = xmrc('predict', 'run', '--question', 'Who?', '--passage', 'Ada Fenwick founded it.')
    said, errors = predict.communicate()
    assert predict.returncode == 0, errors
    assert len(said.splitlines()) == 5
    serve = xmrc('serve', 'run', '--port', '0', '--batch_size', '1')
    try:
        while (line := serve.stdout.readline()) and not line.startswith('serving: http://'):
            pass
        assert line, serve.communicate()
        serve.send_signal(signal.SIGTERM)
        assert serve.wait(HANG) == 0
    finally:
        serve.kill()
        serve.communicate()
