"""Windows that share rows: which of a group's windows lie behind each other, and where.

Rows are filled with whole windows, so that a step computes fewer places than padded windows have.
Each length that rows have is a program to compile, so a stage has few.
"""

import math

import numpy as np

MULTIPLE = 8  # places; every length of rows is one of it, as matrix units like it
PROGRAM = 20, 1 / 200  # one must spare that many steps' tokens, and that share of the stage's


def shapes(length_SGB: np.ndarray, max_tokens: int) -> list[tuple[int, int]]:
    """(R / G, P) of every step of a stage.

    As many rows as the mean length of its windows fills, one more, or one for each window: what
    computes the fewest places. Their lengths weigh padding against programs, see ``row_lengths``.

    Args:
      length_SGB: real tokens of the windows of every step, in groups.
      max_tokens: L, of a padded window.
    """
    S, G, size = length_SGB.shape
    least, share = PROGRAM
    program = max(least, share * S) * length_SGB.sum() / S
    enough, found = max(1, int(size * length_SGB.mean() / max_tokens)), []
    for rows in sorted({enough, min(enough + 1, size), size}, reverse=True):
        _, fullest = filled(length_SGB.reshape(S * G, size), rows)
        length_S = row_lengths(fullest.reshape(S, G).max(axis=1), program / (G * rows))
        found.append([(rows, length) for length in length_S.tolist()])
    return min(found, key=lambda each: sum(map(math.prod, each)))


def row_lengths(fullest_S: np.ndarray, program: float) -> np.ndarray:
    """The length of the rows of every step: a few multiples of 8, chosen at the least cost.

    The cost is the sum of the lengths, and what a program is worth for each that is another.

    Args:
      fullest_S: tokens of each step's fullest row.
      program: places of a row.

    >>> row_lengths(np.array([7, 20, 16, 23]), program=10).tolist()
    [8, 24, 24, 24]
    """
    rounded_S = -(-fullest_S // MULTIPLE) * MULTIPLE
    length_V, value_S, count_V = np.unique(rounded_S, return_inverse=True, return_counts=True)
    below = np.append(0, np.cumsum(count_V))
    least, first = [0.0], []  # of the steps up to each length: the cost; where its class begins
    for value, length in enumerate(length_V):
        costs = least + length * (below[value + 1] - below[: value + 1]) + program
        first.append(int(costs.argmin()))
        least.append(costs.min())
    chosen_V, value = np.empty_like(length_V), len(length_V)
    while value:
        begin = first[value - 1]
        chosen_V[begin:value] = length_V[value - 1]
        value = begin
    return chosen_V[value_S]


def filled(length_GB: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole windows into the rows of their group.

    Longest first, each into the emptiest row: rows become about equally full.

    Returns:
      at_GB2, (row, first place) of each; tokens of each group's fullest row.
    """
    at_GB2, filled_GR = np.zeros((*length_GB.shape, 2), int), np.zeros((len(length_GB), rows), int)
    group_G = np.arange(len(length_GB))
    for window_G in np.argsort(-length_GB, axis=1, kind='stable').T:
        row_G = filled_GR.argmin(axis=1)
        at_GB2[group_G, window_G, 0] = row_G
        at_GB2[group_G, window_G, 1] = filled_GR[group_G, row_G]
        filled_GR[group_G, row_G] += length_GB[group_G, window_G]
    return at_GB2, filled_GR.max(axis=1)


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
