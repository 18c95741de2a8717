"""The command: what a plan says, and what it refuses."""

import importlib.util
import math
import re
import subprocess
import sys

import pytest

from tests.plan.planned import SMALL, SMOKE, printed_bytes


def test_a_plan_tells_memory_flops_bytes_and_collectives(plan):
    status, printed, _ = plan('--topology=cpu:8', '--config.data.max_tokens=32')
    assert status == 0
    assert printed.startswith('cpu:8: 8 x cpu, mesh data=8 fsdp=1 model=1\n')
    assert max(map(len, printed.splitlines())) <= 100
    for stage in ('base', 'two_stage'):
        assert f'\n{stage}, one training step, on each device\n' in printed
    # The used rows of the table, 33,035 x 128 float32, are summed over all devices.
    assert 'tiny: 33,035 of 250,002 token rows trained, float32\n' in printed
    assert 'all-reduce         f32[33035,128]' in printed
    assert 'not judged' in printed
    # 89,597 windows, 1 epoch, batches of 8: ceil(89597 / 8).
    assert '89,597 training windows, 1 epochs: 11,200 steps a stage' in printed
    assert 'estimated time: none' in printed


def test_mesh_and_batch_are_those_of_the_configuration(plan):
    status, printed, _ = plan(
        '--topology=cpu:8',
        '--config.mesh.fsdp=4',
        '--config.train.batch_size=2',
        '--config.train.batch_size_per=device',
        '--windows=160',
        *SMALL,
    )
    assert status == 0
    assert 'mesh data=2 fsdp=4 model=1' in printed
    assert 'global batch 16 windows of 32 real tokens, at most 32\n' in printed  # 2 on each of 8
    assert '160 training windows, 1 epochs: 10 steps a stage' in printed
    assert 'two_stage' not in printed


def test_a_batch_that_does_not_divide_is_rounded_up(plan):
    status, printed, _ = plan('--topology=cpu:8', '--config.train.batch_size=12', *SMALL)
    assert status == 0
    assert 'a global batch of 12 windows does not divide by 8 devices' in printed
    assert 'with --config.train.batch_size=16' in printed


def test_without_a_topology(plan):
    status, _, errors = plan()
    assert (status, errors.count('\n')) == (2, 1)
    assert 'flag --topology must name devices' in errors


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
    assert math.isclose(printed_bytes(done.stdout, 'parameters'), 129.9e6, rel_tol=0.01)
    assert 'f32[250002,128]' in done.stdout
    assert 'estimated times (roofline' in done.stdout


@pytest.mark.skipif(not importlib.util.find_spec('libtpu'), reason='needs jax[tpu]')
def test_a_tpu_slice_is_compiled_for():
    check_aot(process('--topology=v5e:4x4', '--config.train.batch_size=16'), '16 x TPU v5 lite')


@pytest.mark.skipif(not importlib.util.find_spec('jax_cuda13_plugin'), reason='needs jax[cuda13]')
def test_eight_h200_are_compiled_for():
    check_aot(process('--topology=h200:8'), '8 x NVIDIA H200')
