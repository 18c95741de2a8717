"""The loader of docs/export.md needs JAX alone, and answers as the reader does."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import RECORDS
from xmrc_jax.data import prediction
from xmrc_jax.data.queries import Query
from xmrc_jax.recipe import portable
from xmrc_jax.recipe.reader import Reader

PAGE = Path(__file__).parents[2] / 'docs' / 'export.md'


@pytest.fixture
def loader():
    (code,) = re.findall('```python\n(.*?)```', PAGE.read_text('utf-8'), re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 20
    assert set(re.findall(r'^(?:from|import) (\w+)', code, re.MULTILINE)) == {'jax'}
    return code


def test_the_loader_answers_without_this_package(loader, exported, tmp_path):
    reader = Reader.load(exported)
    portable.save(tmp_path / 'portable', reader.own)
    passage, question = RECORDS[0][1:3]
    (best, *_) = reader.ask(question, passage)
    windows = reader.prepare([Query('', '', question, (passage,))]).windows
    planned = prediction.Planned(np.arange(len(windows)), len(windows), 64)
    batch = prediction.prediction_batch(windows, planned)
    np.savez(
        tmp_path / 'windows.npz', ids=batch.ids_BL, passage=batch.passage_B2, edge=batch.edge_BL
    )
    code = loader + (
        'windows = jnp.load("windows.npz")\n'
        'inputs = windows["ids"], windows["passage"], windows["edge"]\n'
        'spans_BK2, logits_BK2, *_ = best_spans(*inputs)\n'
        'window = int(logits_BK2[:, 0].sum(axis=-1).argmax())\n'
        'import sys\n'
        'assert not {"xmrc_jax", "flax", "transformers"} & set(sys.modules)\n'
        'print(window, *spans_BK2[window, 0].tolist())\n'
        'short = [[0, 5, 2, 6, 2]], [[3, 4]], [[0, 0, 0, 1, 0]]  # fewer tokens than answers\n'
        'assert best_spans(*short)[0][0, :2].tolist() == [[3, 3], [-1, -1]]\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    window, start, end = map(int, done.stdout.split())
    first = windows.bounds_W2[window, 0]
    chars = windows.chars_T2[first + start, 0], windows.chars_T2[first + end, 1]
    assert chars == (best.start, best.end)
