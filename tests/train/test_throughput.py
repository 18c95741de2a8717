"""What a step costs, and its speed: when it is written and what counts."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.tiny import ARCHITECTURES, KINDS
from xmrc_jax.model import reader
from xmrc_jax.model.architectures import PLAIN, EncoderConfig
from xmrc_jax.model.design import Design
from xmrc_jax.model.tuning import Tuning
from xmrc_jax.train import sharding, throughput
from xmrc_jax.train.throughput import Meter, peak_flops, train_flops


def test_flops_of_forward_and_backward(encoder):
    # Width 16, MLP 32, 2 layers; windows of 3 and 5 tokens.
    # A layer's matrices: 4 of 16 x 16 (query, key, value, out) and 2 of 16 x 32: 2048 weights. Each
    # is multiplied and added once a token forward and twice backward: 6 * 2 * 2048 * (3 + 5).
    # Attention of n tokens: n x n dot products of all heads together of length 16, and as many for
    # the weighted sum: 2 * 2 * 16 * n^2 forward, thrice that in all: 12 * 16 * 2 * (9 + 25).
    assert train_flops(encoder, np.array([3, 5], np.int32)) == 196_608 + 13_056


@pytest.mark.parametrize('kind', ARCHITECTURES)
def test_flops_are_those_of_what_each_token_is_multiplied_with(kind):
    """Kernels by their shapes, pairs of tokens one by one."""
    encoder = EncoderConfig.of(KINDS[kind], PLAIN)
    params = reader.abstract(encoder)
    kernels = [
        leaf.size
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
        if sharding.path_of(path).endswith('kernel')
        and not sharding.path_of(path).startswith('span')
    ]
    lengths = [2, 9, 20]
    pairs = 0
    for layer, n in itertools.product(range(encoder.layers), lengths):
        is_global = layer % encoder.design.global_every == 0
        reach = n if is_global else encoder.design.reach
        pairs += sum(abs(i - j) <= reach for i in range(n) for j in range(n))
        pairs += n * 2 * encoder.design.buckets
    expected = 6 * sum(kernels) * sum(lengths) + 12 * encoder.width * pairs
    assert train_flops(encoder, np.array(lengths, np.int32)) == expected


def test_flops_of_frozen_layers_and_of_adapters(encoder):
    """By the numbers above: the first of two layers forward alone, of kernels of the second with
    adapters no gradient of their own."""
    lengths = np.array([3, 5], np.int32)
    of_weights, of_pairs = 196_608 / 6, 13_056 / 6  # a pass of a layer
    assert train_flops(encoder, lengths, Tuning(1, 0)) == 4 * of_weights + 4 * of_pairs
    assert train_flops(encoder, lengths, Tuning(1, 2)) == 3 * of_weights + 4 * of_pairs
    assert train_flops(encoder, lengths, Tuning(-1, 2)) == 4 * of_weights + 6 * of_pairs
    wide = dataclasses.replace(encoder, design=Design(embedding=7))
    for tuning, passes in ((Tuning(-1, 0), 3), (Tuning(0, 0), 1), (Tuning(-1, 2), 1)):
        widened = train_flops(wide, lengths, tuning) - train_flops(encoder, lengths, tuning)
        assert widened == passes * 2 * 7 * 16 * (3 + 5)


class Diary(list):
    def write(self, step, metrics):
        self.append((step, metrics))


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""
    now = [0.0]
    monkeypatch.setattr(throughput.time, 'perf_counter', lambda: now[0])
    return now


def test_every_nth_step_is_written_one_step_late(clock):
    diary = Diary()
    meter = Meter(diary.write, every=2, flops=None)
    for step in range(1, 6):
        clock[0] += 2.0
        meter.add(step, {'loss': jnp.float32(step)}, np.array([4, 5]), 20)
        assert [each for each, _ in diary] == list(range(2, step, 2))
    meter.flush()
    assert [(step, float(metrics['loss'])) for step, metrics in diary] == [(2, 2.0), (4, 4.0)]
    # Steps 1 and 2, written at 6 s: 4 windows, 18 of 40 places real.
    first = {name: value for name, value in diary[0][1].items() if name != 'loss'}
    assert first == pytest.approx(
        {'sequences_per_second': 4 / 6, 'real_tokens_per_second': 18 / 6, 'padding_ratio': 22 / 40}
    )
    # Steps 3 and 4, written 4 s later: nothing of the first two counts again.
    assert diary[1][1]['sequences_per_second'] == pytest.approx(4 / 4)


def test_a_pause_writes_what_is_pending_and_forgets_the_time(clock):
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


def test_mfu_is_written_where_the_peak_is_known(clock, monkeypatch):
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
