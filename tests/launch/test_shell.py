"""Every shell file passes shellcheck; the GPU machine's sets its environment and no more."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.stand_ins import LAUNCH

ROOT = LAUNCH.parent
FILES = [*sorted(LAUNCH.glob('*.sh')), ROOT / '.ci' / 'run']


def shellcheck():
    beside_python = Path(sys.executable).with_name('shellcheck')
    return str(beside_python) if beside_python.exists() else shutil.which('shellcheck')


@pytest.mark.skipif(shellcheck() is None, reason='shellcheck is not installed')
@pytest.mark.parametrize('file', FILES, ids=lambda file: file.name)
def test_shellcheck(file):
    done = subprocess.run(
        [shellcheck(), '--external-sources', file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(('outside', 'platform'), [({}, 'cuda'), ({'JAX_PLATFORMS': 'cpu'}, 'cpu')])
def test_a_gpu_machine_continues_after_a_preemption(outside, platform, stub, tmp_path):
    path = stub(
        'python',
        f'cd {tmp_path}; echo "$JAX_PLATFORMS $XLA_CLIENT_MEM_FRACTION $*" >> starts\n'
        'if [ "$(wc -l < starts)" = 1 ]; then exit 75; fi',
    )
    command = [LAUNCH / 'gpu_node.sh', '--config', 'a b']
    subprocess.run(command, env={'PATH': path, **outside}, check=True)
    line = f'{platform} 0.92 -m xmrc_jax.main --config a b'
    assert (tmp_path / 'starts').read_text().splitlines() == [line, line]
