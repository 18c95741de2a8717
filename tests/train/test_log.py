"""The run's diary and its speeds: what is written, when, and what a resumed run drops."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from xmrc_jax.ground.errors import UserError
from xmrc_jax.train import throughput
from xmrc_jax.train.log import MetricLog
from xmrc_jax.train.throughput import Meter, peak_flops, train_flops


def told(folder):
    return [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]


@pytest.mark.parametrize(('resume_from', 'kept'), [(0, []), (2, [1, 2]), (3, [1, 2, 3])])
def test_a_resumed_run_drops_what_the_killed_one_told_too_much(resume_from, kept, tmp_path):
    whole = ''.join(json.dumps({'step': step, 'loss': 1.0}) + '\n' for step in range(1, 5))
    (tmp_path / 'metrics.jsonl').write_text(whole + '{"step": 1, "lo')  # killed while writing
    log = MetricLog(tmp_path, resume_from=resume_from)
    log.write(resume_from + 1, {'loss': 0.5})
    log.close()
    assert [line['step'] for line in told(tmp_path)] == [*kept, resume_from + 1]
    assert told(tmp_path)[-1]['loss'] == 0.5


def test_scalars_become_numbers_and_vectors_lists(tmp_path):
    log = MetricLog(tmp_path)
    log.write(3, {'loss': np.float32(0.5), 'w': jnp.array([0.25, 0.75]), 'f1': 80})
    assert told(tmp_path) == [{'step': 3, 'loss': 0.5, 'w': [0.25, 0.75], 'f1': 80.0}]  # at once
    log.close()
    (events,) = (tmp_path / 'tensorboard').glob('events.out.tfevents.*')
    for tag in (b'loss', b'w/00', b'w/01'):
        assert tag in events.read_bytes()


def test_flops_of_forward_and_backward(encoder):
    # Width 16, MLP 32, 2 layers; windows of 3 and 5 tokens.
    # A layer's matrices: 4 of 16 x 16 (query, key, value, out) and 2 of 16 x 32: 2048 weights. Each
    # is multiplied and added once a token forward and twice backward: 6 * 2 * 2048 * (3 + 5).
    # Attention of n tokens: n x n dot products of all heads together of length 16, and as many for
    # the weighted sum: 2 * 2 * 16 * n^2 forward, thrice that in all: 12 * 16 * 2 * (9 + 25).
    assert train_flops(encoder, np.array([3, 5], np.int32)) == 196_608 + 13_056


class Diary(list):
    def write(self, step, metrics):
        self.append((step, metrics))


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""
    now = [0.0]
    monkeypatch.setattr(throughput.time, 'perf_counter', lambda: now[0])
    return now


def test_every_nth_step_is_told_one_step_late(clock):
    diary = Diary()
    meter = Meter(diary.write, every=2, flops=None)
    for step in range(1, 6):
        clock[0] += 2.0
        meter.add(step, {'loss': jnp.float32(step)}, np.array([4, 5]), 20)
        assert [each for each, _ in diary] == list(range(2, step, 2))
    meter.flush()
    assert [(step, float(metrics['loss'])) for step, metrics in diary] == [(2, 2.0), (4, 4.0)]
    # Steps 1 and 2, told at 6 s: 4 windows, 18 of 40 places real.
    first = {name: value for name, value in diary[0][1].items() if name != 'loss'}
    assert first == pytest.approx(
        {'sequences_per_second': 4 / 6, 'real_tokens_per_second': 18 / 6, 'padding_ratio': 22 / 40}
    )
    # Steps 3 and 4, told 4 s later: nothing of the first two counts again.
    assert diary[1][1]['sequences_per_second'] == pytest.approx(4 / 4)


def test_a_pause_tells_what_is_pending_and_forgets_the_time(clock):
    diary = Diary()
    meter = Meter(diary.write, every=1, flops=None)
    clock[0] = 1.0
    meter.add(1, {}, np.array([4]), 10)
    meter.pause()
    assert [step for step, _ in diary] == [1]
    clock[0] = 500.0  # the dev set is scored
    meter.pause()
    meter.add(2, {}, np.array([4]), 10)
    clock[0] = 502.0
    meter.flush()
    assert diary[1][1]['sequences_per_second'] == pytest.approx(1 / 2)


def test_mfu_is_told_where_the_peak_is_known(clock, monkeypatch):
    assert jax.devices()[0].platform == 'cpu'
    assert peak_flops() is None
    diary = Diary()
    meter = Meter(diary.write, every=1, flops=lambda length_W: 100.0 * length_W.sum())
    for step, peak in ((1, None), (2, 400.0)):
        monkeypatch.setattr(throughput, 'peak_flops', lambda peak=peak: peak)
        meter.add(step, {}, np.array([4, 4]), 20)
        clock[0] += 4.0
        meter.flush()
    assert 'mfu' not in diary[0][1]
    assert diary[1][1]['mfu'] == 0.5  # 800 FLOPs in 4 s, of 400 a second


def test_the_peak_is_that_of_all_devices(monkeypatch):
    kind = type('Device', (), {'device_kind': 'NVIDIA H200'})
    monkeypatch.setattr(jax, 'devices', lambda: [kind, kind])
    monkeypatch.setattr(jax, 'device_count', lambda: 2)
    assert peak_flops() == 2 * 989e12  # dense bfloat16, NVIDIA's data sheet


def test_what_tensorboard_is_given_can_be_read_back(tmp_path):
    log = MetricLog(tmp_path, resume_from=3)
    log.write(4, {'loss': 2.5, 'w': np.array([0.25, 0.75])})
    log.close()
    (path,) = (tmp_path / 'tensorboard').iterdir()
    content, events = path.read_bytes(), []
    while content:  # length, its check, the event, its check
        size = int.from_bytes(content[:8], 'little')
        events.append(Event.FromString(content[12 : 12 + size]))
        content = content[16 + size :]
    assert events[0].file_version == 'brain.Event:2'
    assert (events[1].step, events[1].session_log.status) == (4, SessionLog.START)
    told = {value.tag: value.simple_value for value in events[2].summary.value}
    assert (events[2].step, told) == (4, {'loss': 2.5, 'w/00': 0.25, 'w/01': 0.75})


def test_a_full_disk_is_told_in_one_line(tmp_path):
    log = MetricLog(tmp_path)
    log._file.close()
    log._file = Path('/dev/full').open('ab', buffering=0)  # noqa: SIM115
    with pytest.raises(UserError, match=r'metrics\.jsonl: cannot be written: No space left'):
        log.write(1, {'loss': 1.0})
