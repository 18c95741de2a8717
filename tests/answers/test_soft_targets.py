"""Soft targets on disk: what was written is read in place, and nothing else is."""

from types import SimpleNamespace

import numpy as np
import pytest

from xmrc_jax.answers.parts import Binding
from xmrc_jax.answers.soft_targets import BYTES, SoftTargets, Teaching
from xmrc_jax.ground.errors import UserError

BINDING = Binding(checkpoint='c1', tokenizer='t1', text='x1')
LENGTH_W = np.array([5, 7, 3, 9, 4])
QUESTION_W = np.array([0, 1, 1, 2, 3])  # two windows of question 1
WINDOWS = SimpleNamespace(length_W=LENGTH_W, question_W=QUESTION_W)
SAID = [np.random.default_rng(w).normal(size=(n, 2)) for w, n in enumerate(LENGTH_W)]


def teach(folder, blocks=slice(None)):
    teaching = Teaching(folder, BINDING, WINDOWS, block=2)
    for rows in teaching.missing()[blocks]:
        own_W = (rows.start <= QUESTION_W) & (rows.stop > QUESTION_W)
        teaching.write(rows, [SAID[window] for window in np.flatnonzero(own_W)])


def test_what_a_teacher_said_is_read_window_by_window(tmp_path):
    teach(tmp_path / 's', slice(1, 2))  # killed, and gone on with
    teach(tmp_path / 's')
    found = SoftTargets(tmp_path / 's', BINDING, WINDOWS)
    assert len(found) == 5
    for window, said in enumerate(SAID):
        np.testing.assert_array_equal(found[window], said.astype(np.float16))
        assert isinstance(found[window], np.memmap)
    sizes = [path.stat().st_size for path in (tmp_path / 's').glob('*.npy')]
    assert sum(sizes) - 128 * len(sizes) == BYTES * LENGTH_W.sum()  # and the files' headers


def test_what_is_unfinished_or_of_another_text_is_refused(tmp_path):
    teach(tmp_path / 's', slice(1))
    with pytest.raises(UserError, match='1 of 2 parts are not made yet'):
        SoftTargets(tmp_path / 's', BINDING, WINDOWS)
    teach(tmp_path / 's')
    with pytest.raises(UserError, match='made from tokenizer t1, not t2'):
        SoftTargets(tmp_path / 's', BINDING._replace(tokenizer='t2'), WINDOWS)


@pytest.mark.parametrize('damage', [lambda data: data[:-2], lambda data: b'', lambda data: b'x'])
def test_a_damaged_part_is_named(damage, tmp_path):
    teach(tmp_path / 's')
    path = tmp_path / 's' / 'part-00000002.npy'
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r'part-00000002\.npy: damaged'):
        SoftTargets(tmp_path / 's', BINDING, WINDOWS)
