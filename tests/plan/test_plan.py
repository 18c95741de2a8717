"""Plans: what a step needs on devices that are not there, against arithmetic by hand."""

import dataclasses
import importlib.util
import math
import os
import re
import subprocess
import sys

import jax
import numpy as np
import pytest
from absl.testing import flagsaver

from xmrc_jax.configs import mlqa
from xmrc_jax.data.batches import Batches
from xmrc_jax.ground import commands
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model.encoder import ENCODERS, PLAIN, EncoderConfig
from xmrc_jax.plan import __main__ as command
from xmrc_jax.plan import compiled, plans, remedies, topologies
from xmrc_jax.plan.hlo import Program
from xmrc_jax.plan.roofline import Recipe, recipe_times, step_time
from xmrc_jax.recipe import settings
from xmrc_jax.train import sharding
from xmrc_jax.train.chips import CHIPS, Chip, chip_of
from xmrc_jax.train.throughput import train_flops

SMOKE = 'configs/mlqa.py:smoke'
# Small enough to compile in seconds; the vocabulary is what parameters are made of here.
SMALL = (
    '--config.data.max_tokens=32',
    '--config.two_stage.spans=8',
    '--config.mine.candidates=4',
    "--config.recipe=('base','score')",
)


@pytest.fixture
def tell(capfd, monkeypatch):
    """Runs the command in this process: (status, what it printed, its errors)."""

    def run(*arguments, config=SMOKE):
        argv = ['plan', f'--config={config}', *arguments]
        monkeypatch.setattr(sys, 'argv', argv)
        status = 0
        with flagsaver.flagsaver():
            try:
                commands.command(lambda: command.main(argv))
            except SystemExit as stopped:
                status = stopped.code
        return status, *capfd.readouterr()

    return run


@pytest.fixture
def job():
    changes = {'data.max_tokens': 32, 'mine.candidates': 4}
    return plans.job_of(settings.vary(settings.read(mlqa.get_config('smoke')), changes), 8)


def of(name):
    return EncoderConfig.of(ENCODERS[name], PLAIN)


def simulated(chip=None, name='cpu:8'):
    return topologies.Topology(name, jax.devices(), chip)


def told_bytes(text, label):
    line = next(line for line in text.splitlines() if line.strip().startswith(label))
    number, unit = line.strip().removeprefix(label).split()[:2]
    return float(number) * {'kB': 1e3, 'MB': 1e6, 'GB': 1e9}[unit]


# -- the command ---------------------------------------------------------------------------------


def test_a_plan_tells_memory_flops_bytes_and_collectives(tell):
    status, told, _ = tell('--topology=cpu:8', '--config.data.max_tokens=32')
    assert status == 0
    assert told.startswith('cpu:8: 8 x cpu, mesh data=8 fsdp=1 model=1\n')
    assert max(map(len, told.splitlines())) <= 100
    for stage in ('base', 'two_stage'):
        assert f'\n{stage}, one training step, on each device\n' in told
    # The used rows of the table, 33,035 x 128 float32, are summed over all devices.
    assert 'tiny: 33,035 of 250,002 token rows trained, float32\n' in told
    assert 'all-reduce         f32[33035,128]' in told
    assert 'not judged' in told
    # 89,597 windows, 1 epoch, batches of 8: ceil(89597 / 8).
    assert '89,597 training windows, 1 epochs: 11,200 steps a stage' in told
    assert 'estimated time: none' in told


def test_mesh_and_batch_are_those_of_the_configuration(tell):
    status, told, _ = tell(
        '--topology=cpu:8',
        '--config.mesh.fsdp=4',
        '--config.train.batch_size=2',
        '--config.train.batch_size_per=device',
        '--windows=160',
        *SMALL,
    )
    assert status == 0
    assert 'mesh data=2 fsdp=4 model=1' in told
    assert 'global batch 16 windows of 32 real tokens, at most 32\n' in told  # 2 on each of 8
    assert '160 training windows, 1 epochs: 10 steps a stage' in told
    assert 'two_stage' not in told


def test_a_batch_that_does_not_divide_is_rounded_up(tell):
    status, told, _ = tell('--topology=cpu:8', '--config.train.batch_size=12', *SMALL)
    assert status == 0
    assert 'a global batch of 12 windows does not divide by 8 devices' in told
    assert 'with --config.train.batch_size=16' in told


@pytest.mark.parametrize(
    ('topology', 'message'),
    [
        ('v5e:4x4x4', 'a v5e slice has 2 axes, such as v5e:4x4'),
        ('v5p:2x2', 'a v5p slice has 3 axes'),
        ('v7x:2', "unknown chip 'v7x'; choose from h200, h100, a100, v6e, v5e, v5p, v4, cpu"),
        ('h200:zero', 'write a chip and its number'),
        ('h200', 'write a chip and its number'),
        ('h200:0', 'write a chip and its number'),
        ('h200:2x4', 'one number of devices, such as h200:8'),
        ('h200:12', 'hosts have 8 GPUs; choose at most 8 or a multiple'),
        ('cpu:64', 'this process simulates 8 devices'),
        ('cpu:4 --config.mesh.fsdp=8', 'does not cover 4 devices'),
        ("cpu:8 --config.recipe=('mine',)", 'recipe: nothing is trained'),
    ],
)
def test_a_bad_topology_is_one_line(topology, message, tell):
    name, *more = topology.split()
    status, _, errors = tell(f'--topology={name}', *more)
    assert status == 2
    assert message in errors
    assert errors.startswith('xmrc_jax: ')
    assert errors.count('\n') == 1


def test_without_a_topology(tell):
    status, _, errors = tell()
    assert (status, errors.count('\n')) == (2, 1)
    assert 'flag --topology must name devices' in errors


@pytest.mark.parametrize(('name', 'package'), [('v5e:4x4', 'jax[tpu]'), ('h200:8', 'jax[cuda13]')])
def test_a_missing_compiler_names_its_package(name, package, tell, monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    status, _, errors = tell(f'--topology={name}')
    assert status == 2
    assert f'pip install "{package}"' in errors


# -- what does not fit ---------------------------------------------------------------------------


def tight(memory):
    return dataclasses.replace(CHIPS['v5e'], memory=memory)


def test_what_does_not_fit_is_changed_until_it_does(tell, monkeypatch):
    # Replicated: 4.69 M parameters and two moments, 56 MB. Over fsdp=8 an eighth of it.
    monkeypatch.setattr(topologies, '_cpu', lambda name, _: simulated(tight(50_000_000)))
    status, told, _ = tell('--topology=cpu:8', *SMALL)
    assert status == 0
    lines = told.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[3].startswith('does not fit: needs ')
    assert lines[4].startswith('  with --config.model.remat=True: needs ')
    assert lines[5] == '  with --config.mesh.fsdp=8: fits'
    assert 'compiled and planned with --config.mesh.fsdp=8' in told
    assert "fits in the chip's 50.00 MB" in told
    # Told as it is run: 18.750 MB of tables and kernels by 8, and 0.015 MB of the rest whole.
    assert told_bytes(told, 'parameters') == pytest.approx(18.750e6 / 8 + 0.015e6, rel=2e-3)


def test_where_nothing_helps_the_status_says_so(tell, monkeypatch):
    monkeypatch.setattr(topologies, '_cpu', lambda name, _: simulated(tight(1_000_000)))
    status, told, _ = tell('--topology=cpu:8', '--config.train.batch_size=16', *SMALL)
    assert status == 1
    assert '--config.train.batch_size=8: needs' in told
    assert told.endswith('no change of remat, fsdp and batch size makes it fit\n')


def test_the_order_of_changes(job):
    job = dataclasses.replace(job, batch_size=32)
    found = [
        (changed.encoder.remat, changed.fsdp, changed.batch_size)
        for changed in remedies.changes(job, 8)
    ]
    assert found == [
        (True, 1, 32), (False, 8, 32), (True, 8, 32), (True, 8, 16), (True, 8, 8),
    ]  # fmt: skip
    # Of 20 devices two go to `model`; 768 does not divide by the other 10, but by 2.
    wide = dataclasses.replace(job, encoder=of('xlmr_base'), model=2, batch_size=20)
    assert next(each.fsdp for each in remedies.changes(wide, 20) if each.fsdp > 1) == 2


def test_the_compiler_s_own_verdict_is_understood():
    error = jax.errors.JaxRuntimeError(
        'RESOURCE_EXHAUSTED: E1000: CompileTimeHbmOom: Ran out of memory on HBM, the total memory '
        'required for HLO temporaries (23.80G) exceeds available HBM (15.75G).'
    )
    assert compiled._failure(error).needed == int(23.8 * 2**30)
    old = jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: Used 20.1G of 15.75G hbm.')
    assert compiled._failure(old).needed == int(20.1 * 2**30)


def test_a_crashing_compiler_is_one_line(capfd):
    with pytest.raises(UserError, match='the compiler crashed'):
        compiled._apart(os.abort)
    assert compiled._apart(os.getpid) != os.getpid()
    assert capfd.readouterr().err == ''


def test_what_the_compiler_says_comes_back_from_its_process():
    with pytest.raises(UserError, match='slice has 2 axes'):
        compiled._apart(topologies.resolve, 'v5e:4')


# -- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(('fsdp', 'share'), [(1, 1), (8, 8)])
def test_memory_is_that_of_the_shapes(job, fsdp, share):
    part = compiled.compile_step(dataclasses.replace(job, fsdp=fsdp), 'base', jax.devices())
    V, D, N, F, P = 33_035, 128, 2, 512, 514
    split = V * D + P * D + D + N * (4 * D * D + 2 * D * F)
    whole = 2 * D + N * (4 * D + F + D + 4 * D) + 2 * D + 2  # norms, biases, span head
    assert part.parameters == 4 * (split // share + whole)
    assert part.moments == 2 * part.parameters + 8  # two step counters of 4 bytes
    assert part.memory > part.parameters + part.moments


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
    windows = compiled.windows_of(3, 32)
    mined = np.zeros((3, 4, 2), np.int32), np.ones((3, 4), bool)
    batches = Batches(windows, batch_size=8, max_tokens=32, seed=1, candidates=mined)
    real = batches.batch_at(0, groups=8)
    _, (_, batch, _) = compiled.trace(job, 'two_stage', jax.devices())
    for leaf, values in zip(batch, real, strict=True):
        assert (leaf.shape, leaf.dtype) == (values.shape, values.dtype)
    assert compiled.trace(job, 'base', jax.devices())[1][1].candidates_BK2 is None


HLO = """HloModule step, num_partitions=8

%body (carry: (s32[], f32[4,8])) -> (s32[], f32[4,8]) {
  %carry = (s32[]{:T(128)}, f32[4,8]{1,0:T(8,128)S(1)}) parameter(0)
  %i = s32[] get-tuple-element(%carry), index=0
  %x = f32[4,8]{1,0} get-tuple-element(%carry), index=1
  %sum = f32[4,8]{1,0} all-reduce(%x), replica_groups=mesh['axis_0'=2,'axis_1'=4] {'axis_1'}, to_apply=%add
  ROOT %next = (s32[], f32[4,8]) tuple(%i, %sum)
}

%condition (carry.1: (s32[], f32[4,8])) -> pred[] {
  %twelve = s32[]{:T(128)} constant(12)
  %carry.1 = (s32[], f32[4,8]) parameter(0)
  %i.1 = s32[] get-tuple-element(%carry.1), index=0
  ROOT %less = pred[] compare(%i.1, %twelve), direction=LT
}

%slice_of_layers (layers: f32[12,4,8], at: s32[]) -> f32[1,4,8] {
  %layers = f32[12,4,8]{2,1,0} parameter(0)
  %at = s32[] parameter(1)
  %zero = s32[] constant(0)
  ROOT %layer = f32[1,4,8]{2,1,0} dynamic-slice(%layers, %at, %zero, %zero), dynamic_slice_sizes={1,4,8}
}

ENTRY %main (a: f32[4,8], b: bf16[2,16], w: f32[12,4,8]) -> f32[4,8] {
  %a = f32[4,8]{1,0} parameter(0)
  %b = bf16[2,16]{1,0} parameter(1)
  %w = f32[12,4,8]{2,1,0} parameter(2)
  %start = s32[] constant(0)
  %init = (s32[], f32[4,8]) tuple(%start, %a)
  %loop = (s32[], f32[4,8]) while(%init), condition=%condition, body=%body
  %known = (s32[], f32[4,8]) while(%loop), condition=%condition, body=%body, backend_config={"known_trip_count":{"n":"5"}}
  %gather-start = (bf16[2,16]{1,0}, bf16[16,16]{1,0}) all-gather-start(%b), replica_groups={{0,1,2,3,4,5,6,7}}, dimensions={0}
  %gather-done = bf16[16,16]{1,0} all-gather-done(%gather-start)
  %scatter = f32[1,8]{1,0} reduce-scatter(%a), replica_groups=[2,4]<=[8], dimensions={0}, to_apply=%add
  %moved = bf16[2,16]{1,0} collective-permute(%b), source_target_pairs={{0,1},{1,0}}
  %layer.1 = f32[1,4,8]{2,1,0} fusion(%w, %start), kind=kLoop, calls=%slice_of_layers
  ROOT %out = f32[4,8] get-tuple-element(%known), index=1
}
"""  # noqa: E501


def test_collectives_are_read_with_their_bytes_and_loops():
    found = [tuple(each) for each in Program(HLO).collectives()]
    assert found == [
        # 4 * 8 float32 in a loop of 12 by its condition, then in one of 5 by the compiler's note.
        ('all-reduce', 'f32[4,8]', 128, 4, 12, False),
        ('all-reduce', 'f32[4,8]', 128, 4, 5, False),
        # 2 * 16 bfloat16 from each of 8; start and done are one.
        ('all-gather', 'bf16[2,16]', 512, 8, 1, True),
        ('reduce-scatter', 'f32[4,8]', 128, 4, 1, False),
        ('collective-permute', 'bf16[2,16]', 64, 8, 1, False),
    ]
    sent = [each.sent for each in Program(HLO).collectives()]
    assert sent == [192.0, 192.0, 448.0, 96.0, 64.0]  # 2 * 3/4, 2 * 3/4, 7/8, 3/4, all


def test_bytes_count_loops_and_slices():
    # A collective reads and writes its operand. In the loops 17 times 2 * 128; outside 2 * 64 for
    # the all-gather, 2 * 128, 2 * 64; the fusion reads a layer of 128 bytes and the index of 4,
    # and writes the layer. Comparing reads two numbers of 4 bytes, which are constants of the
    # condition: no memory counted, for conditions are not walked.
    assert Program(HLO).bytes() == 17 * 256 + 128 + 256 + 128 + 260


def test_bytes_agree_with_xla_where_there_is_no_loop():
    def f(x, y):
        return jax.numpy.tanh(x @ y).sum(axis=0)

    x, y = np.ones((64, 256), np.float32), np.ones((256, 128), np.float32)
    done = jax.jit(f).lower(x, y).compile()
    told = done.cost_analysis()['bytes accessed']
    assert Program(done.as_text()).bytes() == pytest.approx(told, rel=0.1)


def test_a_scan_s_collectives_run_once_a_layer(job):
    """The gradients of two stacked layers are summed twice, those of the table once."""
    part = compiled.compile_step(job, 'base', jax.devices())
    inner = [each for each in part.collectives if each.count == job.encoder.layers]
    D, F = job.encoder.width, job.encoder.mlp
    layer = 4 * (4 * D * D + 2 * D * F + 4 * D + F + D + 4 * D)  # kernels, biases, two norms
    assert sum(each.size for each in inner) == layer
    table = next(each for each in part.collectives if '33035' in each.shape)
    assert (table.count, table.devices) == (1, 8)


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
    recipe = Recipe(
        windows=16, epochs=3.0, folds=1, checkpoint_every=4, dev_windows=8, test_windows=16,
        predict_batch=8,
    )  # fmt: skip
    parts = {'base': step_of(100, 20), 'two_stage': step_of(300, 20)}
    job = dataclasses.replace(job, batch_size=8)
    found = recipe_times(recipe, ('base', 'mine', 'two_stage', 'score'), job, parts, topology)
    # A batch of 8 windows to answer: a third of training's FLOPs, on 8 devices of 100 a second.
    batch = train_flops(job.encoder, np.full(8, 32)) / 3 / 8 / 100
    assert found['base'] == 6 * 2  # 16 windows by 8, 3 epochs; 2 s of memory each
    assert found['two_stage'] == 6 * 3
    assert found['dev set'] == pytest.approx(2 * 2 * batch)  # steps 4 and 6, of two stages
    assert found['mine'] == pytest.approx(2 * batch)
    assert found['score'] == pytest.approx(2 * 2 * batch)
    folded = dataclasses.replace(recipe, folds=2)
    # Two readers, each of 8 windows: one step an epoch.
    assert folded.fold_steps(job) == 2 * 3


@pytest.mark.parametrize(
    ('kind', 'chip'),
    [
        ('TPU v5 lite', 'v5e'),
        ('TPU v5', 'v5p'),
        ('TPU v5p', 'v5p'),
        ('TPU v6 lite', 'v6e'),
        ('TPU v4', 'v4'),
        ('NVIDIA H200', 'h200'),
        ('NVIDIA A100-SXM4-80GB', 'a100'),
    ],
)
def test_devices_are_known_by_their_names(kind, chip):
    assert chip_of(kind) is CHIPS[chip]


# -- compilers that may be installed -------------------------------------------------------------


def process(*arguments):
    """The command in a process of its own, for a compiler is chosen once for a process."""
    command = [sys.executable, '-m', 'xmrc_jax.plan', f'--config={SMOKE}', *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check_aot(done, kind):
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert kind in done.stdout
    assert len(re.findall(r'  fits in .*the chip', done.stdout)) == 2
    # 250,002 x 128 and 396,000 other parameters of 4 bytes.
    assert math.isclose(told_bytes(done.stdout, 'parameters'), 129.9e6, rel_tol=0.01)
    assert 'f32[250002,128]' in done.stdout
    assert 'estimated times (roofline' in done.stdout


def mesh_of(name, sizes):
    jax.config.update('jax_platforms', 'cpu')
    return dict(sharding.make_mesh(*sizes, devices=topologies.resolve(name).devices).shape)


@pytest.mark.skipif(not importlib.util.find_spec('libtpu'), reason='needs jax[tpu]')
def test_a_mesh_may_split_an_axis_of_chips(monkeypatch):
    for name, value in command.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    found = compiled._apart(mesh_of, 'v6e:8x8', (-1, 2, 2))
    assert found == {'data': 16, 'fsdp': 2, 'model': 2}


@pytest.mark.skipif(not importlib.util.find_spec('libtpu'), reason='needs jax[tpu]')
def test_a_tpu_slice_is_compiled_for():
    check_aot(process('--topology=v5e:4x4', '--config.train.batch_size=16'), '16 x TPU v5 lite')


@pytest.mark.skipif(not importlib.util.find_spec('jax_cuda13_plugin'), reason='needs jax[cuda13]')
def test_eight_h200_are_compiled_for():
    check_aot(process('--topology=h200:8'), '8 x NVIDIA H200')
