"""Two systems question by question: who is right where, as counts and as rows to browse."""

from collections import Counter
from dataclasses import dataclass

from xmrc_jax.data.squad import Question
from xmrc_jax.evaluate.records import Record
from xmrc_jax.reporting import paper
from xmrc_jax.reporting.outcomes import Outcomes, shared
from xmrc_jax.reporting.passages import direction, excerpt, places, whole
from xmrc_jax.reporting.runs import Run
from xmrc_jax.reporting.tables import Table

KINDS = ('won', 'lost', 'both wrong', 'both right')  # of B; what is left out first stands last
LIMIT = 30_000  # questions kept in the page, so that a phone can still hold it


@dataclass(frozen=True)
class Comparison:
    """What the page needs to show two systems side by side."""

    name: str  # tells it from others in the page
    counts: Table  # by dataset and language
    data: dict  # what the page's script reads; see `compare`
    left_out: str  # says what is not in `data`; '' for nothing


def compare(
    a: tuple[Run, str], b: tuple[Run, str], outcomes: Outcomes, limit: int = LIMIT
) -> Comparison | None:
    """Compares the exact matches of two systems, each with its run, on questions both answered.

    Of more rows than `limit` the right ones are left out before the wrong ones, and those before
    the questions won and lost.

    Returns:
      None where no question was answered by both. `data` holds `a`, `b` (names), `sets`
      ([dataset, passage language, question language, direction of the passage, of the question]),
      `passages` (excerpts, each once) and `rows`: [set, kind, excerpt, gold start, gold end in the
      excerpt, id, question, gold answers, answer of a, of b, F1 of a, of b, start and end of the
      answer of a in the excerpt, of b; both 0 where it is not in there].
    """
    records_b = {_key(record): record for record in b[0].of(b[1])}
    second = {
        key: outcome
        for key, record in records_b.items()
        if (outcome := outcomes.of(b[0], record)) is not None
    }
    sets, rows = [], []
    counts: dict[tuple, Counter] = {}
    for record in a[0].of(a[1]):
        key = _key(record)
        one, two = outcomes.of(a[0], record), second.get(key)
        if one is None or two is None:
            continue
        sets.append([*key, *map(direction, key[1:])])
        of_a, of_b = a[0].spans(record), b[0].spans(records_b[key])
        for question, i, j in shared(one, two):
            kind = {(0, 1): 0, (1, 0): 1, (0, 0): 2, (1, 1): 3}[one.exact_Q[i], two.exact_Q[j]]
            counts.setdefault(key, Counter())[KINDS[kind]] += 1
            answers = one.answers[i], two.answers[j]
            start, text = next(iter(question.answers), (0, ''))
            gold = start, start + len(text)
            spans = [
                _span(question.passage, text, places_of.get(question.id))
                for text, places_of in zip(answers, (of_a, of_b), strict=True)
            ]
            around = excerpt(question.passage, gold, filter(None, spans))
            shift = around[1] - whole(question.passage, *gold)[0]
            rows.append(
                [
                    len(sets) - 1,
                    kind,
                    *around,
                    question.id,
                    question.text,
                    list(dict.fromkeys(answer.text for answer in question.answers)),
                    *answers,
                    round(100 * float(one.f1_Q[i])),
                    round(100 * float(two.f1_Q[j])),
                    *(at for span in spans for at in _within(around[0], shift, question, span)),
                ]
            )
    if not rows:
        return None
    name_a, name_b = _names(a, b)
    kept, left_out = _limited(rows, limit)
    data = {'a': name_a, 'b': name_b, 'kinds': KINDS, 'sets': sets} | kept
    name = f'{name_b} against {name_a}'
    return Comparison(name, _counts(name, counts), data, left_out)


def _span(passage: str, text: str, stored: tuple[int, int] | None) -> tuple[int, int] | None:
    """Where an answer was found; where its text first occurs, if that was not stored."""
    if stored:
        return stored
    return next(((start, start + len(text)) for start in places(passage, text)), None)


def _within(
    around: str, shift: int, question: Question, span: tuple[int, int] | None
) -> tuple[int, int]:
    """A span of the passage in an excerpt of it, ``shift`` characters on; (0, 0) outside."""
    if span is None:
        return 0, 0
    start, end = (at + shift for at in whole(question.passage, *span))
    return (start, min(end, len(around))) if 0 <= start < len(around) else (0, 0)


def _key(record: Record) -> tuple[str, str, str]:
    return record.dataset, record.context_language, record.question_language


def _names(a: tuple[Run, str], b: tuple[Run, str]) -> tuple[str, str]:
    if a[0].folder == b[0].folder:
        return a[1], b[1]
    one, two = (f'{run.folder.name}/{system}' for run, system in (a, b))
    if one == two:
        return f'{a[0].folder}: {a[1]}', f'{b[0].folder}: {b[1]}'
    return one, two


def _limited(rows: list[list], limit: int) -> tuple[dict, str]:
    """The most telling rows, with numbers for their passages, and what was left out."""
    ordered = sorted(rows, key=lambda row: row[1])
    left = Counter(KINDS[row[1]] for row in ordered[limit:])
    kept = ordered[:limit] if left else rows
    number: dict[str, int] = {}
    kept = [[*row[:2], number.setdefault(row[2], len(number)), *row[3:]] for row in kept]
    counts = ', '.join(f'{count} {kind}' for kind, count in left.items())
    note = f'Left out to keep the page small: {counts}.' if left else ''
    return {'passages': list(number), 'rows': kept}, note


def _counts(name: str, counts: dict[tuple, Counter]) -> Table:
    rows = []

    def add(label: str, counter: Counter) -> None:
        numbers = [counter.total(), *(counter[kind] for kind in KINDS)]
        rows.append([label, *map(str, numbers), f'{counter["won"] - counter["lost"]:+d}'])

    for dataset in dict.fromkeys(dataset for dataset, _, _ in counts):
        rows.append([dataset])
        pairs = [key[1:] for key in counts if key[0] == dataset]
        for c, q in sorted(pairs, key=lambda pair: tuple(map(paper.order, pair))):
            add(c if c == q else f'{c}, question {q}', counts[dataset, c, q])
        if len(pairs) > 1:
            add('all', sum((counts[dataset, *pair] for pair in pairs), Counter()))
    return Table(f'{name}: exact matches', ['', 'questions', *KINDS, 'won - lost'], rows)
