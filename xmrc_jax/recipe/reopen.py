"""A finished run opened again: its setup, its test questions, and its checkpoints to ask more.

Nothing is trained here and no test set is answered again: one question is put to one checkpoint.
"""

import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from xmrc_jax.data.squad import Corpus, Question
from xmrc_jax.recipe import settings
from xmrc_jax.recipe.experiment import Experiment
from xmrc_jax.recipe.reader import Reader
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
            mix=run.data.mix,
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
        several windows, the one where it has the best score.

        Raises:
          UserError: there is no such checkpoint, or it is damaged.
        """
        reader = Reader.load(self._folder / system / 'checkpoints' / str(step))
        answers = reader.ask(question.text, question.passage, self.run.evaluate.ask.n_best)
        answers.sort(key=lambda each: (-each.log_p, each.start, each.end))
        return [Span(each.start, each.end, each.text, math.exp(each.log_p)) for each in answers]
