"""A finished run opened again: its setup, its test questions, and its checkpoints to ask more.

Nothing is trained here and no test set is answered again: one question is put to one checkpoint.
"""

import math
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from xmrc_jax.data.squad import Corpus, Question
from xmrc_jax.ground.files import read_object
from xmrc_jax.recipe import settings
from xmrc_jax.recipe.calibrenet import MARKED
from xmrc_jax.recipe.inputs import Inputs
from xmrc_jax.recipe.reader import Reader
from xmrc_jax.reporting.cases import Span
from xmrc_jax.reporting.runs import Setup
from xmrc_jax.train.checkpoints import steps


class Reopened:
    """Data and readers of a run, as its ``config.json`` names them.

    Args:
      folder: working folder of a run.
    """

    def __init__(self, folder: Path):
        run, self._manifest = settings.read_folder(folder), read_object(folder / 'manifest.json')
        root = run.data.root or os.environ.get('XMRC_DATA', '')
        if not (root and Path(root).is_dir()):  # where the data lay when the run was made
            run = settings.vary(run, {'data.root': self._manifest.get('root', '')})
        self.run, self._folder = run, folder

    @cached_property
    def inputs(self) -> Inputs:
        """What the run read, read again where it is asked for."""
        return Inputs(self.run.data, self.run.model, self.run.seed, self._folder)

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
            facts=tuple(self._facts()),
        )

    def _facts(self) -> Iterator[tuple[str, str]]:
        """What was trained on what, how, with what, and when."""
        data, corpora = self.run.data, self._manifest.get('corpora', {})
        others = read_object(self._folder / 'readers.json')  # see ``evaluation``
        if of_each := others.items():
            yield 'Readers', ', '.join(f'{name}: {each["source"]}' for name, each in of_each)
            trained = (
                f'{name}: {each.get("trained_on", "not recorded")}' for name, each in of_each
            )
            yield 'Trained on', '; '.join(trained)
        else:
            yield from self._training()
        for name, of, most in (
            ('Trained on', data.train, data.max_train_questions),
            ('Selected on', (data.dev,) if data.dev else (), data.max_test_questions),
            ('Tested on', data.tests, data.max_test_questions),
        ):
            if of:
                share = f'; at most {most} by chance' if most else ''
                yield name, ', '.join(_counted(each, corpora) for each in of) + share
        known = self._manifest.get('software', {})
        yield 'Software', ', '.join(f'{name} {version}' for name, version in known.items())
        yield 'Commit', self._manifest.get('commit', 'not recorded')
        yield 'Hardware', self._manifest.get('hardware', 'not recorded')
        if scores := [*self._folder.glob('predictions/**/*.scores.json')]:
            ended = datetime.fromtimestamp(max(path.stat().st_mtime for path in scores), UTC)
            yield 'Scored', f'{ended:%Y-%m-%d %H:%M} UTC'

    def _training(self) -> Iterator[tuple[str, str]]:
        run, train, method = self.run, self.run.train, self.run.method.reading
        start, size = run.model.source or 'a random start', run.data.size
        yield 'Encoder', f'{run.model.name or "as its weights say"}, from {start}'
        yield (
            'Training',
            f'{train.epochs:g} epochs in batches of {train.batch_size}, learning rate '
            f'{train.optimizer.peak_lr:g}, windows of {size.max_tokens} tokens that share '
            f'{size.stride}, seed {run.seed}',
        )
        if 'two_stage' in run.recipe:
            yield (
                'Second stage',
                f'|Z| = {run.mine.candidates}, alpha = {method.alpha:g}, '
                f'tau = {method.contrast.temperature:g}, {method.hard.hard_learning}',
            )

    def tests(self) -> Iterator[tuple[Corpus, tuple[Question, ...]]]:
        """Each test set and its questions.

        Raises:
          UserError: the data are no longer there.
        """
        return self.inputs.test_questions()

    def kept(self, system: str) -> list[int]:
        """Steps of a reader's checkpoints, ascending; none where it has none, or is a second pass,
        which cannot be asked by itself."""
        if system in MARKED:
            return []
        return steps(self._folder / system / 'checkpoints')[::-1]

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


def _counted(name: str, corpora: dict) -> str:
    """A corpus and how many questions it has, as far as that is known."""
    return f'{name} ({corpora[name]["questions"]:,} questions)' if name in corpora else name
