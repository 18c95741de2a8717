"""Exact match and F1 as the official scripts of SQuAD v1.1 and 2.0 and of MLQA compute them.

This file owns how two answer texts are compared. It knows nothing of files, windows or logits.
A metric is a way to normalise an answer: exact match compares the normal forms, F1 their bags of
words. Both follow the official scripts to the last digit, their oddities included:

- SQuAD removes ASCII punctuation and English articles, whatever the language.
- MLQA removes all Unicode punctuation, the articles of the language, and in Arabic the letters
  of the article anywhere in a word; Chinese is compared character by character.
- SQuAD 2.0 is SQuAD, but gold answers whose normal form is empty do not count; `no_answer` has the
  rest of its script. A question without gold answers is answered right, by every metric, where
  the answer's normal form is empty.
"""

import re
import string
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from xmrc_jax.data import languages
from xmrc_jax.data.squad import Question
from xmrc_jax.ground.errors import UserError

Metric = Callable[[str, str], str]  # (answer, language) -> normal form, words joined by one space

_ASCII_PUNCTUATION = str.maketrans('', '', string.punctuation)
_ENGLISH_ARTICLES = re.compile(r'\b(a|an|the)\b')
_NO_ARTICLES = re.compile(r'(?!)')
_ARTICLES = {
    'en': _ENGLISH_ARTICLES,
    'es': re.compile(r'\b(un|una|unos|unas|el|la|los|las)\b'),
    'de': re.compile(r'\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b'),
    'ar': re.compile('ال'),  # the official '\sال^|ال': its first branch matches nothing
    'hi': _NO_ARTICLES,
    'vi': re.compile(r'\b(của|là|cái|chiếc|những)\b'),
    'zh': _NO_ARTICLES,
}
_HAN = re.compile('([\u4e00-\u9fa5])')


class _UnicodePunctuation(dict):
    """Table for `str.translate` that removes punctuation; a character is looked up when met."""

    def __missing__(self, code: int) -> int | None:
        character = chr(code)
        punctuation = (
            unicodedata.category(character).startswith('P') or character in string.punctuation
        )
        self[code] = None if punctuation else code
        return self[code]


_UNICODE_PUNCTUATION = _UnicodePunctuation()


@lru_cache(maxsize=1 << 17)
def squad(answer: str, language: str = 'en') -> str:
    """Normal form of SQuAD v1.1: lower case, no ASCII punctuation, no a, an, the.

    Args:
      answer: any text.
      language: has no effect, as in the official script.

    Example:
      >>> squad('The  Lantern-Society!')
      'lanternsociety'
    """
    bare = answer.lower().translate(_ASCII_PUNCTUATION)
    return ' '.join(_ENGLISH_ARTICLES.sub(' ', bare).split())


@lru_cache(maxsize=1 << 17)
def mlqa(answer: str, language: str) -> str:
    """Normal form of MLQA: lower case, no Unicode punctuation, no articles of the language.

    Args:
      answer: any text.
      language: of the answer, which is the language of the passage; its region has no effect.

    Raises:
      UserError: MLQA has no rule for the language.

    Example:
      >>> mlqa('¡La Casa Blanca!', 'es'), mlqa('1876年9月', 'zh')
      ('casa blanca', '1876 年 9 月')
    """
    language = languages.primary(language)
    if language not in _ARTICLES:
        raise UserError(
            f'metric mlqa has no rules for language {language!r}: choose from '
            f'{", ".join(sorted(_ARTICLES))}, or metric squad'
        )
    bare = _ARTICLES[language].sub(' ', answer.lower().translate(_UNICODE_PUNCTUATION))
    if language == 'zh':
        bare = _HAN.sub(r' \1 ', bare)
    return ' '.join(bare.split())


SQUAD2 = 'squad2'
METRICS: dict[str, Metric] = {'mlqa': mlqa, 'squad': squad, SQUAD2: squad}


def f1(prediction: str, gold: str) -> float:
    """F1 of the words that two normal forms share, in the official order of operations.

    Example:
      >>> f1('la casa blanca', 'casa blanca')
      0.8
    """
    prediction_words, gold_words = prediction.split(), gold.split()
    shared = sum((Counter(prediction_words) & Counter(gold_words)).values())
    if shared == 0:
        return 0.0
    precision = shared / len(prediction_words)
    recall = shared / len(gold_words)
    return (2 * precision * recall) / (precision + recall)


def score(
    questions: Iterable[Question],
    predictions: Mapping[str, str],
    metric: str,
    language: str,
    records: int = 0,
) -> dict[str, float]:
    """Exact match and F1 in percent, each question against the best of its gold answers.

    A question without a prediction scores 0 and is named on stderr, as in the official scripts.

    Args:
      questions: only `id` and the texts of `answers` are read.
      predictions: answer text of each question id; other ids are ignored.
      metric: a key of `METRICS`.
      language: of the passages.
      records: how many there are, where there are more than questions; the others score 0.

    Returns:
      `{'exact_match': ..., 'f1': ...}`, equal to the official script's to the last digit.

    Raises:
      UserError: unknown metric or language, or no questions.
    """
    exact, f1s = zip(*each(questions, predictions, metric, language), strict=True)
    total = max(len(exact), records)
    return {'exact_match': 100.0 * sum(exact) / total, 'f1': 100.0 * summed(f1s) / total}


def summed(numbers: Iterable[float]) -> float:
    """One by one: since Python 3.12 ``sum`` compensates rounding, which moves the last digit."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def each(
    questions: Iterable[Question], predictions: Mapping[str, str], metric: str, language: str
) -> Iterator[tuple[bool, float]]:
    """Exact match and F1, between 0 and 1, of one question after the other; see `score`."""
    normalise = _normaliser(metric, language)
    for id_, gold_forms in _golds(questions, normalise, metric):
        if id_ not in predictions:
            print(f'Unanswered question {id_} will receive score 0.', file=sys.stderr)
            yield False, 0.0
            continue
        form = normalise(predictions[id_])
        if not gold_forms:
            yield not form, float(not form)
            continue
        yield form in gold_forms, max(f1(form, gold) for gold in gold_forms)


def top_k_exact_match(
    questions: Iterable[Question],
    texts: Mapping[str, Sequence[str]],
    ks: Sequence[int],
    metric: str,
    language: str,
) -> dict[int, float]:
    """Exact match in percent when any of the k best answers may hit (Chen et al. 2022, table 2).

    Args:
      questions: as for `score`.
      texts: answers of each question id, best first; none counts as one empty answer.
      ks: numbers of answers looked at.
      metric: a key of `METRICS`.
      language: of the passages.

    Returns:
      `{k: exact match}`; for k = 1 equal to `score`'s exact match of the best answers.

    Raises:
      UserError: as `score`.
    """
    hits, total = Counter(), 0
    for right in exact(questions, texts, metric, language):
        total += 1
        if True in right:
            hits.update(k for k in ks if k > right.index(True))
    return {k: 100.0 * hits[k] / total for k in ks}


def exact(
    questions: Iterable[Question], texts: Mapping[str, Sequence[str]], metric: str, language: str
) -> Iterator[list[bool]]:
    """Which of its answers are right, of one question after the other; see `top_k_exact_match`."""
    normalise = _normaliser(metric, language)
    for id_, gold_forms in _golds(questions, normalise, metric):
        right = gold_forms or ['']
        yield [normalise(text) in right for text in texts.get(id_) or ['']]


def _normaliser(metric: str, language: str) -> Callable[[str], str]:
    if metric not in METRICS:
        raise UserError(f'unknown metric {metric!r}: choose from {", ".join(METRICS)}')
    return lambda answer: METRICS[metric](answer, language)


def _golds(questions, normalise, metric) -> Iterator[tuple[str, list[str]]]:
    """Id and normal forms of the gold answers of each question."""
    question = None
    for question in questions:
        forms = [normalise(answer.text) for answer in question.answers]
        yield question.id, list(filter(None, forms)) if metric == SQUAD2 else forms
    if question is None:
        raise UserError('no questions to score: the corpus is empty')
