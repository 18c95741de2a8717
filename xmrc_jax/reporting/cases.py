"""The case study (figure 3): how the answers to one question change while a reader learns.

Answers of all kept checkpoints are asked once and kept in the run's ``cases/``; without checkpoints
a case is chosen from the stored n-best answers.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from xmrc_jax.data.squad import Question
from xmrc_jax.evaluate import metrics
from xmrc_jax.evaluate.records import Record
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_object, write_json
from xmrc_jax.reporting.figures import Line, Plot
from xmrc_jax.reporting.outcomes import Outcomes
from xmrc_jax.reporting.passages import Piece, shaded
from xmrc_jax.reporting.runs import Run

SHOWN = 4  # answers of each step, as in the paper
PAIR = ('base', 'two_stage')  # the paper's own, which a rule compares


class Span(NamedTuple):
    """An answer: characters [start, end) of the passage and its probability."""

    start: int
    end: int
    text: str
    probability: float


Answers = list[Span]  # best first


class Step(NamedTuple):
    """What a reader answered at one checkpoint, likeliest first, and the passage shaded by it."""

    name: str
    answers: Answers
    passage: list[Piece]


class Reader(NamedTuple):
    """What is shown of one reader; its curves are lettered like `letters`, the answers' texts."""

    system: str
    plot: Plot | None
    letters: list[str]
    steps: list[Step]


@dataclass(frozen=True)
class Case:
    """One question and its answers: system -> step -> best answers.

    A step of -1 is the reported checkpoint as the run scored it; its probabilities are shares of
    the n-best answers. At other steps they are P(z) = P_start(s) P_end(e).
    """

    run: Path
    dataset: str
    question: Question
    answers: dict[str, dict[int, Answers]]

    @property
    def name(self) -> str:
        return _file(self.question)


def _file(question: Question) -> str:
    name = f'{question.id}.{question.context_language}-{question.question_language}'
    return re.sub(r'[^\w.-]+', '-', name).lstrip('.-')


def find(run: Run, id_: str, outcomes: Outcomes) -> tuple[Record, Question]:
    """A question by its id, or by id@language where several languages have it.

    Raises:
      UserError: the test sets of the run have no such question.
    """
    for wanted, language in ((id_, ''), id_.rpartition('@')[::2]):
        for record in run.of(run.systems[0]):
            for question in outcomes.questions(run, record):
                if question.id == wanted and language in ('', record.context_language):
                    return record, question
    raise UserError(
        f'--case {id_}: no test question of {run.folder} has this id; '
        'name one of those in its predictions/, as ID or ID@LANGUAGE'
    )


def answered(
    run: Run,
    record: Record,
    question: Question,
    kept: Callable[[str], list[int]],
    ask: Callable[[str, int, Question], list],
) -> Case:
    """The case with the answers of every checkpoint kept of a reader; only new ones are asked.

    Raises:
      UserError: no reader of the run has a checkpoint, or the answers cannot be kept.
    """
    path = run.folder / 'cases' / f'{_file(question)}.json'
    stored = read_object(path)
    facts = {'question': question.text, 'passage': question.passage}
    known = stored['answers'] if facts.items() <= stored.items() else {}
    answers, changed = {}, False
    for system in run.readers:
        spans = {int(step): each for step, each in known.get(system, {}).items()}
        missing = [step for step in kept(system) if step not in spans]
        spans |= {step: ask(system, step, question) for step in missing}
        changed |= bool(missing)
        if spans:
            ordered = sorted(spans.items())
            answers[system] = {step: [Span(*each) for each in of_step] for step, of_step in ordered}
    if not answers:
        raise UserError(f'--case {question.id}: no checkpoints in {run.folder} to ask')
    if changed:
        facts |= {'probability': 'P_start(s) P_end(e), over the real tokens of the window'}
        named = {'id': question.id, 'dataset': record.dataset} | facts
        write_json(path, named | {'answers': answers})
    return Case(run.folder, record.dataset, question, answers)


def by_rule(run: Run, outcomes: Outcomes) -> Case | None:
    """The first test question that the base reader misses though its n-best answers hold it, and
    that the two-stage reader answers; None where there is none."""
    for first, second in zip(*(run.of(system) for system in PAIR), strict=False):
        before, after = outcomes.of(run, first), outcomes.of(run, second)
        if before is None or after is None or before.questions != after.questions:
            continue
        n_best = {'base': run.n_best(first), 'two_stage': run.n_best(second)}
        for index in np.flatnonzero(after.exact_Q > before.exact_Q):
            question = before.questions[index]
            texts = [answer['text'] for answer in n_best['base'][question.id]]
            every, language = len(texts), first.context_language
            of_id = {question.id: texts}
            hit = metrics.top_k_exact_match([question], of_id, [every], first.metric, language)
            if hit[every]:
                answers = {
                    system: {-1: _stored(question, answers[question.id])}
                    for system, answers in n_best.items()
                }
                return Case(run.folder, first.dataset, question, answers)
    return None


def _stored(question: Question, n_best: list[dict]) -> Answers:
    """Stored answers; one without its place is shown where its text first occurs."""
    return [
        Span(start, start + len(answer['text']), answer['text'], answer['probability'])
        for answer in n_best
        if (start := answer.get('start', question.passage.find(answer['text']))) >= 0
    ]


def readers(case: Case) -> list[Reader]:
    """What the page and Markdown show of each reader."""
    question, shown = case.question, []
    golds = [(gold.start, gold.start + len(gold.text)) for gold in question.answers]
    for system, answers in case.answers.items():
        steps = []
        for step, spans in answers.items():
            name = 'reported checkpoint' if step < 0 else f'step {step}'
            shades = [(span.start, span.end, span.probability) for span in spans[:SHOWN]]
            steps.append(Step(name, spans[:SHOWN], shaded(question.passage, shades, golds)))
        plot, letters = _curves(case, system, set(golds)) if len(steps) > 1 else (None, [])
        shown.append(Reader(system, plot, letters, steps))
    return shown


def _curves(case: Case, system: str, golds: set[tuple[int, int]]) -> tuple[Plot, list[str]]:
    """Probabilities of the likeliest answers by step, gold ones first, and the answers' texts.

    The curves are lettered, the texts stand beside them: letters of every script are set by the
    page. A step at which an answer is not among the n-best leaves a gap.
    """
    steps = case.answers[system]
    peaks: dict[tuple[int, int, str], float] = {}
    for answers in steps.values():
        for rank, (*span, p) in enumerate(answers):
            if rank < SHOWN or tuple(span[:2]) in golds:
                peaks[tuple(span)] = max(peaks.get(tuple(span), 0.0), p)
    chosen = sorted(peaks, key=lambda span: (span[:2] not in golds, -peaks[span]))[: SHOWN + 2]
    lines = []
    for letter, span in zip('ABCDEFGH', chosen, strict=False):
        by_step = [
            next((p for *other, p in answers if tuple(other) == span), math.nan)
            for answers in steps.values()
        ]
        label = f'{letter}, gold' if span[:2] in golds else letter
        lines.append(Line(label, list(steps), by_step))
    title = f'Case {case.question.id}, {system}: probability of its likeliest answers'
    name = f'case.{case.name}.{system}'
    plot = Plot(name, title, 'step', 'P(start) P(end)', tuple(lines), marks=True)
    return plot, [text for _, _, text in chosen]
