"""The alignment audit: which gold answers survive the way to tokens and back.

Owns the kinds of misses. Refuses to know how windows are cut, or what becomes of a miss.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np

from xmrc_jax.data.squad import Question
from xmrc_jax.data.windows import Windows

KINDS = ('word_inside_token', 'punctuation_inside_token', 'dropped_at_edge', 'not_in_any_window')
EXAMPLES = 5


def audit(questions: Sequence[Question], windows: Windows) -> dict:
    """Counts the first answers that their token span gives back, and every kind of miss.

    Args:
      questions: those the windows were built from, in that order.
      windows: with the gold spans to check.

    Returns:
      ``golds``, ``exact`` (given back by at least one window) and ``misses``: for every kind its
      ``count`` and the question ids of a few ``examples``. The kinds:

      * ``word_inside_token``: a token reaches over an edge of the answer, into a word: ``Kronberg``
        in ``Kronberger``, ``1876`` in a piece ``1876年``;
      * ``punctuation_inside_token``: the same, but all it adds is punctuation: ``118`` in ``118)``;
      * ``dropped_at_edge``: the answer begins or ends with a character that the tokenizer drops,
        such as U+200B, and the token span is shorter by it;
      * ``not_in_any_window``: longer than the passage part of a window, or cut by every window.
    """
    held_W = np.flatnonzero(windows.gold_W2[:, 0] >= 0)
    said = {}
    for number, chars in zip(
        windows.question_W[held_W].tolist(),
        windows.gold_chars_W2[held_W].tolist(),
        strict=True,
    ):
        said.setdefault(number, set()).add(tuple(chars))

    golds, exact, missed = 0, 0, {kind: [] for kind in KINDS}
    for number, question in enumerate(questions):
        for start, text in question.answers[:1]:
            golds += 1
            gold = (start, start + len(text))
            if gold in said.get(number, ()):
                exact += 1
            else:
                missed[_kind(question.passage, gold, said.get(number))].append(question.id)
    misses = {kind: {'count': len(ids), 'examples': ids[:EXAMPLES]} for kind, ids in missed.items()}
    return {'golds': golds, 'exact': exact, 'misses': misses}


def beyond(windows: Windows, tokens: int) -> int:
    """How many questions have a first answer of more than so many tokens: no reader gives those."""
    size_W = windows.gold_W2[:, 1] - windows.gold_W2[:, 0] + 1
    held_W = windows.gold_W2[:, 0] >= 0
    return len(np.unique(windows.question_W[held_W & (size_W > tokens)]))


def _kind(passage: str, gold: tuple[int, int], said: set | None) -> str:
    if said is None:
        return 'not_in_any_window'
    start, end = min(said)
    added = passage[start : gold[0]] + passage[gold[1] : end]
    if not added:
        return 'dropped_at_edge'
    if all(unicodedata.category(char)[0] in 'PSZ' for char in added):
        return 'punctuation_inside_token'
    return 'word_inside_token'
