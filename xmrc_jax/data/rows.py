"""Windows that share rows: which of a group's windows lie behind each other, and where.

Rows are filled with whole windows, so that a step computes fewer places than padded windows have.
"""

import math
from heapq import heapreplace

import numpy as np

EIGHTHS = 8  # P comes in such parts of L: about four different values in a run


def shared_rows(
    length_GB: np.ndarray, max_tokens: int, mean_length: float
) -> tuple[np.ndarray, tuple[int, int]]:
    """(row, first place) of every window, and (R / G, P).

    As many rows as the mean length of the run's windows fills, or one for each window where that
    computes fewer places.

    Args:
      length_GB: real tokens of the windows of each group.
      max_tokens: L, of a padded window.
      mean_length: of the run's windows.
    """
    size = length_GB.shape[1]
    step = up(max_tokens / EIGHTHS, 8)  # matrix units like multiples of 8
    found = []
    for rows in (size, max(1, int(size * mean_length / max_tokens))):
        at_GB2, fullest = _filled(length_GB, rows)
        found.append((at_GB2, (rows, up(fullest, step))))
    return min(found, key=lambda each: math.prod(each[1]))


def _filled(length_GB: np.ndarray, rows: int) -> tuple[np.ndarray, int]:
    """Whole windows into the rows of their group: (row, first place) of each; the fullest's tokens.

    Longest first, each into the emptiest row: rows become about equally full.
    """
    at_GB2, fullest = np.zeros((*length_GB.shape, 2), np.int32), 0
    for at_B2, length_B in zip(at_GB2, length_GB.tolist(), strict=True):
        filled = [(0, row) for row in range(rows)]  # a heap
        for window in sorted(range(len(length_B)), key=lambda b: -length_B[b]):
            place, row = filled[0]
            at_B2[window] = row, place
            fullest = max(fullest, place + length_B[window])
            heapreplace(filled, (place + length_B[window], row))
    return at_GB2, fullest


def tokens_of_rows(
    at_GB2: np.ndarray, length_GB: np.ndarray, max_tokens: int, shape: tuple[int, int]
) -> np.ndarray:
    """``token_GRP`` of windows that lie there; ``shape`` is (R / G, P)."""
    G, size = length_GB.shape
    token_GRP = np.full((G, *shape), size * max_tokens, np.int32)
    token_BL = np.arange(size * max_tokens, dtype=np.int32).reshape(size, max_tokens)
    for token_RP, *windows_B in zip(token_GRP, at_GB2.tolist(), length_GB.tolist(), strict=True):
        for token_L, (row, place), length in zip(token_BL, *windows_B, strict=True):
            token_RP[row, place : place + length] = token_L[:length]
    return token_GRP


def up(size: float, multiple: int) -> int:
    """The size, rounded up to a multiple."""
    return math.ceil(size / multiple) * multiple
