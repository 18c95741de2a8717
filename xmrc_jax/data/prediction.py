"""Windows -> batches to answer: about equally long windows together, in few shapes."""

from typing import NamedTuple

import numpy as np

from xmrc_jax.data.batches import ALL, of_windows
from xmrc_jax.data.rows import up
from xmrc_jax.data.windows import Windows

MULTIPLE = 64  # tokens; every L of a batch to predict is one of it


class PredictionBatch(NamedTuple):
    """Windows to answer: the fields of ``Batch`` that need no gold."""

    ids_BL: np.ndarray
    length_B: np.ndarray
    passage_B2: np.ndarray
    edge_BL: np.ndarray
    real_B: np.ndarray
    mark_B2: np.ndarray | None = None
    language_B2: np.ndarray | None = None
    question_B2: np.ndarray | None = None


class Planned(NamedTuple):
    """A batch to predict: which windows (the last fills up), how many of them, their length L."""

    windows_B: np.ndarray
    real: int
    max_tokens: int


def lengths(max_tokens: int) -> range:
    """Every L that a batch of ``by_length`` may have, where no window has more than max_tokens.

    Example:
      >>> list(lengths(150))
      [64, 128, 192]
    """
    return range(MULTIPLE, up(max_tokens, MULTIPLE) + 1, MULTIPLE)


def by_length(windows: Windows, batch_size: int) -> list[Planned]:
    """Batches of about equally long windows, the longest first, in few different shapes.

    Args:
      windows: all are predicted, each once.
      batch_size: rows of every batch; L is the length of the longest, rounded up to ``MULTIPLE``.
    """
    length_W = windows.length_W
    order = np.argsort(-length_W, kind='stable')
    plan = []
    for first in range(0, len(order), batch_size):
        windows_B = order[first : first + batch_size]
        real = len(windows_B)
        longest = int(length_W[windows_B[0]])
        windows_B = np.append(windows_B, np.repeat(windows_B[-1:], batch_size - real))
        plan.append(Planned(windows_B, real, up(longest, MULTIPLE)))
    return plan


def prediction_batch(
    windows: Windows, planned: Planned, rows: slice | np.ndarray = ALL
) -> PredictionBatch:
    """The given rows of a planned batch."""
    windows_B, real, max_tokens = planned
    real_B = (np.arange(len(windows_B)) < real)[rows]
    return PredictionBatch(**of_windows(windows, windows_B[rows], max_tokens), real_B=real_B)
