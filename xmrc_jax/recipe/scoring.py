"""Trained readers against test sets: who is scored, with which parameters, into which records."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

from xmrc_jax.answers.contrast import Affinity
from xmrc_jax.data.squad import Corpus, Question
from xmrc_jax.evaluate import calibration, metrics, records
from xmrc_jax.evaluate.calibration import Calibration
from xmrc_jax.evaluate.decoding import minimum_risk
from xmrc_jax.evaluate.nbest import NBest, predictions
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.values import leaf, part
from xmrc_jax.processes import agreement, identity
from xmrc_jax.recipe.ask import Ask, AskOptions
from xmrc_jax.recipe.inputs import Split
from xmrc_jax.recipe.store import Store
from xmrc_jax.reporting import runs, scores
from xmrc_jax.reporting.cells import datasets
from xmrc_jax.reporting.outcomes import Outcomes
from xmrc_jax.reporting.significance import in_words
from xmrc_jax.train.loop import SELECTIONS

AUTO = 'auto'  # the metric of the corpus's own official script
DECODINGS = ('minimum_risk', 'contrast')  # besides the likeliest answer


@dataclass(frozen=True)
class EvaluateOptions:
    """How readers are asked, and what of them is scored how.

    Raises:
      UserError: a k of more answers than are kept.
    """

    ask: AskOptions = part()
    metric: str = leaf(one_of=(AUTO, *metrics.METRICS))
    top_k: tuple[int, ...] = leaf(at_least=1)
    selections: tuple[str, ...] = leaf(one_of=SELECTIONS)
    oracle: bool
    decodings: tuple[str, ...] = leaf(before=(), one_of=DECODINGS)
    contrast_weight: float = leaf(before=1.0, at_least=0)

    def __post_init__(self):
        if max(self.top_k, default=0) > self.ask.n_best:
            raise UserError(
                f'evaluate.top_k={max(self.top_k)}: no more than evaluate.n_best='
                f'{self.ask.n_best} answers are kept; keep more, or name no larger k'
            )

    def metric_of(self, corpus: Corpus) -> tuple[str, str]:
        """A key of ``METRICS`` and a corpus's language; UserError where it has no rules for it."""
        name = corpus.metric if self.metric == AUTO else self.metric
        metrics.METRICS[name]('', corpus.context_language)
        return name, corpus.context_language


class Readers(Protocol):
    """Where a contestant's parameters are, such as a ``Store``."""

    def load(self, steps: Sequence[int]) -> dict:
        """The mean of the parameters of some checkpoints."""

    def calibration(self, steps: Sequence[int]) -> Calibration:
        """What was fitted for it; of none known, nothing."""


class Contestant(NamedTuple):
    """One system to be scored: groups of checkpoints whose means are its parameters; of several
    that which scores best on the test set itself counts."""

    system: str  # the reader's name, with the selection behind an @ if it is not the reported one
    selection: str
    choices: tuple[tuple[int, ...], ...]
    decoding: str = ''  # one of ``DECODINGS``; '': the likeliest answer is the best


def contestants(store: Store, options: EvaluateOptions) -> Iterator[Contestant]:
    """The reported choice of a trained reader, then the others that the options name: selections,
    and decodings of the reported one."""
    name, selected = store.name, store.selected
    for selection in dict.fromkeys((selected.selection, *options.selections)):
        system, steps = store.chosen(selection)
        yield Contestant(system, selection, (tuple(steps),))
    for decoding in options.decodings:
        steps = tuple(store.chosen()[1])
        yield Contestant(f'{name}@{decoding}', selected.selection, (steps,), decoding)
    if options.oracle:
        yield Contestant(f'{name}@oracle', 'oracle', tuple((step,) for step in store.kept))


def warned(contestant: Contestant, dev_leaks: bool, train_leaks: bool) -> Contestant:
    """One whose selection says what a score on a test set is not worth.

    Args:
      contestant: to be scored.
      dev_leaks: the test set shares questions or passages with the dev set.
      train_leaks: it shares some with the training sets.
    """
    dev = 'leaking' if dev_leaks and contestant.selection == 'best' else ''
    train = 'trained on the test set' if train_leaks else ''
    parts = filter(None, (contestant.selection, dev, train))
    return contestant._replace(selection=', '.join(parts))


class Scorer:
    """Answers splits with the readers of stores and scores the answers, in ``predictions/``.

    Args:
      ask: the way to answers.
      options: what is scored how.
      workdir: of the run.
      dev: what readers are calibrated on, which shares nothing with a test set; or None.
      question: the question's vector of eq. 8, for the decoding by contrast.
    """

    def __init__(
        self,
        ask: Ask,
        options: EvaluateOptions,
        workdir: Path,
        dev: Split | None,
        question: str = 'mean',
    ):
        self._ask, self._options, self._workdir, self._dev = ask, options, workdir, dev
        self._affinity = Affinity(options.contrast_weight, question)
        # One load for all test sets of a contestant.
        self.load = lru_cache(maxsize=1)(lambda store, steps: store.load(steps))

    def f1(self, split: Split, nbest: NBest) -> float:
        """F1 in percent of the best answers; with the best threshold where some have none."""
        own = self._options.metric_of(split.corpora[0])
        if not all(question.answers for question in split.questions):
            return calibration.best_f1(split.questions, nbest, *own).score
        return metrics.score(split.questions, predictions(split.questions, nbest), *own)['f1']

    def answer(self, params: dict, split: Split, label: str, decoding: str = '') -> NBest:
        """The n-best answers to a split's questions."""
        affinity = self._affinity if decoding == 'contrast' else None
        asked = params, split.windows, len(split.questions), label
        nbest = self._ask(*asked, affinity=affinity)
        if decoding != 'minimum_risk':
            return nbest
        return minimum_risk(split.questions, nbest, *self._options.metric_of(split.corpora[0]))

    def calibrated(
        self, store: Store, steps: tuple[int, ...], as_read: Callable[[Split], Split]
    ) -> Calibration:
        """How the mean of some checkpoints is calibrated, which its store keeps; see ``record``."""
        if self._dev is None or agreement.decided(store.is_calibrated(steps)):
            return store.calibration(steps)
        dev = as_read(self._dev)
        nbest = self.answer(self.load(store, steps), dev, f'{store.name}: calibrate')
        found = calibration.fit(dev.questions, nbest, *self._options.metric_of(dev.corpora[0]))
        if identity.is_first():
            store.keep_calibration(steps, found)
        return found

    def record(
        self,
        store: Readers,
        contestant: Contestant,
        split: Split,
        as_read: Callable[[Split], Split] = lambda split: split,
        among: int | None = None,
    ) -> records.Record | None:
        """One system on one test set, answered unless it was before; None but in process 0.

        ``as_read`` makes of the split what the system reads; ``among`` so many answers its
        confidence was fitted, by default as many as it is asked for.
        """
        corpus = split.corpora[0]
        path = records.prediction_path(self._workdir, contestant.system, corpus)
        record = records.read_record(path)
        if not agreement.decided(record is None):
            print(f'{contestant.system}: {corpus.name}: done', flush=True)
            return record
        split, answered = as_read(split), []
        for steps in contestant.choices:
            at = f', step {steps[0]}' if len(contestant.choices) > 1 else ''
            label = f'{contestant.system}{at}: {corpus.name}'
            asked = self.load(store, steps), split, label, contestant.decoding
            answered.append((self.answer(*asked), steps))
        nbest, steps = answered[0]
        if len(answered) > 1:  # the earliest of equals
            nbest, steps = max(answered, key=lambda each: self.f1(split, each[0]))
        calibrated = self.calibrated(store, steps, as_read)
        if contestant.decoding == 'contrast':  # other scores than those it was fitted to
            calibrated = replace(calibrated, confidence=())
        if not identity.is_first():
            return None
        (metric, _), top_k = self._options.metric_of(corpus), self._options.top_k
        own = contestant.system, corpus, split.questions, nbest, metric, top_k
        return records.write_predictions(path, *own, contestant.selection, steps, calibrated, among)


def concluded(
    workdir: Path,
    found: Sequence[records.Record],
    questions: Callable[[], Iterator[tuple[Corpus, tuple[Question, ...]]]],
) -> str:
    """Write the records and tables of a run that has come to its end; the tables, and in words
    which system is better."""
    records.write_records(workdir, found)
    study, outcomes = runs.of_records(workdir, found), Outcomes(lambda folder: questions())
    words = [line for dataset in datasets(study) for line in in_words(study, dataset, outcomes)]
    where = f'tables: {workdir}/results.md, results.json; answers: predictions/'
    return '\n'.join([scores.write(workdir, study), *words, where])
