"""Phrase boundary recovery: windows in which a phrase is marked, but not quite, and is the gold.

After CalibreNet (Liang et al. 2021), which moves the boundaries of phrases in plain text and learns
to restore them; by how much, and how often not at all, is this project's own.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xmrc_jax.data.phrases import Phrased
from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.data.windows import Windows

PROMPT = '?'  # the question behind which a text is read that nobody asked anything of


def asked(texts: Sequence[Phrased], each: int, seed: int) -> list[Question]:
    """A question for some phrases of every text, at most so many, drawn with the seed."""
    random = np.random.default_rng(seed)
    return [
        question(f'text {number} phrase {chosen}', text, chosen)
        for number, text in enumerate(texts)
        for chosen in sorted(random.permutation(len(text.spans))[:each].tolist())
    ]


def question(id_: str, phrased: Phrased, phrase: int) -> Question:
    """A question that nobody asked; a phrase of the text, by its number, is the answer."""
    text, language, spans = phrased
    start, end = spans[phrase]
    return Question(id_, PROMPT, text, (Answer(start, text[start:end]),), '', language, language)


def moved(windows: Windows, farthest: int, unmoved: float, seed: int) -> Windows:
    """The same windows, each with its gold span marked after its boundaries were moved.

    Each boundary moves by up to ``farthest`` tokens in either direction, within the passage, so
    that one token at least is left; a share ``unmoved`` of the spans stays, so that a right answer
    is learnt to be left alone. Windows without the gold have no mark.
    """
    random, gold_W2 = np.random.default_rng(seed), windows.gold_W2
    farthest = min(farthest, int(windows.length_W.max()))
    by_W2 = random.integers(-farthest, farthest + 1, gold_W2.shape)
    by_W2[random.random(len(gold_W2)) < unmoved] = 0
    lo_W, hi_W = windows.passage_W2.T
    mark_W2 = np.clip(gold_W2 + by_W2, lo_W[:, None], hi_W[:, None] - 1)
    mark_W2[:, 1] = np.maximum(mark_W2[:, 1], mark_W2[:, 0])
    held_W1 = gold_W2[:, :1] >= 0
    return replace(windows, mark_W2=np.where(held_W1, mark_W2, -1).astype(np.int32))
