"""Killed, told to stop, out of space, diverging: one process and what it leaves."""

import random
import signal
import subprocess
import time

import numpy as np
import pytest

from tests.several import diary, run, start
from xmrc_jax.ground.files import locked

COMPARED = ('results.json', 'base/selected.json', 'two_stage/selected.json')


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
    """A run of the whole recipe that nothing happened to, and the seconds it took."""
    workdir = tmp_path_factory.mktemp('undisturbed')
    begun = time.monotonic()
    [(status, _, errors)] = run(workdir, devices=1)
    assert status == 0, errors
    return workdir, time.monotonic() - begun


def assert_alike(workdir, undisturbed):
    """Bit by bit, in every loss, candidate, answer and score."""
    for stage in ('base', 'two_stage'):
        assert diary(workdir, stage) == diary(undisturbed, stage)
    answers = (undisturbed / 'predictions').rglob('*.json')
    for name in (*COMPARED, *(path.relative_to(undisturbed) for path in answers)):
        assert (workdir / name).read_bytes() == (undisturbed / name).read_bytes()
    parts = sorted((undisturbed / 'candidates').glob('part-*.npz'))
    assert parts
    for part in parts:
        with np.load(part) as before, np.load(workdir / 'candidates' / part.name) as after:
            for name in before:
                np.testing.assert_array_equal(after[name], before[name])


DIE = """
import os, signal
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
"""
# (what dies, how): each start gets a little further than the one before.
MOMENTS = {
    'the tokenizer is half written': 'from xmrc_jax.data import encyclopedia\n'
    'original = encyclopedia.train_tokenizer\n'
    'encyclopedia.train_tokenizer = lambda *a: (original(*a), die())',
    'windows are half written': 'import numpy\n'
    'original = numpy.save\n'
    'numpy.save = lambda path, array: die() if "chars" in str(path) else original(path, array)',
    'the first step': 'from xmrc_jax.train import health\nhealth.Health.add = die',
    'the first save': 'from xmrc_jax.train import loop\nloop.Checkpoints.save = die',
    'a whole checkpoint without its seal': 'from xmrc_jax.train import checkpoints\n'
    'checkpoints.seal = die',
    'the dev set': 'from xmrc_jax.recipe import scoring\nscoring.predictions = die',
    'the last step, not yet selected': 'from xmrc_jax.train import loop\nloop.Selected.of = die',
    'the second part of Z': 'from xmrc_jax.answers import candidates\n'
    'original = candidates.Mining.write\n'
    'def write(mining, rows, found):\n'
    '    original(mining, rows, found)\n'
    '    if rows.start: die()\n'
    'candidates.Mining.write = write',
    'the second stage': 'from xmrc_jax.train import throughput\n'
    'original = throughput.Meter.add\n'
    'def add(meter, step, metrics, *lengths):\n'
    '    original(meter, step, metrics, *lengths)\n'
    '    if step == 5: die()\n'
    'throughput.Meter.add = add',
    'answers without scores': 'from xmrc_jax.evaluate import records\n'
    'original = records.write_json\n'
    'records.write_json = lambda path, value: '
    'die() if "scores" in path.name else original(path, value)',
}


@pytest.mark.slow
def test_killed_at_every_kind_of_moment_the_run_ends_bit_equal(undisturbed, tmp_path):
    cache = f'--config.data.cache={tmp_path / "cache"}'
    for moment, code in MOMENTS.items():
        [(status, _, errors)] = run(tmp_path / 'run', cache, devices=1, before=DIE + code)
        assert status == -signal.SIGKILL, (moment, errors)
    [(status, _, errors)] = run(tmp_path / 'run', cache, devices=1)
    assert status == 0, errors
    assert_alike(tmp_path / 'run', undisturbed[0])


@pytest.mark.slow
def test_killed_at_random_moments_the_run_ends_bit_equal(undisturbed, tmp_path):
    workdir, seconds = undisturbed
    moments = random.Random(5)
    for _ in range(8):
        [running] = start(tmp_path, devices=1)
        try:
            running.communicate(timeout=moments.uniform(0.1, 0.8) * seconds)
        except subprocess.TimeoutExpired:
            running.kill()
        running.communicate()
    [(status, _, errors)] = run(tmp_path, devices=1)
    assert status == 0, errors
    assert_alike(tmp_path, workdir)


TOLD = """
import os, signal
def sigterm():
    os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.slow
def test_sigterm_while_training_saves_and_the_run_ends_bit_equal(undisturbed, tmp_path):
    code = TOLD + (
        'from xmrc_jax.train import throughput\n'
        'original = throughput.Meter.add\n'
        'def add(meter, step, metrics, *lengths):\n'
        '    original(meter, step, metrics, *lengths)\n'
        '    if step in (2, 5): sigterm()\n'
        'throughput.Meter.add = add'
    )
    stops = []
    for _ in range(4):
        [(status, _, errors)] = run(tmp_path, devices=1, before=code)
        assert status == 75, errors
        stops.append(errors.strip().splitlines()[-1])
    saved = 'xmrc_jax: stopped by SIGTERM, {} is saved at step {} of 6; the same command continues'
    stages = ('base', 2), ('base', 5), ('two_stage', 2), ('two_stage', 5)
    assert stops == [saved.format(*each) for each in stages]
    kept = (tmp_path / 'two_stage/checkpoints').iterdir()
    assert sorted(path.name for path in kept) == ['3', '5']  # 2 was only of the stop
    [(status, _, errors)] = run(tmp_path, devices=1)
    assert status == 0, errors
    assert_alike(tmp_path, undisturbed[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    'moment',
    [
        'from xmrc_jax.data import windows; at, name = windows, "cut"',
        'from xmrc_jax.answers import candidates; at, name = candidates.Mining, "write"',
        'from xmrc_jax.evaluate import records; at, name = records, "write_predictions"',
    ],
    ids=['windows', 'mining', 'scores'],
)
def test_sigterm_outside_of_training_ends_the_run_at_once(moment, tmp_path):
    code = f"""{TOLD}{moment}
def slow(*_, **__):
    import time
    sigterm()
    time.sleep(60)
setattr(at, name, slow)
"""
    [(status, _, errors)] = run(tmp_path, f'--config.data.cache={tmp_path}', devices=1, before=code)
    assert status == 75, errors
    last = errors.strip().splitlines()[-1]
    assert last == 'xmrc_jax: stopped by SIGTERM; the same command continues'


def test_a_second_run_in_one_folder_is_refused(tmp_path):
    with locked(tmp_path / '.lock'):
        [(status, out, errors)] = run(tmp_path, devices=1)
    assert (status, out) == (2, '')
    assert errors.strip() == (
        f'xmrc_jax: {tmp_path}: another run is at work here; '
        'wait for its end, or choose another --workdir'
    )


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    wild = ('--config.train.peak_lr=1e18', '--config.train.warmup=0.0')
    [(status, _, errors)] = run(tmp_path, *wild, devices=1)
    assert status == 2
    line = errors.strip()
    assert '\n' not in line
    assert f'{tmp_path}/base/failure.json: the loss of step ' in line
    assert 'gradient norms: reader/encoder/blocks/attention/key/bias ' in line
    assert 'questions: train-' in line
    failure = (tmp_path / 'base/failure.json').read_text()
    assert '"questions": [' in failure
    assert not list((tmp_path / 'base/checkpoints').iterdir())


@pytest.mark.slow
def test_a_full_disk_ends_the_run_in_one_line(undisturbed, tmp_path):
    # The limit on the size of a file stands for the end of the disk: checkpoints alone exceed it.
    code = """
from xmrc_jax.train import loop
original = loop.Checkpoints.save
def save(checkpoints, step, *state):
    import resource
    if step == 6:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    original(checkpoints, step, *state)
loop.Checkpoints.save = save
"""
    [(status, _, errors)] = run(tmp_path, devices=1, before=code)
    assert status == 2, errors
    line = errors.strip()
    assert '\n' not in line
    assert f'{tmp_path}/base/checkpoints/6: could not be written (' in line
    assert f'{tmp_path}/base/checkpoints/3 is good; make room, then the same command' in line
    [(status, _, errors)] = run(tmp_path, devices=1)
    assert status == 0, errors
    assert_alike(tmp_path, undisturbed[0])


@pytest.mark.slow
def test_a_profile_is_recorded_of_some_steps(tmp_path):
    [(status, _, errors)] = run(
        tmp_path, '--config.profile=2', "--config.recipe=('base',)", devices=1
    )
    assert status == 0, errors
    assert [path.suffix for path in (tmp_path / 'base/profile').rglob('*.xplane.pb')] == ['.pb']
