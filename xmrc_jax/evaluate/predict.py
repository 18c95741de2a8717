"""Reader and windows to the n-best answers of every question.

Owns the predict step on the device, the merging of a question's windows on the host, and the two
layouts in which answers are handed out. It knows nothing of gold answers or scores. Answers are
character spans of the original passage from end to end, never text put together from tokens.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from tqdm import tqdm

from xmrc_jax.answers import spans
from xmrc_jax.data import batches
from xmrc_jax.data.prefetch import prefetch
from xmrc_jax.data.squad import Question
from xmrc_jax.data.windows import Windows
from xmrc_jax.model import reader
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.processes.sigterm import stop_if_heard


@dataclass(frozen=True)
class NBest:
    """The k best answers of every question, best first by the sum of their two logits.

    Attributes:
      chars_QK2: int32 [start, end) characters of the passage, distinct; (-1, -1) = no more answers.
      logits_QK2: float32 start and end logit; -inf where there is no answer.
    """

    chars_QK2: np.ndarray
    logits_QK2: np.ndarray


@partial(jax.jit, static_argnames=('cfg', 'k', 'max_answer_tokens'))
def predict_step(
    params: dict, cfg: EncoderConfig, batch: batches.PredictionBatch, k: int, max_answer_tokens: int
) -> tuple[jax.Array, jax.Array]:
    """The k best answer spans of every window and their logits; nothing else leaves the device.

    Args:
      params: of the reader, as `reader.apply` takes them.
      cfg: encoder the parameters belong to.
      batch: as `batches.prediction_batch` makes it; padding rows are answered like any other.
      k: spans per window.
      max_answer_tokens: longest answer, in tokens.

    Returns:
      spans_BK2, int32 inclusive (start, end) tokens, (-1, -1) where the window has fewer than k;
      logits_BK2, float32 start and end logit, -inf there.
    """
    reading = reader.apply(params, cfg, batch.ids_BL, batch.length_B, batch.passage_B2)
    return best_spans(
        reading.start_logits_BL, reading.end_logits_BL, batch.edge_BL, k, max_answer_tokens
    )


@partial(jax.jit, static_argnames=('k', 'max_answer_tokens'))
def best_spans(
    start_logits_BL: jax.Array,
    end_logits_BL: jax.Array,
    edge_BL: jax.Array,
    k: int,
    max_answer_tokens: int,
) -> tuple[jax.Array, jax.Array]:
    """``predict_step`` behind the reader: spans_BK2 and logits_BK2 of float32 logits."""
    score_BK, spans_BK2 = spans.top_spans(
        start_logits_BL, end_logits_BL, edge_BL, k=k, max_tokens=max_answer_tokens
    )
    real_BK1 = jnp.isfinite(score_BK)[:, :, None]
    logits_BK2 = jnp.stack(
        [
            jnp.take_along_axis(start_logits_BL, spans_BK2[..., 0], axis=1),
            jnp.take_along_axis(end_logits_BL, spans_BK2[..., 1], axis=1),
        ],
        axis=-1,
    )
    return jnp.where(real_BK1, spans_BK2, -1), jnp.where(real_BK1, logits_BK2, -jnp.inf)


def predict_windows(
    params: dict,
    cfg: EncoderConfig,
    windows: Windows,
    plan: Sequence[batches.Planned],
    *,
    k: int,
    max_answer_tokens: int,
    put: Callable[[batches.PredictionBatch], batches.PredictionBatch] = jax.device_put,
    rows: slice | np.ndarray = slice(None),
    label: str = '',
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Answers the batches of a plan one by one, so that a caller may stop and go on later.

    A batch is fetched while the next one is computed: the device does not wait for the host.

    Args:
      params: of the reader.
      cfg: encoder the parameters belong to.
      windows: what is read.
      plan: `batches.by_length(windows, batch_size)` or any part of it.
      k: spans per window.
      max_answer_tokens: longest answer, in tokens.
      put: takes the numpy batch of this process to the devices.
      rows: the rows of every batch that this process puts; all of them where it is alone.
      label: of the progress bar; without one there is no bar.

    Raises:
      Stopped: this process or another was told to stop.

    Yields:
      For each batch: windows_B, spans_BK2 and logits_BK2 as `predict_step` returns them, on the
      host and without padding rows.
    """
    host = (batches.prediction_batch(windows, planned, rows) for planned in plan)
    pending = None
    with tqdm(
        total=sum(planned.real for planned in plan),
        desc=label,
        unit=' windows',
        dynamic_ncols=True,
        **({} if label else {'disable': True}),
    ) as bar:

        def fetched(planned, answers):
            spans_BK2, logits_BK2 = multihost_utils.process_allgather(answers, tiled=True)
            stop_if_heard()
            bar.update(planned.real)
            real = slice(planned.real)
            return planned.windows_B[real], spans_BK2[real], logits_BK2[real]

        for planned, batch in zip(plan, prefetch(host, put), strict=True):
            answers = predict_step(params, cfg, batch, k, max_answer_tokens)
            if pending:
                yield fetched(*pending)
            pending = planned, answers
        if pending:
            yield fetched(*pending)


def predict(
    params: dict,
    cfg: EncoderConfig,
    windows: Windows,
    *,
    questions: int,
    batch_size: int,
    k: int,
    **options,
) -> NBest:
    """The n-best answers of all questions.

    Args:
      params: of the reader.
      cfg: encoder the parameters belong to.
      windows: of all the questions.
      questions: their number Q.
      batch_size: windows per batch, over all devices.
      k: answers per question, and spans looked at per window.
      **options: `max_answer_tokens`, `put`, `rows` and `label` of `predict_windows`.

    Reference:
      Chen et al. 2022, the predictions behind tables 2, 5 and 6. The paper states no limit on the
      length of an answer and not how windows are merged; both follow run_qa.
    """
    plan = batches.by_length(windows, batch_size)
    answers = predict_windows(params, cfg, windows, plan, k=k, **options)
    return gather(windows, answers, questions=questions, k=k)


def gather(
    windows: Windows,
    answers: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]],
    *,
    questions: int,
    k: int,
) -> NBest:
    """The n-best answers of all questions, from what ``predict_windows`` yields."""
    spans_WK2 = np.full((len(windows), k, 2), -1, np.int32)
    logits_WK2 = np.full((len(windows), k, 2), -np.inf, np.float32)
    for windows_B, spans_BK2, logits_BK2 in answers:
        spans_WK2[windows_B] = spans_BK2
        logits_WK2[windows_B] = logits_BK2
    return merge(windows, spans_WK2, logits_WK2, questions=questions, k=k)


def merge(
    windows: Windows, spans_WK2: np.ndarray, logits_WK2: np.ndarray, *, questions: int, k: int
) -> NBest:
    """Merges the answers of each question's windows.

    The same characters found twice count once, with the better score; spans without text are
    dropped; equal scores are ordered by start, then by end.

    Args:
      windows: what was read.
      spans_WK2: int32 inclusive (start, end) tokens in each window; (-1, -1) = none.
      logits_WK2: float32 start and end logits.
      questions: number of questions Q.
      k: answers per question; may differ from the spans per window.
    """
    # Axis C: the spans of all windows; axis X: distinct answers, ranked within their question.
    window_C, slot_C = np.nonzero(spans_WK2[..., 0] >= 0)
    tokens_C2 = windows.bounds_W2[window_C, :1] + spans_WK2[window_C, slot_C]
    chars_C2 = np.stack(
        [windows.chars_T2[tokens_C2[:, 0], 0], windows.chars_T2[tokens_C2[:, 1], 1]], axis=-1
    )
    real_C = chars_C2[:, 0] < chars_C2[:, 1]
    question_C = windows.question_W[window_C[real_C]]
    chars_C2 = chars_C2[real_C]
    logits_C2 = logits_WK2[window_C, slot_C][real_C]
    score_C = logits_C2.sum(axis=1)
    place_C = chars_C2[:, 0].astype(np.int64) << 32 | chars_C2[:, 1]

    best_first = np.lexsort((-score_C, place_C, question_C))
    best_first = best_first[_changes(question_C[best_first], place_C[best_first])]
    ranking = best_first[np.lexsort((-score_C[best_first], question_C[best_first]))]
    question_X = question_C[ranking]
    first_X = np.flatnonzero(_changes(question_X))
    rank_X = np.arange(len(ranking)) - np.repeat(first_X, np.diff(first_X, append=len(ranking)))
    kept_X = rank_X < k

    nbest = NBest(
        np.full((questions, k, 2), -1, np.int32),
        np.full((questions, k, 2), -np.inf, np.float32),
    )
    at = question_X[kept_X], rank_X[kept_X]
    nbest.chars_QK2[at] = chars_C2[ranking[kept_X]]
    nbest.logits_QK2[at] = logits_C2[ranking[kept_X]]
    return nbest


def _changes(*keys_C: np.ndarray) -> np.ndarray:
    """True where a row of the keys differs from the row before it; True at the first."""
    changed_C = np.ones(len(keys_C[0]), bool)
    changed_C[1:] = np.any([key_C[1:] != key_C[:-1] for key_C in keys_C], axis=0)
    return changed_C


def texts(questions: Sequence[Question], nbest: NBest) -> dict[str, list[str]]:
    """The answers of each question id, best first: slices of its passage."""
    return {
        question.id: [question.passage[start:end] for start, end in chars_K2 if start >= 0]
        for question, chars_K2 in zip(questions, nbest.chars_QK2.tolist(), strict=True)
    }


def predictions(questions: Sequence[Question], nbest: NBest) -> dict[str, str]:
    """The best answer of each question id, in the official layout; '' where there is none."""
    return {id_: next(iter(answers), '') for id_, answers in texts(questions, nbest).items()}


def nbest_json(questions: Sequence[Question], nbest: NBest) -> dict[str, list[dict]]:
    """The n-best answers of each question id in run_qa's layout.

    Returns:
      `{id: [{start_logit, end_logit, text, probability}, ...]}`, best first; the probability is
      the softmax of start + end logit over the answers listed. Differs from run_qa where there is
      no answer: the list is empty, without the invented answer 'empty'.
    """
    score_QK = nbest.logits_QK2.sum(axis=2, dtype=np.float64)
    best_Q1 = np.maximum(score_QK.max(axis=1, keepdims=True), np.finfo(np.float64).min)
    weight_QK = np.exp(score_QK - best_Q1)  # 0 where there is no answer
    sum_Q1 = weight_QK.sum(axis=1, keepdims=True)
    probability_QK = weight_QK / np.where(sum_Q1, sum_Q1, 1)
    numbers_5QK = (
        *np.moveaxis(nbest.chars_QK2, 2, 0),
        *np.moveaxis(nbest.logits_QK2, 2, 0),
        probability_QK,
    )
    columns = [number_QK.tolist() for number_QK in numbers_5QK]
    return {
        question.id: [
            {
                'start_logit': start_logit,
                'end_logit': end_logit,
                'text': question.passage[start:end],
                'probability': probability,
            }
            for start, end, start_logit, end_logit, probability in zip(*answers_5K, strict=True)
            if start >= 0
        ]
        for question, *answers_5K in zip(questions, *columns, strict=True)
    }
