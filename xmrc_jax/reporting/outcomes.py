"""Answers beside gold answers: what each question scored, and how wrong answers are wrong.

The gold data come from a function, so that this room need not know where they lie.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xmrc_jax.data.squad import Corpus, Question
from xmrc_jax.evaluate import metrics
from xmrc_jax.evaluate.tables import Record, prediction_path, record_path
from xmrc_jax.ground.errors import UserError
from xmrc_jax.reporting.runs import Run, Study

Tests = Callable[[Path], Iterable[tuple[Corpus, Sequence[Question]]]]
TYPES = ('gold', 'one boundary right', 'both wrong')


@dataclass(frozen=True)
class Outcome:
    """What one system of one run answered to one test set.

    Attributes:
      questions: with their gold answers.
      answers: the best answer to each.
      exact_Q: bool.
      f1_Q: between 0 and 1.
    """

    questions: tuple[Question, ...]
    answers: tuple[str, ...]
    exact_Q: np.ndarray
    f1_Q: np.ndarray


class Outcomes:
    """Outcomes by run and record, worked out when first asked for.

    Args:
      tests: the test sets of a run's folder, with their gold answers.

    Attributes:
      missing: lines that say for which runs there are no gold answers.
    """

    def __init__(self, tests: Tests):
        self._tests = tests
        self._golds: dict[Path, dict[Path, tuple[Question, ...]]] = {}
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
                self.missing.append(f'{run.folder}: no gold answers: {error}')
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


def differences(study: Study, outcomes: Outcomes, a: int, b: int, dataset: str):
    """Differences of entry b and entry a of a study, of every question, in every language.

    Of the seeds S that both entries have. Questions of runs that read other data (their ids or
    texts differ) are other questions.

    Returns:
      Languages C, and the differences of EM and of F1 in percent, both [Q, S, C] with nan where a
      seed or a language lacks the question; None where no question was answered by both.
    """
    sides = []
    for entry in (study.entries[a], study.entries[b]):
        sides.append(
            {
                (seed, record.context_language): outcome
                for seed, run, record in entry.records()
                if record.dataset == dataset and record.context_language == record.question_language
                if (outcome := outcomes.of(run, record)) is not None
            }
        )
    shared = [key for key in sides[0] if key in sides[1]]
    languages = list(dict.fromkeys(language for _, language in shared))
    seeds = list(dict.fromkeys(seed for seed, _ in shared))
    found: dict[str, dict[tuple[int, int], tuple[float, float]]] = {}
    for seed, language in shared:
        first, second = sides[0][seed, language], sides[1][seed, language]
        there = {question.id: index for index, question in enumerate(second.questions)}
        for i, question in enumerate(first.questions):
            j = there.get(question.id)
            if j is None or second.questions[j].text != question.text:
                continue
            found.setdefault(question.id, {})[seeds.index(seed), languages.index(language)] = (
                100.0 * (float(second.exact_Q[j]) - float(first.exact_Q[i])),
                100.0 * (second.f1_Q[j] - first.f1_Q[i]),
            )
    if not found:
        return None
    difference_QSC2 = np.full((len(found), len(seeds), len(languages), 2), np.nan)
    for row, places in enumerate(found.values()):
        for place, values in places.items():
            difference_QSC2[(row, *place)] = values
    return languages, difference_QSC2[..., 0], difference_QSC2[..., 1]


def error_type(question: Question, answer: str, exact: bool, metric: str) -> str:
    """Which of the paper's three types an answer is (section 3, Hard-Learning).

    Two boundaries are the same when nothing is left between them once the metric has normalised it:
    an article or a full stop more or less moves no boundary. Stored answers are texts, so of an
    answer that occurs more than once in the passage the most favourable place counts; an exact
    match is 'gold' wherever it stands.

    Args:
      question: with its gold answers.
      answer: a slice of the passage; '' where there is none.
      exact: whether the metric calls it an exact match.
      metric: a key of `metrics.METRICS`.

    Returns:
      A member of `TYPES`.

    Example:
      >>> from xmrc_jax.data.squad import Answer
      >>> question = Question('1', 'When?', 'It was in the May of 1876.', (Answer(10, 'the May'),))
      >>> [error_type(question, text, False, 'squad') for text in ('May of 1876', 'It')]
      ['one boundary right', 'both wrong']
    """
    if exact:
        return TYPES[0]
    if not answer:
        return TYPES[2]
    passage, language = question.passage, question.context_language

    def same(a: int, b: int) -> bool:
        between = passage[min(a, b) : max(a, b)]
        return len(between) < 20 and not metrics.METRICS[metric](between, language)

    golds = {(gold.start, gold.start + len(gold.text)) for gold in question.answers}
    for start in places(passage, answer):
        if any(same(start, s) or same(start + len(answer), e) for s, e in golds):
            return TYPES[1]
    return TYPES[2]


def places(passage: str, text: str) -> list[int]:
    """Where a text begins in a passage, overlapping occurrences included."""
    found, at = [], passage.find(text)
    while at >= 0 and text:
        found.append(at)
        at = passage.find(text, at + 1)
    return found


# Words that ask, without those that ask only beside others; longer phrases win where they begin.
_ASKING = {
    'en': 'what:what|who:who whom whose|when:when|where:where|which:which|why:why'
    '|how many:how_many how_much|how:how',
    'es': 'what:qué|who:quién quiénes|when:cuándo|where:dónde adónde|which:cuál cuáles|why:por_qué'
    '|how many:cuánto cuánta cuántos cuántas|how:cómo',
    'de': 'what:was|who:wer wem wen wessen|when:wann|where:wo wohin woher'
    '|which:welche welcher welches welchen welchem|why:warum weshalb wieso'
    '|how many:wie_viel wie_viele wieviel wieviele|how:wie',
    'ar': 'what:ما ماذا بماذا|who:^من لمن يد_من|when:متى|where:أين اين|which:أي أية اي بأي لأي'
    '|why:لماذا|how many:كم بكم|how:كيف',
    'hi': 'what:क्या|who:कौन किसने किसे किसको किससे किसका किसकी किसके|when:कब|where:कहाँ कहां'
    '|which:कौन_सा कौन_सी कौन_से कौनसा कौनसी किस|why:क्यों'
    '|how many:कितने कितना कितनी|how:कैसे कैसा कैसी',
    'vi': 'what:gì cái_gì|who:ai|when:khi_nào bao_giờ|where:ở_đâu đâu|which:nào|why:tại_sao vì_sao'
    '|how many:bao_nhiêu mấy|how:như_thế_nào thế_nào ra_sao',
}


def _phrases(table: str) -> list[tuple[str, str]]:
    pairs = [part.split(':') for part in table.split('|')]
    return [
        (unicodedata.normalize('NFC', f' {word} '.replace('_', ' ')), name)
        for name, words in pairs
        for word in words.split()
    ]


_PHRASES = {language: _phrases(table) for language, table in _ASKING.items()}


def question_word(text: str, language: str) -> str:
    """The first word that asks, by its English name; 'other' where the table knows none.

    Example:
      >>> question_word('In welchem Jahr?', 'de'), question_word('¿Por qué?', 'es')
      ('which', 'why')
    """
    text = unicodedata.normalize('NFC', text.lower())
    words = ''.join(c if unicodedata.category(c)[0] in 'LMN' else ' ' for c in text).split()
    padded = f' {" ".join(words)} '
    found = [
        (at, -len(phrase), name)
        for phrase, name in _PHRASES.get(language, ())
        if (at := padded.find(phrase.replace('^', ''))) >= 0 and (at == 0 or '^' not in phrase)
    ]
    return min(found)[2] if found else 'other'


def answer_length(question: Question) -> str:
    """Words of the shortest gold answer, white space between them: '1', '2-3', '4-6', '7+'."""
    words = min(len(answer.text.split()) for answer in question.answers)
    return '1' if words < 2 else '2-3' if words < 4 else '4-6' if words < 7 else '7+'
