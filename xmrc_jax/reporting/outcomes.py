"""Answers beside gold answers: what each question scored.

The gold data come from a function, so that this room need not know where they lie.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xmrc_jax.data.squad import Corpus, Question
from xmrc_jax.evaluate import metrics
from xmrc_jax.evaluate.records import Record, prediction_path, record_path
from xmrc_jax.ground.errors import UserError
from xmrc_jax.reporting.runs import Run

Tests = Callable[[Path], Iterable[tuple[Corpus, Sequence[Question]]]]


@dataclass(frozen=True)
class Outcome:
    """What one system of one run answered to one test set."""

    questions: tuple[Question, ...]
    answers: tuple[str, ...]  # the best to each
    exact_Q: np.ndarray  # bool
    f1_Q: np.ndarray  # between 0 and 1


def shared(one: Outcome, two: Outcome) -> Iterator[tuple[Question, int, int]]:
    """Each question that both answered, and its places among the questions of either."""
    places = {question: index for index, question in enumerate(two.questions)}
    for index, question in enumerate(one.questions):
        if question in places:
            yield question, index, places[question]


class Outcomes:
    """Outcomes by run and record, from the test sets of a run's folder; worked out when first used.

    ``missing`` are lines that say for which runs there are no gold answers.
    """

    def __init__(self, tests: Tests):
        self._tests, self._golds = tests, {}
        self._outcomes: dict[Path, Outcome | None] = {}
        self.missing: list[str] = []

    def of(self, run: Run, record: Record) -> Outcome | None:
        """None where the gold answers are missing, or are not those that were scored."""
        path = record_path(run.folder, record)
        if path not in self._outcomes:
            self._outcomes[path] = self._scored(run, record, path)
        return self._outcomes[path]

    def questions(self, run: Run, record: Record) -> tuple[Question, ...]:
        """The questions of a record's test set; none where the data are missing."""
        if run.folder not in self._golds:
            try:
                self._golds[run.folder] = {
                    prediction_path(run.folder, '', corpus): tuple(questions)
                    for corpus, questions in self._tests(run.folder)
                }
            except UserError as error:
                self._golds[run.folder] = {}
                self.missing.append(
                    f'{run.folder}: without gold answers there are no intervals, errors, cases and '
                    f'comparisons: {error}'
                )
        path = record_path(run.folder, record)
        return self._golds[run.folder].get(path.parent.parent / path.name, ())

    def _scored(self, run: Run, record: Record, path: Path) -> Outcome | None:
        questions = self.questions(run, record)
        if not questions:
            return None
        answers = run.answers(record)
        if {question.id for question in questions} != set(answers):
            self.missing.append(f'{path}: the data hold other questions than were answered')
            return None
        scored = metrics.each(questions, answers, record.metric, record.context_language)
        exact_Q, f1_Q = (np.array(column) for column in zip(*scored, strict=True))
        if abs(100 * exact_Q.mean() - record.exact_match) > 1e-6:
            self.missing.append(f'{path}: the data hold other gold answers than were scored')
            return None
        return Outcome(questions, tuple(answers[q.id] for q in questions), exact_Q, f1_Q)
