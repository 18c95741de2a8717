"""A finished run opened again: its setup, its test questions, and its checkpoints to ask more.

Nothing is trained here and no test set is answered again: one question is put to one checkpoint.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from xmrc_jax.data.batches import PredictionBatch, by_length, prediction_batch
from xmrc_jax.data.squad import Corpus, Question
from xmrc_jax.evaluate.predict import predict_windows
from xmrc_jax.model import reader
from xmrc_jax.recipe import settings
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.reporting.cases import Span
from xmrc_jax.reporting.runs import Setup


class Reopened:
    """Data and readers of a run, as its ``config.json`` names them.

    Args:
      folder: working folder of a run.
    """

    def __init__(self, folder: Path):
        here = {'mesh.data': -1, 'mesh.fsdp': 1, 'mesh.model': 1}  # of the devices there are now
        self.run = settings.vary(settings.read_folder(folder), here)
        self._folder = folder

    @cached_property
    def _experiment(self) -> Experiment:
        return Experiment(self.run, self._folder)

    @property
    def setup(self) -> Setup:
        """What a report has to know of the run."""
        run, method = self.run, self.run.method.reading
        return Setup(
            seed=run.seed,
            key=settings.same_but_seed(run),
            encoder=run.model.name,
            training=run.data.train,
            method=(method.hard.hard_learning, method.alpha, method.contrast.temperature),
            gold_is_last=method.hard.gold_is_last(run.mine.gold_slot),
        )

    def tests(self) -> Iterator[tuple[Corpus, tuple[Question, ...]]]:
        """Each test set and its questions.

        Raises:
          UserError: the data are no longer there.
        """
        return self._experiment.inputs.test_questions()

    def kept(self, system: str) -> list[int]:
        """Steps of a reader's checkpoints, ascending; none where it has no checkpoints."""
        return self._experiment.store(system).kept

    def ask(self, system: str, step: int, question: Question) -> list[Span]:
        """The n-best answers of one checkpoint to one question, most probable first.

        The probability of eq. 2: both softmaxes run over all real tokens of the window in which
        the answer was found, whatever ``two_stage.softmax_over`` says; of an answer found in
        several windows the most probable counts.

        Raises:
          UserError: there is no such checkpoint, or it is damaged.
        """
        experiment, options = self._experiment, self.run.evaluate.ask
        cfg, params = experiment.inputs.encoder, experiment.store(system).load([step])
        windows = experiment.inputs.windows([question])
        plan = by_length(windows, options.batch_size)
        answers = predict_windows(
            params,
            cfg,
            windows,
            plan,
            k=options.n_best,
            max_answer_tokens=options.max_answer_tokens,
        )
        found: dict[tuple[int, int], float] = {}
        for planned, (windows_B, spans_BK2, logits_BK2) in zip(plan, answers, strict=True):
            batch = jax.device_put(prediction_batch(windows, planned, slice(None)))
            normaliser_B = np.asarray(_normaliser(params, cfg, batch))
            log_p_BK = logits_BK2.sum(axis=-1) - normaliser_B[: len(windows_B), None]
            for row, window in enumerate(windows_B):
                chars_T2 = windows.chars_T2[slice(*windows.bounds_W2[window])]
                for (first, last), log_p in zip(spans_BK2[row], log_p_BK[row], strict=True):
                    chars = int(chars_T2[first, 0]), int(chars_T2[last, 1])
                    if first >= 0 and chars[0] < chars[1]:
                        found[chars] = max(found.get(chars, 0.0), float(np.exp(log_p)))
        best = sorted(found.items(), key=lambda item: (-item[1], item[0]))[: options.n_best]
        return [Span(*chars, question.passage[slice(*chars)], p) for chars, p in best]


def _normaliser(params: dict, cfg, batch: PredictionBatch) -> jax.Array:
    """float32 [B]: the logs of both softmax denominators of eq. 2, added."""
    reading = reader.apply(params, cfg, batch.ids_BL, batch.length_B, batch.passage_B2)
    real_BL = jnp.arange(batch.ids_BL.shape[1])[None] < batch.length_B[:, None]
    return sum(
        jax.nn.logsumexp(jnp.where(real_BL, logits_BL, -jnp.inf), axis=1)
        for logits_BL in (reading.start_logits_BL, reading.end_logits_BL)
    )
