"""The readers of a run: trained, kept below their names in the working folder, loaded and asked."""

import json
from collections.abc import Callable, Iterator
from functools import cache, cached_property, partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from xmrc_jax.data.batches import Batches
from xmrc_jax.data.windows import Windows
from xmrc_jax.evaluate import metrics
from xmrc_jax.evaluate.predict import NBest, predict, predictions
from xmrc_jax.ground.choices import choose
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import reader, weights
from xmrc_jax.model.encoder import EncoderConfig
from xmrc_jax.processes import cluster
from xmrc_jax.recipe import settings
from xmrc_jax.recipe.inputs import Inputs, Split
from xmrc_jax.train import checkpoints, sharding
from xmrc_jax.train.loop import SELECTIONS, LoopConfig, Selected, train
from xmrc_jax.train.objective import base_objective
from xmrc_jax.train.step import Objective
from xmrc_jax.train.throughput import train_flops
from xmrc_jax.train.vocabulary import Vocabulary


class Contestant(NamedTuple):
    """One choice of a trained reader's parameters, to be scored.

    Attributes:
      system: the reader's name, with the choice behind an @ where it is not the reported one.
      selection: the choice.
      answer: from a split to its n-best answers and the checkpoints whose mean gave them.
    """

    system: str
    selection: str
    answer: Callable[[Split], tuple[NBest, list[int]]]


class Readers:
    """Trains readers of one architecture and answers questions with them.

    Args:
      config: see ``configs/paper.py``.
      inputs: what the run reads.
      workdir: each reader has a folder of its name below it.
    """

    def __init__(self, config: ConfigDict, inputs: Inputs, workdir: Path):
        self._config, self._inputs, self._workdir = config, inputs, workdir
        self.mesh = sharding.make_mesh(**config.mesh)

    @cached_property
    def abstract(self) -> dict:
        """Shapes of the parameters."""
        return jax.eval_shape(partial(reader.init, self._inputs.encoder), jax.random.key(0))

    @property
    def batch_size(self) -> int:
        """Windows of the global batch."""
        return settings.global_batch(self._config.train, jax.device_count())

    def check(self) -> None:
        """Refuse, before anything is written, what no reader could be trained or asked with.

        Raises:
          UserError: sizes that do not divide by the mesh, an unknown choice, unusable weights.
        """
        sharding.of(self.abstract, self.mesh)
        for name, split in self._inputs.splits.items():
            if name != 'train':
                metrics.METRICS[self.metric(split)]('', split.corpora[0].context_language)
        options = self._config.train
        settings.chosen(LoopConfig, dict(options) | {'steps': 1})
        asked = {options.selection, *self.selections}
        if 'average' in asked and 0 < options.keep < options.average:
            raise UserError(
                f'train.keep={options.keep}: the mean of train.average={options.average} '
                'checkpoints needs as many; keep more, or 0 for all'
            )
        self.batches(self._inputs.train)
        if not self.is_trained('base'):
            self.pretrained()

    @property
    def selections(self) -> tuple[str, ...]:
        """What is scored besides the reported reader of each training."""
        for name in self._config.evaluate.selections:
            choose(dict.fromkeys(SELECTIONS), name, 'evaluate.selections')
        return tuple(self._config.evaluate.selections)

    # -- train -----------------------------------------------------------------------------------

    def topology(self) -> list[str]:
        """Lines that say which machine computes what.

        Raises:
          UserError: a batch does not divide by the mesh.
        """
        devices, size = jax.devices(), self.batch_size
        shape = ' '.join(f'{axis}={number}' for axis, number in self.mesh.shape.items())
        parts = self.mesh.shape['data'] * self.mesh.shape['fsdp']
        sharding.check_batch(self.mesh, self._config.evaluate.batch_size)
        lines = [
            f'{jax.process_count()} process{"es" * (jax.process_count() > 1)}, {len(devices)} x '
            f'{devices[0].device_kind}, mesh {shape}, global batch {size}, '
            f'{size // parts} rows on each device'
        ]
        hosts = cluster.hosts()
        for process, host in enumerate(hosts):
            if 8 <= process < len(hosts) - 1 and len(hosts) > 16:
                continue
            own = sum(device.process_index == process for device in devices)
            rows = _ranges(sharding.rows(self.mesh, size, process))
            lines.append(f'process {process} on {host}: {own} devices, rows {rows}')
        return lines

    def batches(self, split: Split, candidates_W=None) -> Batches:
        """Training batches; windows of one question, in whatever language, are one group."""
        questions = split.questions
        _, group_Q = np.unique([each.id for each in questions], return_inverse=True)
        languages = [f'{each.context_language}-{each.question_language}' for each in questions]
        _, language_Q = np.unique(languages, return_inverse=True)
        return Batches(
            split.windows,
            batch_size=self.batch_size,
            max_tokens=self._config.data.max_tokens,
            seed=self._config.seed,
            group_Q=group_Q.astype(np.int32),
            language_Q=language_Q,
            temperature=self._config.data.sampling_temperature,
            candidates=candidates_W,
            without_gold=self._config.data.without_gold,
        )

    def steps(self, batches: Batches) -> int:
        """Updates of a whole stage."""
        return batches.steps(self._config.train.epochs)

    def train_base(self, name: str, split: Split) -> None:
        """Fine-tune the pretrained encoder with eq. 3, unless that is done."""

        def objective(encoder, steps):
            return base_objective(encoder, self._config.two_stage.softmax_over)

        self.train(name, split, objective, self.pretrained)

    def train(
        self,
        name: str,
        split: Split,
        objective: Callable[[EncoderConfig, int], Objective],
        start: Callable[[], dict],
        extras: Callable[[], dict] = dict,
        candidates_W=None,
    ) -> None:
        """Train the reader ``name`` unless that is done.

        Args:
          split: what it learns from.
          objective: of an encoder and the number of steps.
          start: the reader's first parameters.
          extras: first parameters that the objective has besides the reader's.
          candidates_W: of the windows, see ``Batches``.
        """
        options = dict(self._config.train) | {'profile': self._config.profile}
        vocabulary = Vocabulary.of(split.windows, self._inputs.encoder)
        split = split._replace(windows=vocabulary.windows(split.windows))
        batches = self.batches(split, candidates_W)
        steps = self.steps(batches)
        ids = [question.id for question in split.questions]
        train(
            settings.chosen(LoopConfig, options | {'steps': steps}),
            objective=objective(vocabulary.encoder(self._inputs.encoder), steps),
            optimizer=settings.optimizer(self._config.train),
            batches=batches,
            vocabulary=vocabulary,
            abstract_params={'reader': self.abstract} | jax.eval_shape(extras),
            init=lambda: {'reader': start()} | extras(),
            mesh=self.mesh,
            seed=self._config.seed,
            folder=self._workdir / name,
            flops=partial(train_flops, self._inputs.encoder),
            asked=lambda step: [ids[question] for question in batches.questions_at(step)],
            dev_f1=self._dev_f1 if self._inputs.dev else None,
            label=name,
        )

    def _dev_f1(self, params: dict) -> float:
        split = self._inputs.dev
        return self._f1(split, self.answer(params['reader'], split, 'dev'))

    # -- load ------------------------------------------------------------------------------------

    def pretrained(self) -> dict:
        """Where every stage starts: the pretrained encoder with a random span head."""
        inputs = self._inputs
        fresh = reader.init(inputs.encoder, jax.random.key(self._config.seed))
        return weights.load(inputs.weights, inputs.encoder, fresh) if inputs.weights else fresh

    def is_trained(self, name: str) -> bool:
        """Whether it was trained to the end. All processes must ask."""
        return cluster.decided(self._selected(name).exists())

    def selected(self, name: str) -> Selected:
        """What a finished reader's stage selected.

        Raises:
          UserError: it was not trained to the end.
        """
        if not self.is_trained(name):
            raise UserError(f'{self._selected(name)}: not there; first run the step that trains it')
        return Selected(**json.loads(self._selected(name).read_text()))

    def trained(self, name: str, selection: str = '') -> dict:
        """The parameters that a finished reader's stage reports, or another of SELECTIONS.

        Raises:
          UserError: it was not trained to the end.
        """
        selected = self.selected(name)
        steps = selected.choices[selection or selected.selection]
        return checkpoints.load_mean(*self._places(name, steps))

    def kept(self, name: str) -> list[int]:
        """The steps of a reader's checkpoints that are kept, ascending."""
        folder = self._workdir / name / 'checkpoints'
        return cluster.decided(checkpoints.steps(folder)[::-1] if cluster.is_first() else [])

    def at(self, name: str, step: int) -> dict:
        """The parameters of one kept checkpoint; raises as ``checkpoints.load_reader``."""
        return checkpoints.load_reader(*self._places(name, step))

    def _places(self, name: str, which) -> tuple:
        folder = self._workdir / name / 'checkpoints'
        return folder, which, sharding.placed(self.abstract, self.mesh)

    def _selected(self, name: str) -> Path:
        return self._workdir / name / 'selected.json'

    # -- ask -------------------------------------------------------------------------------------

    def contestants(self, name: str) -> Iterator[Contestant]:
        """The reported choice of a trained reader, then the others that are asked for."""
        selected = self.selected(name)
        leaks = 'best' if self._inputs.shared_with_dev else ''
        for selection in dict.fromkeys((selected.selection, *self.selections)):
            system = name if selection == selected.selection else f'{name}@{selection}'
            trained = cache(partial(self.trained, name, selection))
            steps = selected.choices[selection]

            def answer(split, system=system, trained=trained, steps=steps):
                return self.answer(trained(), split, f'{system}: {split.corpora[0].name}'), steps

            told = f'{selection}, leaking' if selection == leaks else selection
            yield Contestant(system, told, answer)
        if self._config.evaluate.oracle:
            yield Contestant(f'{name}@oracle', 'oracle', partial(self._oracle, name))

    def _oracle(self, name: str, split: Split) -> tuple[NBest, list[int]]:
        """The answers of the kept checkpoint that scores best on them, the earliest of equals."""
        best = -1.0, None, []
        for step in self.kept(name):
            label = f'{name}@oracle, step {step}: {split.corpora[0].name}'
            nbest = self.answer(self.at(name, step), split, label)
            f1 = self._f1(split, nbest)
            best = max(best, (f1, nbest, [step]), key=lambda each: each[0])
        return best[1:]

    def _f1(self, split: Split, nbest: NBest) -> float:
        language = split.corpora[0].context_language
        answers = predictions(split.questions, nbest)
        return metrics.score(split.questions, answers, self.metric(split), language)['f1']

    def answer(self, params: dict, split: Split, label: str) -> NBest:
        """The n-best answers to a split's questions."""
        n_best = self._config.evaluate.n_best
        return self.answer_windows(params, split.windows, len(split.questions), n_best, label)

    def answer_windows(
        self, params: dict, windows: Windows, questions: int, k: int, label: str
    ) -> NBest:
        """The k best answers to each of as many questions as the windows number."""
        options = self._config.evaluate
        share = sharding.Share(self.mesh, options.batch_size)
        return predict(
            params,
            self._inputs.encoder,
            windows,
            questions=questions,
            k=k,
            batch_size=options.batch_size,
            max_answer_tokens=options.max_answer_tokens,
            put=share.put,
            rows=share.rows,
            label=label,
        )

    def metric(self, split: Split) -> str:
        """A key of ``METRICS``: by default MLQA's where it is the corpus's own, else SQuAD's."""
        by_language = split.corpora[0].name.startswith(('mlqa', 'encyclopedia'))
        known = {name: name for name in metrics.METRICS}
        known['auto'] = 'mlqa' if by_language else 'squad'
        return choose(known, self._config.evaluate.metric, 'evaluate.metric')


def _ranges(rows: np.ndarray) -> str:
    """Ascending numbers as '0-3, 8-11'."""
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    return ', '.join(f'{run[0]}-{run[-1]}' if len(run) > 1 else f'{run[0]}' for run in runs)
