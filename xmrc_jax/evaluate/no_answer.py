"""The rest of SQuAD 2.0's official script: null odds, their best threshold, both kinds apart.

The null odds of a question are any number that grows with how much speaks for no answer: here the
null score minus the score of the best answer. Owns the threshold beyond which the answer is empty.
It knows no logits and no files.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from xmrc_jax.data.squad import Question
from xmrc_jax.evaluate import metrics
from xmrc_jax.ground.errors import UserError

OFFICIAL = 1.0  # the script's own threshold, of odds that are probabilities


class Best(NamedTuple):
    """The best score that a threshold gives, in percent, and that threshold."""

    score: float
    threshold: float


def best_threshold(
    scores: Mapping[str, float],
    questions: Sequence[Question],
    predictions: Mapping[str, str],
    odds: Mapping[str, float],
) -> Best:
    """The threshold of null odds that scores best, by the official rule.

    Starting from no answer at all, the questions are answered one after the other, those of the
    lowest odds first; the first of the best places is taken. At the threshold itself there is an
    answer, beyond it none; 0 stands for 'no answer at all'.

    Args:
      scores: of each answer as it is, between 0 and 1, by question id.
      questions: only ``id`` and whether there are ``answers`` is read.
      predictions: an answer to each, as if every question had one.
      odds: of each; of equal ones the order counts.

    Example:
      >>> asked = [Question('1', '', '', ()), Question('2', '', '', ('x',))]
      >>> best_threshold({'1': 0.0, '2': 1.0}, asked, {'1': 'x', '2': 'x'}, {'1': 3.0, '2': -1.0})
      Best(score=100.0, threshold=-1.0)
    """
    has_answer = {question.id: bool(question.answers) for question in questions}
    reached = len(has_answer) - sum(has_answer.values())
    best, threshold = reached, 0.0
    for id_ in sorted(odds, key=odds.get):
        if id_ not in scores:
            continue
        reached += scores[id_] if has_answer[id_] else -bool(predictions.get(id_))
        if reached > best:
            best, threshold = reached, odds[id_]
    return Best(100.0 * best / len(scores), threshold)


def score(
    questions: Sequence[Question],
    predictions: Mapping[str, str],
    odds: Mapping[str, float] | None = None,
    threshold: float = OFFICIAL,
) -> dict[str, float]:
    """What the official script prints.

    A question without a prediction, with which that script fails, scores 0 and is named on stderr.

    Args:
      questions: only ``id`` and the texts of ``answers`` are read.
      predictions: answer text of each question id.
      odds: null odds of each question id, or None.
      threshold: an answer of greater odds counts as empty.

    Raises:
      UserError: no questions, or a question without odds where there are some.
    """
    exact, f1 = {}, {}
    for question, scores in zip(
        questions, metrics.each(questions, predictions, metrics.SQUAD2, ''), strict=True
    ):
        exact[question.id], f1[question.id] = scores
    kinds = {'': list(exact)}
    kinds['HasAns_'] = [question.id for question in questions if question.answers]
    kinds['NoAns_'] = [question.id for question in questions if not question.answers]
    empty = dict.fromkeys(kinds['NoAns_'], 1.0)
    beyond = [id_ for id_ in exact if _odds(odds, id_) > threshold]
    thresholded = [raw | {id_: empty.get(id_, 0.0) for id_ in beyond} for raw in (exact, f1)]
    printed = {}
    for kind, ids in kinds.items():
        if ids:
            printed |= {
                f'{kind}{name}': 100.0 * metrics.summed(of[id_] for id_ in ids) / len(ids)
                for name, of in zip(('exact', 'f1'), thresholded, strict=True)
            } | {f'{kind}total': len(ids)}
    if odds is not None:
        for name, raw in (('exact', exact), ('f1', f1)):
            best = best_threshold(raw, questions, predictions, odds)
            printed |= {f'best_{name}': best.score, f'best_{name}_thresh': best.threshold}
    return printed


def _odds(odds: Mapping[str, float] | None, id_: str) -> float:
    if odds is None:
        return 0.0
    if id_ not in odds:
        raise UserError(f'question {id_!r}: no null odds are given')
    return odds[id_]
