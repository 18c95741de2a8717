"""Prediction against brute force: every span of every window, merged by dictionaries."""

import dataclasses

import jax
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from xmrc_jax.data import batches, squad
from xmrc_jax.data.squad import Question
from xmrc_jax.data.windows import Windows, WindowSize, build
from xmrc_jax.evaluate import predict
from xmrc_jax.evaluate.predict import NBest
from xmrc_jax.model import reader
from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig

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
    everything = batches.Planned(np.arange(len(windows)), len(windows), windows.length_W.max())
    batch = batches.prediction_batch(windows, everything)
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
    mesh = jax.make_mesh((8,), ('data',), axis_types=(jax.sharding.AxisType.Auto,))
    batch_sharding = NamedSharding(mesh, PartitionSpec('data'))
    replicated = jax.device_put(params, NamedSharding(mesh, PartitionSpec()))
    for other in (
        answer(params, cfg, windows, batch_size=3),
        answer(replicated, cfg, windows, put=lambda batch: jax.device_put(batch, batch_sharding)),
    ):
        np.testing.assert_array_equal(other.chars_QK2, nbest.chars_QK2)
        np.testing.assert_allclose(other.logits_QK2, nbest.logits_QK2, atol=1e-5)


def test_a_plan_can_be_answered_in_parts(params, cfg, windows):
    plan = batches.by_length(windows, 2)
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
    monkeypatch.setattr(reader, 'apply', lambda *args: traces.append(args[2].shape) or apply(*args))
    other = dataclasses.replace(cfg, dropout=0.25)  # nothing traced for it so far
    for _ in range(2):
        answer(params, other, windows, batch_size=2)
    assert sorted(traces) == sorted(
        {(2, planned.max_tokens) for planned in batches.by_length(windows, 2)}
    )


def test_a_window_with_fewer_spans_than_k_is_filled_up(params, cfg, windows):
    k = 180  # the longest window has 36 tokens and so fewer than 36 * 5 spans
    planned = batches.by_length(windows, 1)[0]
    batch = batches.prediction_batch(windows, planned)
    spans_BK2, logits_BK2 = predict.predict_step(params, cfg, batch, k, LONGEST)
    count = len(every_answer(params, cfg, windows)[planned.windows_B[0]])
    assert (np.asarray(spans_BK2[0, :count]) >= 0).all()
    assert (np.asarray(spans_BK2[0, count:]) == -1).all()
    assert np.isneginf(logits_BK2[0, count:]).all()


def windows_of(chars_T2, bounds_W2, question_W) -> Windows:
    """Windows of which only what merging reads is filled in."""
    W = len(bounds_W2)
    return Windows(
        ids_T=np.zeros(len(chars_T2), np.int32),
        chars_T2=np.array(chars_T2, np.int32),
        bounds_W2=np.array(bounds_W2, np.int64),
        question_W2=np.zeros((W, 2), np.int32),
        passage_W2=np.zeros((W, 2), np.int32),
        gold_W2=np.zeros((W, 2), np.int32),
        question_W=np.array(question_W, np.int32),
        repeats_C3=np.zeros((0, 3), np.int32),
        pad_id=0,
        key='',
    )


@pytest.mark.parametrize('seed', range(20))
def test_merging_equals_dictionaries(seed):
    """Whole-numbered logits make ties, narrow characters make repeats and empty spans."""
    rng = np.random.default_rng(seed)
    W, L, K, Q, k = 9, 6, 5, 4, 4
    chars_T2 = rng.integers(0, 6, (W * L, 2))
    bounds_W2 = np.stack([np.arange(W) * L, np.arange(1, W + 1) * L], axis=1)
    question_W = np.sort(rng.integers(0, Q - 1, W))  # the last question has no window
    windows = windows_of(chars_T2, bounds_W2, question_W)
    spans_WK2 = rng.integers(0, L, (W, K, 2)).astype(np.int32)
    logits_WK2 = rng.integers(-2, 3, (W, K, 2)).astype(np.float32)
    none_WK = rng.random((W, K)) < 0.2
    spans_WK2[none_WK], logits_WK2[none_WK] = -1, -np.inf

    nbest = predict.merge(windows, spans_WK2, logits_WK2, questions=Q, k=k)

    for question in range(Q):
        found = {}
        for window in np.flatnonzero(question_W == question):
            for (start, end), logits in zip(spans_WK2[window], logits_WK2[window], strict=True):
                chars = chars_T2[window * L + start, 0], chars_T2[window * L + end, 1]
                if start >= 0 and chars[0] < chars[1]:
                    found[chars] = max(found.get(chars, -np.inf), logits.sum())
        ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:k]
        ranked += [((-1, -1), -np.inf)] * (k - len(ranked))
        chars_K2, score_K = zip(*ranked, strict=True)
        np.testing.assert_array_equal(nbest.chars_QK2[question], chars_K2)
        np.testing.assert_array_equal(nbest.logits_QK2[question].sum(axis=1), score_K)


@pytest.fixture
def answered():
    """Two answers to the first question, none to the second."""
    passage = 'Founded in September 1876.'
    questions = [Question(id_, '', passage, ()) for id_ in ('1', '2')]
    chars_QK2 = np.array([[[21, 25], [11, 25]], [[-1, -1], [-1, -1]]], np.int32)
    logits_QK2 = np.full((2, 2, 2), -np.inf, np.float32)
    logits_QK2[0] = [[2.0, 1.5], [0.5, 3.0 - np.log(3)]]
    return questions, NBest(chars_QK2, logits_QK2)


def test_answers_are_slices_of_the_passage(answered):
    assert predict.texts(*answered) == {'1': ['1876', 'September 1876'], '2': []}
    assert predict.predictions(*answered) == {'1': '1876', '2': ''}


def test_the_n_best_have_the_layout_of_run_qa(answered):
    nbest = predict.nbest_json(*answered)
    assert list(nbest) == ['1', '2']
    assert nbest['2'] == []
    first, second = nbest['1']
    assert list(first) == ['start_logit', 'end_logit', 'text', 'probability']
    assert (first['start_logit'], first['end_logit'], first['text']) == (2.0, 1.5, '1876')
    assert second['text'] == 'September 1876'
    # Scores 3.5 and 3.5 - log 3: weights 3 to 1.
    assert (first['probability'], second['probability']) == pytest.approx((0.75, 0.25))
