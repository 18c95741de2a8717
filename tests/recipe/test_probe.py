"""Does a reader read the question? Swapped questions, the loss of eq. 3, the warning."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.small import small
from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.model import reader
from xmrc_jax.recipe import experiment
from xmrc_jax.recipe.inputs import Inputs
from xmrc_jax.recipe.probe import Probe, Reads, swapped
from xmrc_jax.train import sharding


@pytest.mark.parametrize('count', [2, 7, 8])
def test_swapped_questions_come_from_other_passages_and_each_once(count):
    questions = [
        Question(str(i), f'what of {i}?', f'passage {i // 2}', (Answer(0, 'p'),))
        for i in range(count)
    ]
    moved = swapped(questions)
    assert [(each.id, each.passage) for each in moved] == [
        (each.id, each.passage) for each in questions
    ]
    assert sorted(each.text for each in moved) == sorted(each.text for each in questions)
    passage_of = {each.text: each.passage for each in questions}
    shared = [each for each in moved if passage_of[each.text] == each.passage]
    assert shared == [] or count == 2  # two questions of one passage


def test_the_loss_is_that_of_every_window_by_itself(tmp_path):
    run = small()
    inputs = Inputs(run.data, run.model, run.seed, tmp_path)
    windows = inputs.tests[0].windows
    params = reader.init(inputs.encoder, jax.random.key(1))
    apply, losses = jax.jit(reader.apply, static_argnums=1), []
    for window in np.flatnonzero(windows.gold_W2[:, 0] >= 0):
        ids_L = windows.ids_T[slice(*windows.bounds_W2[window])]
        reading = apply(
            params,
            inputs.encoder,
            jnp.array(ids_L)[None],
            jnp.array([len(ids_L)]),
            jnp.array(windows.passage_W2[window])[None],
        )
        start, end = windows.gold_W2[window]
        losses.append(
            -jax.nn.log_softmax(reading.start_logits_BL)[0, start]
            - jax.nn.log_softmax(reading.end_logits_BL)[0, end]
        )
    for batch_size, devices in ((8, 8), (16, 2)):
        mesh = sharding.make_mesh(data=devices, devices=jax.devices()[:devices])
        probe = Probe(inputs.encoder, mesh, run.method.reading.normalisation, batch_size)
        assert probe.loss(params, windows) == pytest.approx(np.mean(losses), rel=1e-5)


def test_a_reader_that_loses_little_ignores_questions():
    assert Reads(5.3, 5.7).ignores_questions
    assert not Reads(4.2, 7.7).ignores_questions


def test_a_run_says_it_of_each_reader_once_computed(finished, capsys):
    experiment.run(small(), finished)
    said = capsys.readouterr().out
    for name in ('base', 'two_stage'):
        reads = Reads(**json.loads((finished / f'predictions/{name}/probe.json').read_text()))
        assert f'{name}: {reads} (encyclopedia/dev/en)' in said
        assert f'{name}: warning: answers much the same' in said  # a reader of few steps
