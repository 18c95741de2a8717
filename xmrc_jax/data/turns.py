"""Batches of two tasks in turn."""

from collections.abc import Sequence

import numpy as np

from xmrc_jax.data.batches import ALL, Batches, Layout
from xmrc_jax.data.masking import Masking


class Turns:
    """Two tasks by turns, each with the batches that it has by itself.

    Of every two steps each task has one, and which comes first alternates (A B B A A B ..), so that
    whoever looks at every tenth step sees both. The first task says how many steps there are.
    Questions of the second are numbered behind those of the first.

    Args:
      first: of the task that is learnt.
      second: of the one that goes with it.
      questions: of the first.
    """

    def __init__(self, first: Batches, second: Masking, questions: int):
        self._tasks: Sequence[Batches | Masking] = (first, second)
        self._questions = questions
        self.batch_size, self.max_tokens = first.batch_size, first.max_tokens

    def _turn(self, step: int) -> int:
        return int(step % 4 in (1, 2))

    def steps(self, epochs: float) -> int:
        """Updates of so many epochs of the first task, with as many of the second."""
        return 2 * self._tasks[0].steps(epochs)

    def layouts(self, steps: int, groups: int) -> list[tuple[int, Layout]]:
        """Which task has its turn at every step, and how the windows of its batch share rows."""
        count = -(-steps // 2)
        of_tasks = [task.layouts(count, groups) for task in self._tasks]
        turns = [(self._turn(step), step // 2) for step in range(steps)]
        return [(turn, of_tasks[turn][number]) for turn, number in turns]

    def batch_at(
        self, step: int, rows: slice | np.ndarray = ALL, layout: tuple[int, Layout] | None = None
    ):
        """The batch of the task whose turn it is."""
        _, own = layout or (None, None)
        return self._tasks[self._turn(step)].batch_at(step // 2, rows, own)

    def lengths_at(self, step: int) -> np.ndarray:
        """Tokens of the windows in the global batch of a step."""
        return self._tasks[self._turn(step)].lengths_at(step // 2)

    def questions_at(self, step: int) -> np.ndarray:
        """The questions they belong to."""
        turn = self._turn(step)
        return self._tasks[turn].questions_at(step // 2) + turn * self._questions
