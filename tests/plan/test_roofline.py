"""Times of steps and of the recipe, against arithmetic by hand."""

import dataclasses

import numpy as np
import pytest

from xmrc_jax.configs import mlqa
from xmrc_jax.plan import compiled, topologies
from xmrc_jax.plan.roofline import recipe_times, step_time
from xmrc_jax.recipe import settings
from xmrc_jax.train.chips import Chip
from xmrc_jax.train.throughput import train_flops

CHIP = Chip('unit', peak_flops=100.0, memory=1000, bandwidth=10.0, link=4.0, network=2.0, axes=2)


def step_of(flops, bytes_, *collectives):
    return compiled.Compiled(80, 0, 0, 0, flops, bytes_, collectives)


def permute(size, asynchronous, count=1):
    from xmrc_jax.plan.hlo import Collective

    return Collective('collective-permute', 'f32[]', size, 8, count, asynchronous)


def test_the_roofline():
    one = topologies.Topology('unit', range(8), CHIP)
    # 1 s of compute, 2 s of memory; 8 bytes in 2 s are waited for, 4 bytes twice hide 2 s.
    step = step_time(step_of(100, 20, permute(8, False), permute(4, True, 2)), one)
    assert (step.compute, step.memory, step.collectives, step.exposed) == (1, 2, 4, 2)
    assert step.total == 4
    # Of 5 asynchronous seconds 2 hide behind the memory; between hosts the network's rate counts.
    assert step_time(step_of(100, 20, permute(20, True)), one).total == 5
    two = dataclasses.replace(one, hosts=2)
    assert step_time(step_of(100, 20, permute(20, True)), two).total == 10


def test_the_recipe_adds_up(job):
    topology = topologies.Topology('unit', range(8), CHIP)
    run = settings.vary(
        settings.read(mlqa.get_config()),
        {
            'data.max_tokens': 32,
            'data.dev': 'own/dev.json@de',
            'data.tests': ('own/test.json@de', 'mlqa/test/en'),
            'train.epochs': 3.0,
            'train.checkpoint_every': 4,
            'evaluate.batch_size': 8,
        },
    )
    parts = {'base': step_of(100, 20), 'two_stage': step_of(300, 20)}
    job = dataclasses.replace(job, run=run, batch_size=8)
    counted = {'own/dev.json@de': 8, 'own/test.json@de': 16}  # of MLQA nothing is known
    found = recipe_times(job, parts, topology, 16, counted)
    # A batch of 8 windows to answer: a third of training's FLOPs, on 8 devices of 100 a second.
    batch = train_flops(job.encoder, np.full(8, 32)) / 3 / 8 / 100
    assert found['base'] == 6 * 2  # 16 windows by 8, 3 epochs; 2 s of memory each
    assert found['two_stage'] == 6 * 3
    assert found['dev set'] == pytest.approx(2 * 2 * batch)  # steps 4 and 6, of two stages
    assert found['mine'] == pytest.approx(2 * batch)
    assert found['score'] == pytest.approx(2 * 2 * batch)
    folded = dataclasses.replace(job, run=settings.vary(run, {'mine.folds': 2}))
    # Two readers, each of 8 windows: one step of 2 s an epoch.
    mined = recipe_times(folded, parts, topology, 16, counted)['mine']
    assert mined == pytest.approx(2 * batch + 2 * 3 * 2)


def test_the_peers_add_up(job):
    topology = topologies.Topology('unit', range(8), CHIP)
    run = settings.vary(
        settings.read(mlqa.get_config()),
        {
            'recipe': ('teach', 'distil', 'lakm', 'score'),
            'data.max_tokens': 32,
            'data.dev': '',
            'data.tests': ('own/test.json@de',),
            'train.epochs': 3.0,
            'evaluate.batch_size': 8,
        },
    )
    parts = {'base': step_of(100, 20), 'distil': step_of(300, 20), 'lakm': step_of(400, 20)}
    job = dataclasses.replace(job, run=run, batch_size=8)
    found = recipe_times(job, parts, topology, 16, {'own/test.json@de': 16})
    batch = train_flops(job.encoder, np.full(8, 32)) / 3 / 8 / 100
    assert found['teach'] == pytest.approx(6 * 2 + 2 * batch)  # all branches, and what they say
    assert found['distil'] == 6 * 3
    assert found['lakm'] == 6 * (2 + 4)  # each step of questions has one of phrases
    assert found['score'] == pytest.approx(2 * 2 * batch)
    of_the_base = dataclasses.replace(job, run=settings.vary(run, {'distil.teachers': 'base'}))
    times = recipe_times(of_the_base, parts, topology, 16, {})
    assert times['teach'] == pytest.approx(2 * batch)
