"""Prediction against brute force: every span of every window, merged by dictionaries."""

import dataclasses

import jax
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from xmrc_jax.answers.contrast import Affinity
from xmrc_jax.data import prediction, squad
from xmrc_jax.data.windows import WindowSize, build
from xmrc_jax.evaluate import predict
from xmrc_jax.model import reader
from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig
from xmrc_jax.train import sharding

LONGEST = 5  # tokens of an answer


@pytest.fixture
def questions(squad_file):
    return squad.read(squad_file).questions


@pytest.fixture
def windows(questions, tokenizer):
    return build(questions, tokenizer, WindowSize(max_tokens=36, stride=8, max_question_tokens=16))


@pytest.fixture
def cfg(tokenizer):
    tiny = EncoderConfig.of(ENCODERS['tiny'], PLAIN)
    return dataclasses.replace(tiny, vocabulary=len(tokenizer), width=16, mlp=32, heads=2, layers=1)


@pytest.fixture
def params(cfg, key):
    """A fresh reader whose logits differ by far more than rounding."""
    params = reader.init(cfg, key)
    params['span']['kernel'] *= 10
    return params


def answer(params, cfg, windows, **options):
    options = {'questions': 4, 'batch_size': 8, 'k': 6, 'max_answer_tokens': LONGEST} | options
    return predict.predict(params, cfg, windows, **options)


def every_answer(params, cfg, windows):
    """For each window, (start, end) characters -> (start logit, end logit) of every legal span."""
    everything = prediction.Planned(np.arange(len(windows)), len(windows), windows.length_W.max())
    batch = prediction.prediction_batch(windows, everything)
    reading = reader.apply(params, cfg, batch.ids_BL, batch.length_B, batch.passage_B2)
    start_WL, end_WL = np.asarray(reading.start_logits_BL), np.asarray(reading.end_logits_BL)
    answers = []
    for window, (lo, hi) in enumerate(windows.passage_W2):
        chars_L2 = windows.chars_T2[slice(*windows.bounds_W2[window])]
        text_L = chars_L2[:, 0] < chars_L2[:, 1]
        answers.append(
            {
                (chars_L2[start, 0], chars_L2[end, 1]): (
                    start_WL[window, start],
                    end_WL[window, end],
                )
                for start in range(lo, hi)
                for end in range(start, min(start + LONGEST, hi))
                if text_L[start] and text_L[end]
            }
        )
    return answers


def test_affinity_moves_the_sum_of_the_logits_and_the_order_alone(params, cfg, windows):
    affinity = Affinity(20.0, 'mean')
    plain, moved = (answer(params, cfg, windows, affinity=each, k=4) for each in (None, affinity))
    assert (plain.chars_QK2[:, 0] != moved.chars_QK2[:, 0]).any()
    assert (np.diff(moved.logits_QK2.sum(axis=2)) <= 0).all()
    batch = prediction.prediction_batch(
        windows, prediction.Planned(np.arange(len(windows)), len(windows), 64)
    )
    step = predict.predict_step(params, cfg, batch, 4, LONGEST)
    spans_BK2, logits_BK2, log_p_BK, null_B3 = step
    other = predict.predict_step(params, cfg, batch, 4, LONGEST, affinity)
    hidden_BLD = reader.apply(
        params, cfg, batch.ids_BL, batch.length_B, batch.passage_B2
    ).hidden_BLD
    added_BK = affinity.of(hidden_BLD, spans_BK2, batch.question_B2)
    np.testing.assert_array_equal(other[0], spans_BK2)
    np.testing.assert_allclose(
        other[1].sum(axis=2), logits_BK2.sum(axis=2) + added_BK, rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(other[2], log_p_BK, rtol=1e-5)
    np.testing.assert_allclose(other[3], null_B3, rtol=1e-5)


def test_the_n_best_are_the_best_of_all_spans_of_all_windows(params, cfg, windows):
    nbest = answer(params, cfg, windows)
    assert len(windows) > 4  # some question has several windows
    answers = every_answer(params, cfg, windows)
    for question in range(4):
        found = {}
        for window in np.flatnonzero(windows.question_W == question):
            for chars, logits in answers[window].items():
                found[chars] = max(found.get(chars, (-np.inf, -np.inf)), logits, key=sum)
        best = sorted(found, key=lambda chars: -sum(found[chars]))[:6]
        assert list(map(tuple, nbest.chars_QK2[question])) == best
        expected_K2 = [found[chars] for chars in best]
        np.testing.assert_allclose(nbest.logits_QK2[question], expected_K2, atol=1e-5)


def test_batch_size_and_devices_change_nothing(params, cfg, windows):
    nbest = answer(params, cfg, windows)
    mesh = sharding.make_mesh()
    replicated = jax.device_put(params, NamedSharding(mesh, PartitionSpec()))
    for other in (
        answer(params, cfg, windows, batch_size=3),
        answer(replicated, cfg, windows, share=sharding.Share(mesh, 8)),
    ):
        np.testing.assert_array_equal(other.chars_QK2, nbest.chars_QK2)
        np.testing.assert_allclose(other.logits_QK2, nbest.logits_QK2, atol=1e-5)


def test_a_plan_can_be_answered_in_parts(params, cfg, windows):
    plan = prediction.by_length(windows, 2)
    options = {'k': 3, 'max_answer_tokens': LONGEST}
    whole = list(predict.predict_windows(params, cfg, windows, plan, **options))
    parts = [
        row
        for part in (plan[:1], [], plan[1:])
        for row in predict.predict_windows(params, cfg, windows, part, **options)
    ]
    assert sorted(np.concatenate([windows_B for windows_B, *_ in whole])) == list(
        range(len(windows))
    )
    for one, other in zip(whole, parts, strict=True):
        jax.tree.map(np.testing.assert_array_equal, one, other)


def test_each_length_is_traced_once(params, cfg, windows, monkeypatch):
    traces = []
    apply = reader.apply

    def traced(params, cfg, ids_BL, *windows, **marks):
        traces.append(ids_BL.shape)
        return apply(params, cfg, ids_BL, *windows, **marks)

    monkeypatch.setattr(reader, 'apply', traced)
    other = dataclasses.replace(cfg, dropout=0.25)  # nothing traced for it so far
    for _ in range(2):
        answer(params, other, windows, batch_size=2)
    assert sorted(traces) == sorted(
        {(2, planned.max_tokens) for planned in prediction.by_length(windows, 2)}
    )


def test_a_window_with_fewer_spans_than_k_is_filled_up(params, cfg, windows):
    k = 180  # the longest window has 36 tokens and so fewer than 36 * 5 spans
    planned = prediction.by_length(windows, 1)[0]
    batch = prediction.prediction_batch(windows, planned)
    spans_BK2, logits_BK2, log_p_BK, _ = predict.predict_step(params, cfg, batch, k, LONGEST)
    count = len(every_answer(params, cfg, windows)[planned.windows_B[0]])
    assert (np.asarray(spans_BK2[0, :count]) >= 0).all()
    assert (np.asarray(spans_BK2[0, count:]) == -1).all()
    assert np.isneginf(logits_BK2[0, count:]).all()
    assert np.isneginf(log_p_BK[0, count:]).all()


def test_log_p_is_that_of_both_softmaxes_over_the_real_tokens(params, cfg, windows):
    (planned, *_) = prediction.by_length(windows, 4)
    batch = prediction.prediction_batch(windows, planned)
    spans_BK2, _, log_p_BK, null_B3 = predict.predict_step(params, cfg, batch, 3, LONGEST)
    reading = reader.apply(params, cfg, batch.ids_BL, batch.length_B, batch.passage_B2)
    assert batch.ids_BL.shape[1] > batch.length_B.max()  # every row is padded
    for row, length in enumerate(batch.length_B):
        start_L, end_L = (
            np.exp(np.asarray(logits_BL[row, :length], np.float64))
            for logits_BL in (reading.start_logits_BL, reading.end_logits_BL)
        )
        starts, ends = np.asarray(spans_BK2[row]).T
        expected_K = start_L[starts] / start_L.sum() * end_L[ends] / end_L.sum()
        np.testing.assert_allclose(np.exp(log_p_BK[row]), expected_K, rtol=1e-4)
        null = start_L[0] / start_L.sum() * end_L[0] / end_L.sum()
        expected_3 = [np.log(start_L[0]), np.log(end_L[0]), np.log(null)]
        np.testing.assert_allclose(null_B3[row], expected_3, atol=1e-4)
