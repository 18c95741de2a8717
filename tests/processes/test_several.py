"""One, two and four real processes: the same losses, the same Z, the same scores; ends together."""

import json
import signal

import numpy as np
import pytest

from tests.several import diary, ended, run, send, start


@pytest.fixture(scope='module')
def alone(tmp_path_factory):
    """The whole recipe in one process on four devices."""
    workdir = tmp_path_factory.mktemp('alone')
    [(status, _, errors)] = run(workdir, devices=4)
    assert status == 0, errors
    return workdir


def assert_same_training(workdir, other):
    """Sums of float32 are taken in another order, and a dozen updates of AdamW carry that on."""
    for stage in ('base', 'two_stage'):
        for found, expected in zip(diary(workdir, stage), diary(other, stage), strict=True):
            assert found.keys() == expected.keys()
            for name in found:
                np.testing.assert_allclose(found[name], expected[name], rtol=2e-5, err_msg=name)


def assert_same_answers(workdir, other):
    parts = sorted(path.name for path in (other / 'candidates').glob('part-*.npz'))
    assert sorted(path.name for path in (workdir / 'candidates').glob('part-*.npz')) == parts
    for name in parts:
        expected, found = (np.load(run / 'candidates' / name) for run in (other, workdir))
        np.testing.assert_array_equal(found['chars_QK2'], expected['chars_QK2'])
    assert (workdir / 'results.json').read_bytes() == (other / 'results.json').read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(('processes', 'devices'), [(2, 2), (4, 1)])
def test_processes_compute_what_one_computes(processes, devices, alone, tmp_path):
    first, *others = run(tmp_path, processes=processes, devices=devices)
    assert first[0] == 0, first[2]
    assert others == [(0, '', '')] * (processes - 1)  # only process 0 prints
    assert_same_training(tmp_path, alone)
    assert_same_answers(tmp_path, alone)
    logs = sorted(path.name for path in (tmp_path / 'logs').iterdir())
    assert logs == [f'process-{number}.log' for number in range(processes)]
    lines = first[1].splitlines()
    lines = [line for line in lines if not line.startswith('[Gloo]')]
    assert lines[0] == (
        f'{processes} processes, 4 x cpu, mesh data=4 fsdp=1 model=1, global batch 16, '
        '4 rows on each device'
    )
    assert f': {devices} device{"s" * (devices > 1)}, rows ' in lines[processes]
    assert lines[processes].endswith(f'rows {16 - 16 // processes}-15')
    records = json.loads((tmp_path / 'results.json').read_text())
    assert {record['questions'] for record in records} == {8}  # none lost, none counted twice


@pytest.mark.slow
@pytest.mark.parametrize(
    ('processes', 'devices', 'mesh'), [(2, 2, ('data=1', 'fsdp=4')), (1, 8, ('data=2', 'model=2'))]
)
def test_what_two_processes_saved_goes_on_elsewhere(processes, devices, mesh, alone, tmp_path):
    code = """
from xmrc_jax.train import throughput
original = throughput.Meter.add
def add(meter, step, metrics, *lengths):
    original(meter, step, metrics, *lengths)
    if step == 4:
        import os, signal
        os.kill(os.getpid(), signal.SIGTERM)
throughput.Meter.add = add
"""
    for status, _, errors in run(tmp_path, processes=2, devices=2, before=code):
        assert status == 75, errors
    arguments = [f'--config.mesh.{axis}' for axis in mesh]
    if 'model=2' in mesh:
        arguments.append('--config.mesh.fsdp=2')
    for status, _, errors in run(tmp_path, *arguments, processes=processes, devices=devices):
        assert status == 0, errors
    assert_same_training(tmp_path, alone)
    assert_same_answers(tmp_path, alone)


WAITS = """
from xmrc_jax.train import throughput
original = throughput.Meter.add
def add(meter, step, metrics, *lengths):
    import time
    original(meter, step, metrics, *lengths)
    time.sleep(0.5)
throughput.Meter.add = add
"""


@pytest.mark.slow
@pytest.mark.parametrize('victim', [0, 1, 2])
def test_where_one_is_killed_the_others_end_with_a_line(victim, tmp_path):
    sizes = '--config.train.batch_size=18', '--config.evaluate.batch_size=18'  # 3 x 6 rows
    running = start(tmp_path, *sizes, processes=3, devices=1, before=WAITS)
    send(running[victim], signal.SIGKILL, tmp_path / 'base' / 'metrics.jsonl')
    for number, (status, _, error) in enumerate(ended(running)):
        last = error.strip().splitlines()[-1]
        assert last.startswith('xmrc_jax: '), error
        assert last.endswith('the same command continues')
        if number != victim:
            assert status not in (0, 2, 75), error
            # Who finds a computation broken off speaks of itself, who hears no sign of the other.
            silent = f'process {victim} has given no sign for '
            assert f'process {number} (' in last or silent in last, error


@pytest.mark.slow
def test_the_same_command_continues_after_one_was_killed(alone, tmp_path):
    running = start(tmp_path, processes=2, devices=2, before=WAITS)
    send(running[1], signal.SIGKILL, tmp_path / 'base' / 'checkpoints' / '3' / 'seal.json')
    ended(running)
    for status, _, errors in run(tmp_path, processes=2, devices=2):
        assert status == 0, errors
    assert_same_training(tmp_path, alone)
    assert_same_answers(tmp_path, alone)


@pytest.mark.slow
def test_what_one_process_cannot_read_ends_all(tmp_path):
    code = """
import sys
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import inputs
if '--process_id=1' in sys.argv:
    def missing(*_, **__):
        raise UserError('train.json: no such file')
    inputs.corpora.load = missing
"""
    first, second = run(tmp_path, processes=2, devices=1, before=code)
    assert second[0] == first[0] == 2
    assert second[2].strip() == 'xmrc_jax: train.json: no such file'
    last = first[2].strip()
    assert last.startswith('xmrc_jax: process 0 (')
    assert last.endswith('did: train.json: no such file')


@pytest.mark.slow
@pytest.mark.parametrize(
    ('code', 'message'),
    [
        (
            "import sys\nif '--process_id=1' in sys.argv: "
            "sys.argv.append('--config.train.peak_lr=0.5')",
            'train.peak_lr is 0.002 there, 0.5 here',
        ),
        (
            "import sys, xmrc_jax\nif '--process_id=1' in sys.argv: xmrc_jax.__version__ = '9'",
            'software.xmrc_jax is ',
        ),
    ],
    ids=['configuration', 'code'],
)
def test_processes_that_disagree_are_refused_in_a_line(code, message, tmp_path):
    ended = run(tmp_path, processes=2, devices=1, before=code)
    assert [status for status, _, _ in ended] == [2, 2]
    for _, _, error in ended:
        assert error.strip().count('\n') == 0
        assert message in error
    assert not (tmp_path / 'config.json').exists()


@pytest.mark.parametrize(
    ('argument', 'message'),
    [
        ('--config.train.batch_size=15', '15 does not divide by 2 devices'),
        ('--config.mesh.fsdp=3', 'mesh data=-1 fsdp=3 model=1 does not cover 2 devices'),
    ],
)
def test_what_does_not_divide_is_said_once(argument, message, tmp_path):
    ended = run(tmp_path, argument, processes=2, devices=1)
    assert [status for status, _, _ in ended] == [2, 2]
    lines = [error.strip() for _, _, error in ended if error]
    assert any(message in line for line in lines)
    assert all(line.count('\n') == 0 for line in lines)


@pytest.mark.parametrize(
    'arguments',
    [
        ['--coordinator=127.0.0.1:1'],
        ['--num_processes=2', '--process_id=0'],
        ['--process_id=1', '--coordinator=127.0.0.1:1'],
    ],
)
def test_a_part_of_the_flags_is_refused(arguments, tmp_path):
    [(status, _, errors)] = run(tmp_path, *arguments, devices=1)
    assert status == 2
    assert '--coordinator, --num_processes and --process_id belong together' in errors
    assert errors.strip().count('\n') == 0
