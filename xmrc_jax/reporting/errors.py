"""How wrong answers are wrong: kinds, the word that asks, the length of the answer."""

import tomllib
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from xmrc_jax.data.languages import primary
from xmrc_jax.data.squad import Question
from xmrc_jax.evaluate import metrics
from xmrc_jax.reporting import paper
from xmrc_jax.reporting.cells import is_straight
from xmrc_jax.reporting.outcomes import Outcomes
from xmrc_jax.reporting.passages import places
from xmrc_jax.reporting.runs import Run
from xmrc_jax.reporting.tables import Table

TYPES = ('gold', 'one boundary right', 'both wrong')


def error_table(run: Run, systems: Sequence[str], dataset: str, outcomes: Outcomes) -> Table | None:
    """Shares of the three types by language, question word and length, for one or two systems."""
    counts: dict[tuple[str, str], dict[str, Counter]] = {}  # heading, group -> system -> types
    for record in (each for system in systems for each in run.of(system)):
        language = record.context_language
        if record.dataset != dataset or not is_straight(record):
            continue
        if (outcome := outcomes.of(run, record)) is None:
            continue
        answered = zip(outcome.questions, outcome.answers, outcome.exact_Q, strict=True)
        for question, answer, exact in answered:
            if not question.answers:  # its answer is of none of the types
                continue
            groups = {
                '': 'all',
                'language': language,
                'question word': question_word(question.text, language),
                'words of the shortest gold answer': answer_length(question),
            }
            kind = error_type(question, answer, exact, record.metric)
            for place in groups.items():
                counts.setdefault(place, {}).setdefault(record.system, Counter())[kind] += 1
    if not counts:
        return None
    rows = []
    for heading in dict.fromkeys(heading for heading, _ in counts):
        rows += [[heading]] if heading else []
        of_heading = (group for each, group in counts if each == heading)
        for group in sorted(of_heading, key=paper.order if heading == 'language' else str):
            counters = counts[heading, group]
            shares = [
                f'{100 * own[kind] / own.total():.1f}' if own else ''
                for own in map(counters.get, systems)
                for kind in TYPES
            ]
            total = max(counter.total() for counter in counters.values())
            rows.append([group, str(total), *shares])
    header = ['', 'questions', *(f'{system}: {kind}' for system in systems for kind in TYPES)]
    notes = (
        'Percent of the questions that have an answer. Boundaries are compared as characters of '
        'the passage, but what the metric takes no notice of (articles, punctuation) moves none; '
        'of an answer that occurs twice the more favourable place counts.',
    )
    return Table(f'{dataset}: kinds of answers of {run.folder.name}', header, rows, notes)


def error_type(question: Question, answer: str, exact: bool, metric: str) -> str:
    """Which of the paper's three TYPES an answer is (section 3, Hard-Learning).

    Two boundaries are the same when nothing is left between them once the metric has normalised it:
    an article or a full stop more or less moves no boundary. Stored answers are texts, so of an
    answer that occurs more than once in the passage the most favourable place counts; what the
    metric calls an exact match is 'gold' wherever it stands. '' is no answer.

    Example:
      >>> from xmrc_jax.data.squad import Answer
      >>> question = Question('1', 'When?', 'It was in the May of 1876.', (Answer(10, 'the May'),))
      >>> [error_type(question, text, False, 'squad') for text in ('May of 1876', 'It')]
      ['one boundary right', 'both wrong']
    """
    if exact:
        return TYPES[0]
    passage, language = question.passage, question.context_language

    def same(a: int, b: int) -> bool:
        between = passage[min(a, b) : max(a, b)]
        return len(between) < 20 and not metrics.METRICS[metric](between, language)

    golds = {(gold.start, gold.start + len(gold.text)) for gold in question.answers}
    for start in places(passage, answer):
        if any(same(start, s) or same(start + len(answer), e) for s, e in golds):
            return TYPES[1]
    return TYPES[2]


_WORDS = Path(__file__).with_name('question_words.toml').read_text('utf-8')
_PHRASES = {  # language -> words or phrases that ask, in spaces -> their English name
    language: {f' {phrase} ': name for name, phrases in names.items() for phrase in phrases}
    for language, names in tomllib.loads(unicodedata.normalize('NFC', _WORDS)).items()
}


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
        for phrase, name in _PHRASES.get(primary(language), {}).items()
        if (at := padded.find(phrase.replace('^', ''))) >= 0 and (at == 0 or '^' not in phrase)
    ]
    return min(found)[2] if found else 'other'


def answer_length(question: Question) -> str:
    """Words of the shortest gold answer, white space between them: '1', '2-3', '4-6', '7+'."""
    words = min(len(answer.text.split()) for answer in question.answers)
    return '1' if words < 2 else '2-3' if words < 4 else '4-6' if words < 7 else '7+'
