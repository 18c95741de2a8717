"""Which gold answer a window is trained on, where its question has several: each in its turn."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xmrc_jax.data.squad import Question
from xmrc_jax.data.windows import Windows


def in_turn(questions: Sequence[Question]) -> list[tuple[Question, ...]]:
    """The questions once for each distinct answer that one of them has at most.

    In every turn another answer of a question comes first; one that has fewer than another begins
    anew.

    Example:
      >>> from xmrc_jax.data.squad import Answer
      >>> one = Question('1', 'When?', 'In 1876.', (Answer(3, '1876'), Answer(0, 'In 1876')))
      >>> [turn[0].answers[0].text for turn in in_turn([one])]
      ['1876', 'In 1876']
    """
    answers = [tuple(dict.fromkeys(question.answers)) for question in questions]
    turns = max((len(own) for own in answers), default=0)
    return [
        tuple(
            replace(question, answers=own[turn % len(own) :] + own[: turn % len(own)])
            if own
            else question
            for question, own in zip(questions, answers, strict=True)
        )
        for turn in range(max(1, turns))
    ]


class Golds:
    """The gold spans of windows, by turn: a pure function of (seed, epoch, window).

    A window's spans are those of the turns whose answer it holds whole, each once. They come one
    after the other from epoch to epoch, beginning anywhere.

    Args:
      turns: the windows of ``in_turn``'s questions, which differ in their golds alone.
      seed: of where each window begins.

    Attributes:
      gold_W2: of all turns, end to end; see ``Windows``.
      held_W: bool, whether a window holds any.
      repeats_C3: places that read like one of the golds; see ``Windows``.
    """

    def __init__(self, turns: Sequence[Windows], seed: int):
        gold_YW2 = np.stack([windows.gold_W2 for windows in turns])
        self._windows = gold_YW2.shape[1]
        self.gold_W2 = gold_YW2.reshape(-1, 2)
        new_YW = gold_YW2[..., 0] >= 0
        for turn in range(1, len(turns)):
            again_YW = (gold_YW2[:turn] == gold_YW2[turn]).all(axis=-1)
            new_YW[turn] &= ~again_YW.any(axis=0)
        self.held_W = new_YW.any(axis=0)
        self._order_YW = np.argsort(~new_YW, axis=0, kind='stable')
        self._count_W = np.maximum(new_YW.sum(axis=0), 1)
        self._begin_W = np.random.default_rng(seed).integers(len(turns), size=self._windows)
        repeats_C3 = [windows.repeats_C3 for windows in turns]
        self.repeats_C3 = (
            np.unique(np.concatenate(repeats_C3), axis=0) if len(turns) > 1 else repeats_C3[0]
        )

    def at(self, epoch: int, windows_B: np.ndarray) -> np.ndarray:
        """Where on axis W of all turns the windows stand in an epoch."""
        turn_B = (self._begin_W[windows_B] + epoch) % self._count_W[windows_B]
        return self._order_YW[turn_B, windows_B] * self._windows + windows_B
