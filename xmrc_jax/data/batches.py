"""Windows -> batches of fixed shape to train on; ``prediction`` has those to answer.

Owns padding and masks. Refuses to know devices and meshes, losses, and what
a candidate is.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from xmrc_jax.data.golds import Golds
from xmrc_jax.data.order import Epochs, shares
from xmrc_jax.data.rows import filled, shapes, tokens_of_rows
from xmrc_jax.data.windows import Windows
from xmrc_jax.ground.choices import require
from xmrc_jax.ground.errors import UserError

ALL = slice(None)
Layout = tuple[int, int, int]  # (G, R / G, P), the shape of ``Batch.token_GRP``
WITHOUT_GOLD = ('drop', 'first_token')  # what becomes of windows that do not hold the gold


class Batch(NamedTuple):
    """Windows to train on, numpy on the host and ``jax.Array`` on the devices.

    B counts the rows that were asked for. What a stage has no use for is None.

    Attributes:
      ids_BL: int32, padded with the tokenizer's padding id.
      length_B: int32 real tokens.
      question_B2, passage_B2: int32 token ranges [lo, hi) without special tokens.
      edge_BL: bool, where a span may begin or end: in the passage and not at a blank piece.
      gold_B2: int32 inclusive.
      repeat_end_BL: int32, the end of the span that starts here and reads like the gold (the gold
        itself among them), else -1.
      group_B: int32, equal where the question is the same.
      real_B: bool, False at rows that fill the batch up.
      candidates_BK2, candidate_BK: int32 and bool, the candidates where they were given.
      teacher_BLY2: float16 log probability of the start and of the end, as Y teachers have it.
      mark_B2: int32 inclusive, the span that is marked for a second pass; (-1, -1) for none.
      language_B2: int32 language ids of question and passage.
      token_GRP: int32, where a layout was asked for: which windows of a group share a row. For each
        of the P places of its rows the index, among the B / G x L tokens of the group's padded
        windows, of the token that lies there; B / G x L where none does.
    """

    ids_BL: np.ndarray
    length_B: np.ndarray
    question_B2: np.ndarray
    passage_B2: np.ndarray
    edge_BL: np.ndarray
    gold_B2: np.ndarray
    repeat_end_BL: np.ndarray
    group_B: np.ndarray
    real_B: np.ndarray
    candidates_BK2: np.ndarray | None
    candidate_BK: np.ndarray | None
    teacher_BLY2: np.ndarray | None
    mark_B2: np.ndarray | None
    language_B2: np.ndarray | None
    token_GRP: np.ndarray | None


class Batches:
    """Global training batches; the one of a step is a pure function of (seed, step).

    Every epoch draws as many windows as there are, in an order of its own. Its last batch is filled
    up with rows that ``real_B`` masks, so that all processes take equally many steps.

    With temperature 1 an epoch is a permutation of all windows. With another, a language of n
    windows has a share of the epoch's draws proportional to n ** (1 / temperature): its windows
    are drawn one permutation after the other, from epoch to epoch, so that none is drawn again
    before all others of its language were. Where the share is less than n an epoch does not see
    them all, where it is more some twice.

    Args:
      windows: what to draw from.
      batch_size: rows of the global batch.
      max_tokens: L, the same for every batch; at least the longest window.
      seed: of the order.
      group_Q: a number for every question; default: no two questions are the same.
      language_Q: a number from 0 for the language of every question; default: one language.
      temperature: of the sampling of languages, above 0; infinity draws all equally often.
      example_Q: a number for every question, of which an epoch takes one with each number, see
        ``order.one_of_each``; default: it takes all.
      golds: the same windows, cut for other gold answers of their questions, see ``golds``; each
        window is trained on its golds by turn.
      candidates: (spans_WK2, valid_WK), in the order of the windows, then of those of each of
        ``golds``.
      targets: what teachers say of each window, float16 [tokens, Y, 2].
      without_gold: 'drop' leaves out the windows that do not hold the gold; 'first_token' trains
        them on span (0, 0), as the common run_qa scripts do.

    Raises:
      UserError: no window is left to train on, one is longer than max_tokens, or an impossible
        temperature.
    """

    def __init__(
        self,
        windows: Windows,
        *,
        batch_size: int,
        max_tokens: int,
        seed: int,
        group_Q: np.ndarray | None = None,
        language_Q: np.ndarray | None = None,
        temperature: float = 1.0,
        example_Q: np.ndarray | None = None,
        golds: Sequence[Windows] = (),
        candidates: tuple[np.ndarray, np.ndarray] | None = None,
        targets: Sequence[np.ndarray] | None = None,
        without_gold: str = 'drop',
    ):
        require(WITHOUT_GOLD, without_gold, 'data.without_gold')
        self._golds = Golds([windows, *golds], seed)
        self._used = np.flatnonzero(self._golds.held_W | (without_gold == 'first_token'))
        if not temperature > 0:
            raise UserError(f'data.sampling_temperature: above 0, not {temperature}')
        if not len(self._used):
            raise UserError(
                f'no window to train on: none of {len(windows)} holds its answer whole; '
                'check the answers, or raise max_tokens'
            )
        if windows.length_W.max() > max_tokens:
            raise UserError(
                f'max_tokens={max_tokens} is less than the longest window, '
                f'{windows.length_W.max()} tokens; cut windows and batches with the same value'
            )
        self._windows, self._candidates, self._targets = windows, candidates, targets
        self._group_Q = np.arange(windows.question_W.max() + 1) if group_Q is None else group_Q
        self.batch_size, self.max_tokens = batch_size, max_tokens
        language_W = np.zeros(len(windows), int)
        if language_Q is not None and temperature != 1:  # with 1 there is nothing to balance
            language_W = language_Q[windows.question_W]
        of_languages = [
            self._used[language_W[self._used] == language]
            for language in np.unique(language_W[self._used])
        ]
        sizes = [len(own) for own in of_languages]
        self.draws = shares(sizes, 1 / temperature)
        self._epochs = Epochs(
            of_languages, self.draws, seed, batch_size, example_Q, windows.question_W
        )
        repeats_C = self._golds.repeats_C3[:, 0]
        self._repeats = np.searchsorted(repeats_C, np.arange(len(windows) + 1))

    def steps(self, epochs: float) -> int:
        """Updates of so many epochs; at least one."""
        return self._epochs.steps(epochs)

    def windows_at(self, step: int) -> np.ndarray:
        """The windows in the global batch of a step, without those that fill it up."""
        return self._epochs.windows_at(step)

    def lengths_at(self, step: int) -> np.ndarray:
        """Their real tokens."""
        return self._windows.length_W[self.windows_at(step)]

    def questions_at(self, step: int) -> np.ndarray:
        """The questions they belong to."""
        return self._windows.question_W[self.windows_at(step)]

    def layouts(self, steps: int, groups: int) -> list[Layout]:
        """How the windows of every step of a stage share rows, in few ways; see ``rows.shapes``.

        Args:
          steps: of the whole stage.
          groups: G, of B / G windows each, of which none shares a row with one of another.
        """
        windows_SB = np.stack([self._filled_up(step) for step in range(steps)])
        length_SGB = self._windows.length_W[windows_SB].reshape(steps, groups, -1)
        return [(groups, *shape) for shape in shapes(length_SGB, self.max_tokens)]

    def _filled_up(self, step: int) -> np.ndarray:
        """The windows of a step, its first once more where it has fewer than others."""
        windows_B = self.windows_at(step)
        return np.append(windows_B, np.repeat(windows_B[:1], self.batch_size - len(windows_B)))

    def batch_at(
        self, step: int, rows: slice | np.ndarray = ALL, layout: Layout | None = None
    ) -> Batch:
        """The given rows of the global batch of a step; no other rows are built.

        Args:
          step: number of the batch, from 0.
          rows: in whole groups, where there are groups.
          layout: the step's of ``layouts``; the rows stay as and where they are. None: no
            ``token_GRP``.
        """
        real, windows_B = len(self.windows_at(step)), self._filled_up(step)
        token_GRP = self._token_rows(windows_B, rows, layout) if layout else None
        windows_B = windows_B[rows]
        group_B = self._group_Q[self._windows.question_W[windows_B]]
        turn_B = self._golds.at(self._epochs.at(step), windows_B)
        gold_B2 = np.maximum(self._golds.gold_W2[turn_B], 0)
        candidates_BK2 = candidate_BK = None
        if self._candidates is not None:
            spans_WK2, valid_WK = self._candidates
            candidates_BK2 = spans_WK2[turn_B].astype(np.int32)
            candidate_BK = valid_WK[turn_B].astype(bool)
        return Batch(
            **of_windows(self._windows, windows_B, self.max_tokens),
            gold_B2=gold_B2,
            repeat_end_BL=self._repeat_ends(windows_B, gold_B2),
            group_B=group_B.astype(np.int32),
            real_B=(np.arange(self.batch_size) < real)[rows],
            candidates_BK2=candidates_BK2,
            candidate_BK=candidate_BK,
            teacher_BLY2=self._teacher(windows_B),
            token_GRP=token_GRP,
        )

    def _repeat_ends(self, windows_B: np.ndarray, gold_B2: np.ndarray) -> np.ndarray:
        """``repeat_end_BL``; the gold wins where a repeat starts alike."""
        repeat_end_BL = np.full((len(windows_B), self.max_tokens), -1, np.int32)
        for row, window in enumerate(windows_B):
            repeats = self._golds.repeats_C3[self._repeats[window] : self._repeats[window + 1]]
            repeat_end_BL[row, repeats[:, 1]] = repeats[:, 2]
        repeat_end_BL[np.arange(len(gold_B2)), gold_B2[:, 0]] = gold_B2[:, 1]
        return repeat_end_BL

    def _teacher(self, windows_B: np.ndarray) -> np.ndarray | None:
        """``teacher_BLY2``; 0 at padding."""
        if self._targets is None:
            return None
        teachers = self._targets[int(windows_B[0])].shape[1]
        teacher_BLY2 = np.zeros((len(windows_B), self.max_tokens, teachers, 2), np.float16)
        for row, window in enumerate(windows_B):
            said = self._targets[int(window)]
            teacher_BLY2[row, : len(said)] = said
        return teacher_BLY2

    def _token_rows(
        self, windows_B: np.ndarray, rows: slice | np.ndarray, layout: Layout
    ) -> np.ndarray:
        """``token_GRP`` of the given rows of a global batch."""
        groups, *shape = layout
        size = self.batch_size // groups
        length_GB = self._windows.length_W[windows_B][rows].reshape(-1, size)
        at_GB2, _ = filled(length_GB, shape[0])
        return tokens_of_rows(at_GB2, length_GB, self.max_tokens, tuple(shape))


def of_windows(
    windows: Windows, windows_B: np.ndarray, max_tokens: int
) -> dict[str, np.ndarray | None]:
    """The fields of a ``Batch`` that say what stands in some windows."""
    ids_BL = np.full((len(windows_B), max_tokens), windows.pad_id, np.int32)
    edge_BL = np.zeros(ids_BL.shape, bool)
    for row, (first, past) in enumerate(windows.bounds_W2[windows_B]):
        ids_BL[row, : past - first] = windows.ids_T[first:past]
        chars_L2 = windows.chars_T2[first:past]
        edge_BL[row, : past - first] = chars_L2[:, 0] < chars_L2[:, 1]
    mark_W2, language_W2 = windows.mark_W2, windows.language_W2
    return {
        'ids_BL': ids_BL,
        'length_B': windows.length_W[windows_B].astype(np.int32),
        'question_B2': windows.question_W2[windows_B],
        'passage_B2': windows.passage_W2[windows_B],
        'edge_BL': edge_BL,
        'mark_B2': None if mark_W2 is None else mark_W2[windows_B],
        'language_B2': None if language_W2 is None else language_W2[windows_B],
    }
