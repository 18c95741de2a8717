"""Whole-phrase masking: batches of windows in which phrases are masked, to be guessed.

After LAKM (Yuan et al. 2020): phrases are masked whole. Of BERT (Devlin et al. 2019) are the share
of 15 % and that of the masked 80 % are replaced by the mask, 10 % by random tokens and 10 % stay;
that a phrase shares one of these fates as a whole is this project's reading.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from xmrc_jax.data.batches import ALL, Batch, Batches, Layout
from xmrc_jax.data.windows import Windows

MASKED, RANDOM = 0.8, 0.1  # shares of the chosen phrases; the rest stays as it is


class MaskedBatch(NamedTuple):
    """Windows with masked phrases; the fields that ``Batch`` has too mean the same.

    Attributes:
      masked_BZ: int32 places of the tokens to be guessed; -1 fills up.
      target_BZ: int32 the ids that were there; 0 fills up.
    """

    ids_BL: np.ndarray
    length_B: np.ndarray
    passage_B2: np.ndarray
    real_B: np.ndarray
    masked_BZ: np.ndarray
    target_BZ: np.ndarray
    language_B2: np.ndarray | None
    token_GRP: np.ndarray | None


class Masking:
    """Batches of masked windows, which are a pure function of (seed, step) as ``Batches`` are.

    Windows that are not ``maskable`` are left out: they would teach nothing, and thin the others'
    loss.

    Args:
      windows: of texts, a question each.
      chars: of each question the [start, end) characters of its phrases.
      share: of the passage's tokens that are chosen, as near as whole phrases come to it.
      mask_id: token id of the mask.
      batch_size, max_tokens, seed: as of ``Batches``.
    """

    def __init__(
        self,
        windows: Windows,
        chars: Sequence[np.ndarray],
        *,
        share: float,
        mask_id: int,
        batch_size: int,
        max_tokens: int,
        seed: int,
    ):
        shape = {'batch_size': batch_size, 'max_tokens': max_tokens, 'seed': seed}
        maskable_W1 = maskable(windows, chars, share, max_tokens)[:, None]
        drawn = replace(windows, gold_W2=np.where(maskable_W1, 0, -1).repeat(2, axis=1))
        self._batches = Batches(drawn, **shape)  # without those that lack a gold
        self._windows, self._chars, self._seed = windows, chars, seed
        self._share, self._mask_id, self._most = share, mask_id, most(share, max_tokens)
        self._words = np.unique(windows.ids_T[windows.chars_T2[:, 0] >= 0])
        self.steps, self.lengths_at = self._batches.steps, self._batches.lengths_at
        self.questions_at, self.layouts = self._batches.questions_at, self._batches.layouts

    def batch_at(
        self, step: int, rows: slice | np.ndarray = ALL, layout: Layout | None = None
    ) -> MaskedBatch:
        """The given rows of the global batch of a step, see ``Batches.batch_at``."""
        batch: Batch = self._batches.batch_at(step, rows, layout)
        windows_B = self._batches.windows_at(step)
        number_B = np.arange(self._batches.batch_size)[rows]
        masked_BZ = np.full((len(number_B), self._most), -1, np.int32)
        target_BZ = np.zeros_like(masked_BZ)
        for row, number in enumerate(number_B.tolist()):
            if number < len(windows_B):
                random = np.random.default_rng([self._seed, step, number])
                places = self._mask(windows_B[number], batch.ids_BL[row], target_BZ[row], random)
                masked_BZ[row, : len(places)] = places
        kept = (batch.length_B, batch.passage_B2, batch.real_B)
        masked = masked_BZ, target_BZ, batch.language_B2, batch.token_GRP
        return MaskedBatch(batch.ids_BL, *kept, *masked)

    def _mask(
        self, window: int, ids_L: np.ndarray, target_Z: np.ndarray, random: np.random.Generator
    ) -> np.ndarray:
        """Masks phrases of a window in place; returns the places of their tokens."""
        lo, hi = self._windows.passage_W2[window]
        spans_K2 = self._windows.locate(window, self._chars[self._windows.question_W[window]])
        places: list[int] = []
        for start, end in chosen(spans_K2, self._share * (hi - lo), self._most, random):
            own = slice(start, end + 1)
            target_Z[len(places) : len(places) + end + 1 - start] = ids_L[own]
            places += range(start, end + 1)
            fate = random.random()
            if fate < MASKED:
                ids_L[own] = self._mask_id
            elif fate < MASKED + RANDOM:
                ids_L[own] = random.choice(self._words, end + 1 - start)
        return np.array(places, np.int32)


def most(share: float, max_tokens: int) -> int:
    """Tokens of a window that are chosen at most."""
    return int(share * max_tokens) + 1


def maskable(
    windows: Windows, chars: Sequence[np.ndarray], share: float, max_tokens: int
) -> np.ndarray:
    """Windows of which some phrase is ``chosen``, whatever the draw: bool [W].

    The arguments are those of ``Masking``.
    """
    size_W = np.diff(windows.passage_W2)[:, 0]
    limit, random, found = most(share, max_tokens), np.random.default_rng(0), []
    for window, (question, size) in enumerate(zip(windows.question_W, size_W, strict=True)):
        spans_K2 = windows.locate(window, chars[question])
        found.append(bool(chosen(spans_K2, share * size, limit, random)))
    return np.array(found)


def chosen(
    spans_K2: np.ndarray, budget: float, most: int, random: np.random.Generator
) -> list[tuple[int, int]]:
    """Whole phrases in random order whose tokens come as near to a budget as they do in turn.

    Args:
      spans_K2: inclusive token spans; (-1, -1) where a window does not hold one.
      budget: tokens to be chosen.
      most: tokens at most.
      random: of the order.
    """
    taken, tokens = [], 0
    seen = np.zeros(int(spans_K2.max(initial=0)) + 1, bool)
    for start, end in random.permutation(spans_K2[spans_K2[:, 0] >= 0]).tolist():
        size = end + 1 - start
        if seen[start : end + 1].any() or tokens + size > most:
            continue
        if abs(tokens + size - budget) < abs(tokens - budget):
            taken.append((start, end))
            seen[start : end + 1] = True
            tokens += size
    return taken
