"""A compiled step's sizes, against arithmetic by hand; and what a compiler's failure means."""

import dataclasses
import os
import pickle

import jax
import numpy as np
import pytest

from tests.plan.planned import of
from xmrc_jax.configs import mlqa
from xmrc_jax.data.batches import Batches
from xmrc_jax.ground.errors import UserError
from xmrc_jax.plan import compiled, plans, topologies
from xmrc_jax.plan.job import windows_of
from xmrc_jax.recipe import settings
from xmrc_jax.train.throughput import train_flops


def test_the_compiler_s_own_verdict_is_understood():
    error = jax.errors.JaxRuntimeError(
        'RESOURCE_EXHAUSTED: E1000: CompileTimeHbmOom: Ran out of memory on HBM, the total memory '
        'required for HLO temporaries (23.80G) exceeds available HBM (15.75G).'
    )
    assert compiled.failure(error).needed == int(23.8 * 2**30)
    old = jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: Used 20.1G of 15.75G hbm.')
    assert compiled.failure(old).needed == int(20.1 * 2**30)


@pytest.mark.parametrize(
    ('needed', 'line'), [(23_800_000_000, 'needs 23.80 GB'), (None, 'needs more than there is')]
)
def test_what_does_not_fit_says_so_from_its_process_too(needed, line):
    error = pickle.loads(pickle.dumps(compiled.TooLargeError(needed)))
    assert (error.needed, str(error)) == (needed, line)


def test_a_crashing_compiler_is_one_line(capfd):
    with pytest.raises(UserError, match='the compiler crashed'):
        compiled.apart(os.abort)  # in another process, or there would be no test any more
    assert capfd.readouterr().err == ''


def test_what_the_compiler_says_comes_back_from_its_process():
    with pytest.raises(UserError, match='v5e takes 2 numbers'):
        compiled.apart(topologies.resolve, 'v5e:4')


@pytest.mark.parametrize(('fsdp', 'share'), [(1, 1), (8, 8)])
def test_memory_is_that_of_the_shapes(job, fsdp, share):
    part = compiled.compile_step(dataclasses.replace(job, fsdp=fsdp), 'base', jax.devices())
    V, D, N, F, P = 33_035, 128, 2, 512, 514
    split = V * D + P * D + D + N * (4 * D * D + 2 * D * F)
    whole = 2 * D + N * (4 * D + F + D + 4 * D) + 2 * D + 2  # norms, biases, span head
    assert part.parameters == 4 * (split // share + whole)
    assert part.moments == 2 * part.parameters + 8  # two step counters of 4 bytes
    assert part.memory > part.parameters + part.moments


def test_parts_of_a_batch_need_less_and_adapters_alone_have_moments(job):
    job = dataclasses.replace(job, batch_size=256, used_rows=64)
    parts = dataclasses.replace(job, accumulate=8)
    run = settings.vary(job.run, {'train.freeze': 1, 'train.lora_rank': 2})
    tuned = dataclasses.replace(parts, run=run)
    whole, parts, tuned = (
        compiled.compile_step(each, 'base', jax.devices()) for each in (job, parts, tuned)
    )
    assert parts.temporaries < whole.temporaries / 2
    assert (parts.parameters, parts.moments) == (whole.parameters, whole.moments)
    D, F, rank = 128, 512, 2
    adapters = rank * (4 * (D + D) + 2 * (D + F))  # of the second layer
    assert tuned.parameters == whole.parameters + 4 * adapters
    assert tuned.moments == 2 * 4 * (adapters + 2 * D + 2) + 8  # the head, two step counters


def test_flops_are_those_of_the_formula_and_remat_repeats_the_forward_pass():
    encoder = dataclasses.replace(of('xlmr_base'), vocabulary=64)
    plain = plans.job_of(settings.read(mlqa.get_config()), 8)
    counted = {}
    for remat in (False, True):
        changed = dataclasses.replace(
            plain,
            encoder=dataclasses.replace(encoder, remat=remat),
            batch_size=8,
            mean_tokens=384,
            used_rows=64,
        )
        traced, _ = compiled.trace(changed, 'base', jax.devices())
        counted[remat] = compiled.matrix_flops(traced.jaxpr.jaxpr)
    # Eight full windows; the formula leaves out the span head, and that attention's scores are
    # computed again in the backward pass: 2 D for each pair of tokens and layer.
    formula = train_flops(encoder, np.full(8, 384))
    scores = 2 * 12 * 768 * 8 * 384**2
    assert counted[False] == pytest.approx(formula + scores, rel=1e-3)
    assert counted[True] == pytest.approx(formula * 4 / 3 + scores, rel=1e-3)


def test_what_is_planned_is_packed(job):
    """Windows of half the length, in rows of half the places: half the FLOPs of full windows."""
    flops = {}
    for mean_tokens in (16, 32):
        changed = dataclasses.replace(job, batch_size=16, mean_tokens=mean_tokens)
        traced, (_, batch, _) = compiled.trace(changed, 'base', jax.devices())
        assert batch.token_GRP.shape == (8, 2, mean_tokens)
        flops[mean_tokens] = compiled.matrix_flops(traced.jaxpr.jaxpr)
    assert flops[16] == pytest.approx(flops[32] / 2, rel=0.05)  # attention: a quarter


def test_the_compiled_batch_is_that_of_real_batches(job):
    """Names, shapes and dtypes of what training puts on the devices."""
    windows = windows_of(3, 32)
    mined = np.zeros((3, 4, 2), np.int32), np.ones((3, 4), bool)
    batches = Batches(windows, batch_size=8, max_tokens=32, seed=1, candidates=mined)
    real = batches.batch_at(0, layout=batches.layouts(1, 8)[0])
    _, (_, batch, _) = compiled.trace(job, 'two_stage', jax.devices())
    for leaf, values in zip(batch, real, strict=True):
        assert (leaf is None) == (values is None)
        assert leaf is None or (leaf.shape, leaf.dtype) == (values.shape, values.dtype)
    assert compiled.trace(job, 'base', jax.devices())[1][1].candidates_BK2 is None


def test_a_scan_s_collectives_run_once_a_layer(job):
    """The gradients of two stacked layers are summed twice, those of the table once."""
    part = compiled.compile_step(job, 'base', jax.devices())
    inner = [each for each in part.collectives if each.count == job.encoder.layers]
    D, F = job.encoder.width, job.encoder.mlp
    layer = 4 * (4 * D * D + 2 * D * F + 4 * D + F + D + 4 * D)  # kernels, biases, two norms
    assert sum(each.size for each in inner) == layer
    table = next(each for each in part.collectives if '33035' in each.shape)
    assert (table.count, table.devices) == (1, 8)
