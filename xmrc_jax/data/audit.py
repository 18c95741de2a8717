"""The alignment audit: which gold answers survive the way to tokens and back, and what limits do.

Owns the kinds of misses and of what a length or the choice of one answer leaves out. Refuses to
know how windows are cut, or what becomes of a miss.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from transformers import PreTrainedTokenizerFast

from xmrc_jax.data.cutting import backend_of
from xmrc_jax.data.squad import Question
from xmrc_jax.data.windows import Windows, WindowSize

KINDS = ('word_inside_token', 'punctuation_inside_token', 'dropped_at_edge', 'not_in_any_window')
EXAMPLES = 5


def audit(
    questions: Sequence[Question],
    windows: Windows,
    tokenizer: PreTrainedTokenizerFast,
    size: WindowSize,
    max_answer_tokens: int,
) -> dict:
    """Counts the first answers that their token span gives back, and every kind of miss.

    Args:
      questions: those the windows were built from, in that order.
      windows: with the gold spans to check.
      tokenizer: of the windows.
      size: of the windows, and of the questions in them.
      max_answer_tokens: of a reader's answers.

    Returns:
      ``golds``, ``exact`` (given back by at least one window), ``misses`` and ``limits``: for every
      kind its ``count`` and the question ids of a few ``examples``. The kinds of misses:

      * ``word_inside_token``: a token reaches over an edge of the answer, into a word: ``Kronberg``
        in ``Kronberger``, ``1876`` in a piece ``1876年``;
      * ``punctuation_inside_token``: the same, but all it adds is punctuation: ``118`` in ``118)``;
      * ``dropped_at_edge``: the answer begins or ends with a character that the tokenizer drops,
        such as U+200B, and the token span is shorter by it;
      * ``not_in_any_window``: longer than the passage part of a window, or cut by every window.

      And those of limits, which may hold for exact answers too:

      * ``long_answer``: held by a window, but of more tokens than a reader's answers have;
      * ``cut_question``: the end of the question is read by nobody;
      * ``several_answers``: of which training uses the first, unless ``data.golds`` is 'all';
      * ``no_answer``: the file says so.
    """
    held_W = np.flatnonzero(windows.gold_W2[:, 0] >= 0)
    golds_W = windows.question_W, windows.gold_chars_W2, windows.gold_W2
    said, spans = defaultdict(set), {}
    for number, chars, span in zip(*(each[held_W].tolist() for each in golds_W), strict=True):
        said[number].add(tuple(chars))
        spans[number] = span
    golds, exact, missed = 0, 0, {kind: [] for kind in KINDS}
    for number, question in enumerate(questions):
        for start, text in question.answers[:1]:
            golds += 1
            gold = (start, start + len(text))
            if gold in said.get(number, ()):
                exact += 1
            else:
                missed[_kind(question.passage, gold, said.get(number))].append(question.id)
    limited = {
        'long_answer': [
            questions[number].id
            for number, (start, end) in spans.items()
            if end - start >= max_answer_tokens
        ],
        'cut_question': _cut(questions, windows, tokenizer, size.max_question_tokens),
        'several_answers': [each.id for each in questions if len(set(each.answers)) > 1],
        'no_answer': [each.id for each in questions if not each.answers],
    }
    return {'golds': golds, 'exact': exact, 'misses': _counted(missed), 'limits': _counted(limited)}


def _counted(listed: dict[str, list[str]]) -> dict[str, dict]:
    return {kind: {'count': len(ids), 'examples': ids[:EXAMPLES]} for kind, ids in listed.items()}


def _cut(questions, windows, tokenizer, most: int) -> list[str]:
    """The questions of more tokens; those whose windows have as many are tokenised once more."""
    full_W = windows.question_W2[:, 1] - windows.question_W2[:, 0] >= most
    full = [questions[number] for number in np.unique(windows.question_W[full_W])]
    texts = [question.text.lstrip() for question in full]
    codes = backend_of(tokenizer).encode_batch(texts, add_special_tokens=False)
    return [each.id for each, code in zip(full, codes, strict=True) if len(code.ids) > most]


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
