"""A trained reader that answers questions: the public ``Reader``.

Text goes to answers on the one way that scoring and mining go too: questions, windows, batches,
``evaluate.predict``, n-best.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from xmrc_jax.data.cutting import backend_of
from xmrc_jax.data.queries import Query, check
from xmrc_jax.data.rows import up
from xmrc_jax.data.squad import Question
from xmrc_jax.data.windows import Windows, build
from xmrc_jax.evaluate.merging import pooled
from xmrc_jax.evaluate.nbest import Found, found
from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import trained
from xmrc_jax.recipe.ask import Ask

Passages = str | Sequence[str]  # one, or several of which the best answers are wanted


class Answer(NamedTuple):
    """One of the answers to a question.

    Attributes:
      text: a slice of the passage, ``passage[start:end]``; '', from 0 to 0, says that there is no
        answer, with the logits of the first token, whose sum is the null score.
      start: its first character.
      end: the character behind its last.
      passage: which of several passages, from 0; 0 where there is one.
      start_logit: of its first token.
      end_logit: of its last token.
      probability: run_qa's name for its share among the n-best answers, the softmax of start + end
        logit over them; it is not how likely the answer is right.
      log_p: log P(z) of eq. 2, over all real tokens of the window where it was found.
      confidence: how likely it is right; None where the reader is not calibrated.
    """

    text: str
    start: int
    end: int
    passage: int
    start_logit: float
    end_logit: float
    probability: float
    log_p: float
    confidence: float | None


class Answers(NamedTuple):
    """The n-best answers to a query, best first, and its null odds: the null score less the best
    answer's, run_qa's; None of a reader without a threshold, and where it cannot be asked."""

    listed: list[Answer]
    null_odds: float | None


def overlap(one: Answer, two: Answer) -> float:
    """The share of the shorter answer's characters that both have; 0 in different passages.

    Example:
      >>> one, two = (Answer('', *chars, 0, *[0.0] * 4, None) for chars in ((4, 14), (10, 18)))
      >>> overlap(one, two)
      0.5
    """
    shared = min(one.end, two.end) - max(one.start, two.start)
    shorter = min(one.end - one.start, two.end - two.start)
    return shared / shorter if one.passage == two.passage and shared > 0 else 0.0


class Prepared(NamedTuple):
    """Queries cut into windows.

    Attributes:
      queries: what is asked.
      faults: why each of them cannot be asked, or ''.
      questions: one for each query and passage.
      of_query_Q: the query of each question.
      passage_Q: its passage among those of the query.
      windows: of the questions; None where there is none.
    """

    queries: tuple[Query, ...]
    faults: tuple[str, ...]
    questions: tuple[Question, ...]
    of_query_Q: np.ndarray
    passage_Q: np.ndarray
    windows: Windows | None


class Reader:
    """Answers questions from passages of any length, in any of its languages.

    Args:
      own: what it consists of.
      batch_size: windows of a batch; by default as the run that trained it asks it. It is rounded
        up to a multiple of the devices.
      n_best: answers listed; likewise. Shares and confidences are among no fewer than that run
        looks for: alone on its list every answer would be sure.
      null_threshold: null odds beyond which there is no answer; by default what was fitted on the
        dev set of the run that trained it, if questions without an answer are there.
      max_overlap: of two answers that share more of the shorter one's characters the better stands
        for both; with 1 all are listed.

    Example:
      >>> import dataclasses, tempfile, jax
      >>> from xmrc_jax.data import encyclopedia
      >>> from xmrc_jax.data.tokenizer import load_tokenizer
      >>> from xmrc_jax.model import reader, weights
      >>> from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig
      >>> folder, passage = tempfile.mkdtemp(), 'The society was founded in 1876.'
      >>> question = Question('', 'When?', passage, ())
      >>> tokenizer = load_tokenizer(encyclopedia.train_tokenizer([question], f'{folder}/tokens'))
      >>> cfg = EncoderConfig.of(ENCODERS['tiny'], PLAIN)
      >>> cfg = dataclasses.replace(cfg, vocabulary=len(tokenizer), width=8, heads=2, mlp=8)
      >>> params = reader.init(cfg, jax.random.key(0))  # untrained, so it answers at random
      >>> weights.save(f'{folder}/reader', params, cfg, tokenizer)
      >>> best, second = Reader.load(f'{folder}/reader').ask('When?', passage, k=2)
      >>> best.text == passage[best.start : best.end], best.probability >= second.probability
      (True, True)
    """

    def __init__(
        self,
        own: trained.Trained,
        batch_size: int = 0,
        n_best: int = 0,
        null_threshold: float | None = None,
        max_overlap: float = 1.0,
    ):
        options, calibration = own.asking.options, own.asking.calibration
        self._shared_by = options.n_best  # answers among which a confidence was fitted
        batch_size = up(batch_size or options.batch_size, own.mesh.size)
        options = replace(options, batch_size=batch_size, n_best=n_best or options.n_best)
        if null_threshold is not None:
            calibration = replace(calibration, null_threshold=null_threshold)
        asking = replace(own.asking, options=options, calibration=calibration)
        self.own, self.max_overlap = replace(own, asking=asking), max_overlap
        looked_for = max(options.n_best, self._shared_by)
        self._ask = Ask(own.encoder, own.mesh, replace(options, n_best=looked_for))

    def __str__(self) -> str:
        return f'{self.own.name}: {self.how}'

    @property
    def how(self) -> str:
        """How it is asked, in words."""
        size, longest = self.own.asking.size, self.own.asking.options.max_answer_tokens
        threshold = self.own.asking.calibration.null_threshold
        null = '' if threshold is None else f', no answer beyond null odds of {threshold:g}'
        as_who = '' if self.own.says_how else ' (as the paper has it: the reader does not say)'
        return (
            f'windows of {size.max_tokens} tokens, {size.stride} shared, '
            f'questions up to {size.max_question_tokens}, answers up to {longest}{as_who}{null}'
        )

    @classmethod
    def load(cls, source: str | Path, **options) -> 'Reader':
        """The reader of a path.

        Args:
          source: a run's working folder, one of its readers, an exported folder, or a hub id; see
            ``trained.load``.
          **options: ``batch_size`` and the others of ``Reader``.

        Raises:
          UserError: there is no trained reader, or it cannot be read.
        """
        return cls(trained.load(source), **options)

    def compile(self) -> int:
        """Compile, before anything is asked, all that asking for up to ``n_best`` answers needs.

        Returns:
          How many shapes of batches there are.
        """
        windows = self.prepare([Query('', '', 'a', ('a',))]).windows
        return self._ask.compile(self.own.params, windows, self.own.asking.size.max_tokens)

    @property
    def n_best(self) -> int:
        """How many answers are listed where nobody says how many."""
        return self.own.asking.options.n_best

    def ask(self, question: str, passage: Passages, k: int = 5) -> list[Answer]:
        """The k best answers to a question, best first; fewer where there are no more.

        Args:
          question: its text.
          passage: one, or several; then the best answers in all of them.
          k: how many.

        Raises:
          UserError: an empty text, or one without tokens.
        """
        return self.ask_all([(question, passage)], k)[0]

    def ask_all(self, pairs: Iterable[tuple[str, Passages]], k: int = 5) -> list[list[Answer]]:
        """``ask`` of many pairs of question and passage at once, which is faster."""
        queries = []
        for number, (question, passage) in enumerate(pairs):
            passages = (passage,) if isinstance(passage, str) else tuple(passage)
            queries.append(check(Query(f'pair {number}', str(number), question, passages)))
        prepared = self.prepare(queries)
        for query, fault in zip(queries, prepared.faults, strict=True):
            if fault:
                raise UserError(fault if len(queries) == 1 else f'{query.where}: {fault}')
        return [answers.listed for answers in self.answer(prepared, k)]

    def prepare(self, queries: Iterable[Query]) -> Prepared:
        """Cut queries into windows; needs no device."""
        queries = tuple(queries)
        faults = tuple(map(self.fault, queries))
        rows = [
            (at, place, Question(query.key, query.question, passage, ()))
            for at, (query, fault) in enumerate(zip(queries, faults, strict=True))
            for place, passage in enumerate(query.passages)
            if not fault and self._has_tokens(passage)
        ]
        questions = tuple(question for *_, question in rows)
        of_query_Q, passage_Q = np.array([row[:2] for row in rows], np.int32).reshape(-1, 2).T
        windows = build(questions, self.own.tokenizer, self.own.asking.size) if rows else None
        return Prepared(queries, faults, questions, of_query_Q, passage_Q, windows)

    def answer(
        self,
        prepared: Prepared,
        k: int | None = None,
        done: Callable[[int], object] = lambda windows: None,
    ) -> list[Answers]:
        """The k best answers to each query, by default ``n_best``.

        Args:
          prepared: what is asked.
          k: how many.
          done: is told how many windows more are answered.
        """
        queries, _, questions, of_query_Q, _, windows = prepared
        if windows is None:
            return [Answers([], None) for _ in queries]
        k = k or self.n_best
        looked_for = max(k, self._ask.options.n_best)
        nbest = self._ask(self.own.params, windows, len(questions), k=looked_for, done=done)
        best, question_EK = pooled(nbest, of_query_Q, len(queries))
        calibration = self.own.asking.calibration
        ranked, order_EK = calibration.ranked(best)
        with_null = np.pad(question_EK, ((0, 0), (0, 1)))  # which is of no passage
        question_EK = np.take_along_axis(with_null, order_EK, axis=1)
        answers_E = found(ranked, calibration.confidences(ranked, self._shared_by))
        listed = (
            self._listed(prepared, question_K, answers)[:k]
            for question_K, answers in zip(question_EK.tolist(), answers_E, strict=True)
        )
        odds_E = [None] * len(queries)
        if calibration.null_threshold is not None:
            odds_E = best.null_odds_Q.tolist()
        each = zip(listed, odds_E, prepared.faults, strict=True)
        return [Answers(own, None if fault else odds) for own, odds, fault in each]

    def _listed(
        self, prepared: Prepared, question_K: list[int], answers: list[Found]
    ) -> list[Answer]:
        """The answers to one query, without those that a better one stands for."""
        listed: list[Answer] = []
        for question, each in zip(question_K, answers, strict=False):
            answer = Answer(
                text=prepared.questions[question].passage[each.start : each.end],
                passage=int(prepared.passage_Q[question]) if each.end else 0,
                **each._asdict(),
            )
            if all(overlap(answer, better) <= self.max_overlap for better in listed):
                listed.append(answer)
        return listed

    def fault(self, query: Query) -> str:
        """Why a query cannot be asked, or ''."""
        if query.fault:
            return query.fault
        if not self._has_tokens(query.question):
            return 'no tokens in its question'
        return '' if any(map(self._has_tokens, query.passages)) else 'no tokens in its passage'

    def _has_tokens(self, text: str) -> bool:
        """Latin letters and digits always have some; what is not seen may have none."""
        encode = backend_of(self.own.tokenizer).encode
        return bool(re.search('[A-Za-z0-9]', text) or encode(text, add_special_tokens=False).ids)
