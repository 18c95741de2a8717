"""The shell file that measures a GPU: all its commands exist, and its rehearsal names them."""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*arguments, path):
    command = [ROOT / 'benchmarks' / 'gpu.sh', *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | {'PATH': path}, capture_output=True, text=True
    )


def test_the_rehearsal_runs_the_same_commands_and_asks_for_no_gpu(stub, tmp_path):
    path = stub('python', 'echo "$JAX_PLATFORMS $*"')
    stub('nvidia-smi', 'echo a GPU')
    printed = {}
    for mode in ('', 'dry'):
        finished = run(tmp_path / f'out{mode}', *filter(None, [mode]), path=path)
        assert finished.returncode == 0, finished.stderr
        printed[mode] = finished.stdout.splitlines()
    *full, gpu = printed['']
    assert gpu == 'a GPU'
    # Two tests, two rates of two batches, four other encoders, four benchmarks.
    assert len(full) == 2 + 4 + 4 + 4
    assert len(printed['dry']) == 2 + 2 + 1 + 4
    assert all(line.startswith('cpu ') for line in printed['dry'])
    modules = [
        [words[words.index('-m') + 1] for words in map(str.split, lines)]
        for lines in (full, printed['dry'])
    ]
    assert set(modules[0]) == set(modules[1])
    assert all(map(find_spec, modules[0]))
