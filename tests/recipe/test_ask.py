"""Asking: k answers to each question, whatever the batch."""

import dataclasses

import numpy as np
import pytest

from tests.small import small
from xmrc_jax.data.squad import Question
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import ask
from xmrc_jax.recipe.ask import Ask
from xmrc_jax.recipe.experiment import Experiment


@pytest.fixture(scope='module')
def own(tmp_path_factory):
    return Experiment(small(), tmp_path_factory.mktemp('own'))


def test_answers_depend_neither_on_the_batch_nor_on_k(own):
    split, params = own.inputs.tests[0], own.inputs.pretrained()
    wider = dataclasses.replace(own.ask.options, batch_size=24)
    few = own.ask(params, split.windows, len(split.questions), '', 3)
    many = Ask(own.ask.encoder, own.mesh, wider)(params, split.windows, len(split.questions), '')
    assert few.chars_QK2.shape == (len(split.questions), 3, 2)
    assert many.chars_QK2.shape[1] == own.ask.options.n_best
    np.testing.assert_array_equal(few.chars_QK2, many.chars_QK2[:, :3])
    np.testing.assert_allclose(few.logits_QK2, many.logits_QK2[:, :3], rtol=1e-5, atol=1e-6)


def test_a_batch_is_no_larger_than_its_windows(own, monkeypatch):
    """So that a single question does not cost a whole batch."""
    split, params, sizes = own.inputs.train, own.inputs.pretrained(), {}

    def predicted(_, encoder, windows, *, batch_size, **options):
        sizes[len(windows)] = batch_size

    monkeypatch.setattr(ask, 'predict', predicted)
    for questions in range(1, 24):
        own.ask(params, split.windows.of_questions(slice(0, questions)), questions)
    assert min(sizes) <= 8 < 16 < max(sizes)
    assert own.mesh.size == 8
    assert own.ask.options.batch_size == 16
    assert sizes == {windows: 8 if windows <= 8 else 16 for windows in sizes}


def test_a_cpu_computes_long_windows_few_at_once(own, monkeypatch):
    """A window of 64 tokens has 64 * 64 pairs, and each of 8 devices a power of two of windows."""
    wide = dataclasses.replace(own.ask.options, batch_size=64)
    asked = Ask(own.ask.encoder, own.mesh, wide)
    split, params, sizes = own.inputs.train, own.inputs.pretrained(), []

    def predicted(_, encoder, windows, *, batch_size, **options):
        sizes.append(batch_size)

    monkeypatch.setattr(ask, 'predict', predicted)
    assert split.windows.length_W.max() == 64
    for windows in (0.1, 1, 3, 4, 99):
        monkeypatch.setattr(ask, 'CACHED', int(windows * 64 * 64))
        asked(params, split.windows, len(split.questions))
    assert sizes == [8, 8, 16, 32, 64]
    monkeypatch.setattr(ask.jax, 'default_backend', lambda: 'gpu')
    monkeypatch.setattr(ask, 'CACHED', 1)
    asked(params, split.windows, len(split.questions))
    assert sizes[-1] == 64


def test_what_is_compiled_ahead_is_all_that_is_needed(own, compilations):
    split, params = own.inputs.tests[0], own.inputs.pretrained()
    options = dataclasses.replace(own.ask.options, n_best=7)  # another than before
    ask = Ask(own.ask.encoder, own.mesh, options)
    longest = 128  # beyond the run's own windows
    short = own.inputs.windows([Question('', 'Who?', 'Ada.', ())])
    shapes = ask.compile(params, short, longest)
    assert shapes == 4  # 8 or 16 windows of 64 or 128 tokens
    assert len(compilations) >= 4
    compilations.clear()
    for questions in range(1, len(split.questions) + 1):
        ask(params, split.windows.of_questions(slice(0, questions)), questions)
    assert compilations == []


def test_a_batch_that_does_not_divide_is_refused_when_the_asking_is_set_up(own):
    options = dataclasses.replace(own.ask.options, batch_size=12)
    with pytest.raises(UserError, match='12 does not divide by 8'):
        Ask(own.ask.encoder, own.mesh, options)
