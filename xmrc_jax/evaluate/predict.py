"""Reader and windows to the n-best answers of every question.

Owns the predict step on the device and the way of the batches to it. It knows nothing of gold
answers or scores, nor how answers are merged and handed out (``nbest`` does).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from xmrc_jax.answers import softmax, spans
from xmrc_jax.answers.contrast import Affinity
from xmrc_jax.data import prediction
from xmrc_jax.data.prefetch import prefetch
from xmrc_jax.data.windows import Windows
from xmrc_jax.evaluate.merging import merge, none
from xmrc_jax.evaluate.nbest import NBest
from xmrc_jax.model import reader
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.processes.sigterm import stop_if_heard


@partial(jax.jit, static_argnames=('cfg', 'k', 'max_answer_tokens', 'affinity'))
def predict_step(
    params: dict,
    cfg: EncoderConfig,
    batch: prediction.PredictionBatch,
    k: int,
    max_answer_tokens: int,
    affinity: Affinity | None = None,
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The k best answer spans of every window and their scores; nothing else leaves the device.

    Args:
      params: of the reader, as `reader.apply` takes them.
      cfg: encoder the parameters belong to.
      batch: as `prediction.prediction_batch` makes it; padding rows are answered like any other.
      k: spans per window.
      max_answer_tokens: longest answer, in tokens.
      affinity: of the k best spans with the question, which is added to their logits, half to each
        of the two.

    Returns:
      spans_BK2, int32 inclusive (start, end) tokens, (-1, -1) where the window has fewer than k;
      logits_BK2, float32 start and end logit, -inf there; log_p_BK, float32 log P(z) of eq. 2,
      both softmaxes over all real tokens of the window, -inf there; null_B3, the same three numbers
      of the first token alone, which stands for no answer.
    """
    *both, hidden_BLD = _read(params, cfg, batch)
    spans_BK2, logits_BK2 = best_spans(*both, batch.edge_BL, k, max_answer_tokens)
    if affinity is not None:
        added_BK = affinity.of(hidden_BLD, spans_BK2, batch.question_B2)
        logits_BK2 += added_BK[..., None] / 2
    real_BL = jnp.arange(batch.ids_BL.shape[1])[None] < batch.length_B[:, None]
    scored_BX2 = jnp.pad(jnp.maximum(spans_BK2, 0), ((0, 0), (0, 1), (0, 0)))  # the null last
    log_p_BX = softmax.span_log_probs(*both, real_BL, scored_BX2)
    null_B3 = jnp.stack([*(logits_BL[:, 0] for logits_BL in both), log_p_BX[:, -1]], axis=-1)
    log_p_BK = jnp.where(spans_BK2[..., 0] >= 0, log_p_BX[:, :-1], -jnp.inf)
    return spans_BK2, logits_BK2, log_p_BK, null_B3


def _read(params: dict, cfg: EncoderConfig, batch: prediction.PredictionBatch) -> reader.Reading:
    windows = batch.ids_BL, batch.length_B, batch.passage_B2
    beside = {'mark_B2': batch.mark_B2, 'language_B2': batch.language_B2}
    return reader.apply(params, cfg, *windows, **beside)


@partial(jax.jit, static_argnames='cfg')
def boundaries_step(
    params: dict, cfg: EncoderConfig, batch: prediction.PredictionBatch
) -> tuple[jax.Array]:
    """What a teacher says: float16 [B, L, 2], log P(start) and log P(end) over all real tokens."""
    *both, _ = _read(params, cfg, batch)
    real_BL = jnp.arange(batch.ids_BL.shape[1])[None] < batch.length_B[:, None]
    log_p_BL2 = jnp.stack([softmax.log_probs(each_BL, real_BL) for each_BL in both], axis=-1)
    return (log_p_BL2.astype(jnp.float16),)


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
    plan: Sequence[prediction.Planned],
    *,
    k: int,
    max_answer_tokens: int,
    affinity: Affinity | None = None,
    **options,
) -> Iterator[tuple[np.ndarray, ...]]:
    """What ``predict_step``, whose arguments are named as here, says of the batches of a plan: see
    ``fetched``, whose ``share`` and ``done`` are the ``options``."""
    step = partial(
        predict_step, params, cfg, k=k, max_answer_tokens=max_answer_tokens, affinity=affinity
    )
    return fetched(step, windows, plan, **options)


def fetched(
    step: Callable[[prediction.PredictionBatch], tuple[jax.Array, ...]],
    windows: Windows,
    plan: Sequence[prediction.Planned],
    *,
    share=None,
    done: Callable[[int], object] = lambda windows: None,
) -> Iterator[tuple[np.ndarray, ...]]:
    """What a step on the device says of a plan's batches, one by one, so that a caller may stop and
    go on later.

    A batch is fetched while the next one is computed: the device does not wait for the host.

    Args:
      step: such as ``predict_step``, of a batch alone.
      windows: what is read.
      plan: ``prediction.by_length(windows, batch_size)`` or any part of it.
      share: with ``rows``, those of every batch that are this process's, and ``put``, which takes
        them to the devices; see ``train.sharding``. None: all of them, to the first device.
      done: is told how many windows more are answered.

    Raises:
      Stopped: this process or another was told to stop.

    Yields:
      For each batch: windows_B, and what the step returns, on the host and without padding rows.
    """
    put, rows = (share.put, share.rows) if share else (jax.device_put, prediction.ALL)
    host = (prediction.prediction_batch(windows, planned, rows) for planned in plan)
    pending = None

    def on_host(planned, answers):
        answers = multihost_utils.process_allgather(answers, tiled=True)
        stop_if_heard()
        done(planned.real)
        real = slice(planned.real)
        return planned.windows_B[real], *(answer[real] for answer in answers)

    for planned, batch in zip(plan, prefetch(host, put), strict=True):
        answers = step(batch)
        if pending:
            yield on_host(*pending)
        pending = planned, answers
    if pending:
        yield on_host(*pending)


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
      params, cfg: of the reader.
      windows: of all the questions.
      questions: their number Q.
      batch_size: windows per batch, over all devices.
      k: answers per question, and spans looked at per window.
      **options: `max_answer_tokens`, `affinity`, `share` and `done` of `predict_windows`.

    Reference:
      Chen et al. 2022, the predictions behind tables 2, 5 and 6. The paper states no limit on the
      length of an answer and not how windows are merged; both follow run_qa.
    """
    plan = prediction.by_length(windows, batch_size)
    answers = predict_windows(params, cfg, windows, plan, k=k, **options)
    return gather(windows, answers, questions=questions, k=k)


def gather(
    windows: Windows, answers: Iterable[tuple[np.ndarray, ...]], *, questions: int, k: int
) -> NBest:
    """The n-best answers of all questions, from what ``predict_windows`` yields."""
    found = none(len(windows), k)
    for windows_B, spans_BK2, logits_BK2, log_p_BK, null_B3 in answers:
        found.chars_QK2[windows_B] = spans_BK2
        found.logits_QK2[windows_B] = logits_BK2
        found.log_p_QK[windows_B] = log_p_BK
        found.null_Q3[windows_B] = null_B3
    return merge(windows, found, questions=questions, k=k)
