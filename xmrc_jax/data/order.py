"""The order in which a stage sees its windows: a pure function of seed and epoch."""

import itertools
import math
from functools import lru_cache

import numpy as np


class Epochs:
    """The windows of every epoch in their order, cut into steps.

    Args:
      of_languages: the windows of each language.
      draws: how often an epoch draws from each.
      seed: of all orders.
      batch_size: windows of a step; the last of an epoch may have fewer.
      example_Q: a number for every question; of the questions with the same one an epoch takes one.
        None: it takes all.
      question_W: the question of every window.
    """

    def __init__(
        self,
        of_languages: list[np.ndarray],
        draws: list[int],
        seed: int,
        batch_size: int,
        example_Q: np.ndarray | None,
        question_W: np.ndarray,
    ):
        self._of_languages, self._draws, self._seed = of_languages, draws, seed
        self._batch_size, self._example_Q, self._question_W = batch_size, example_Q, question_W
        self._first_steps = [0]  # of each epoch
        self.order = lru_cache(maxsize=2)(self._order)  # batches are made ahead

    def _order(self, epoch: int) -> np.ndarray:
        """The windows of an epoch."""
        order = drawn(self._of_languages, self._draws, self._seed, epoch)
        if self._example_Q is None:
            return order
        return order[one_of_each(self._example_Q, self._seed, epoch)[self._question_W[order]]]

    def _first_step(self, epoch: int) -> int:
        while len(self._first_steps) <= epoch:
            windows = sum(self._draws)
            if self._example_Q is not None:
                windows = len(self.order(len(self._first_steps) - 1))
            self._first_steps.append(self._first_steps[-1] - (-windows // self._batch_size))
        return self._first_steps[epoch]

    def at(self, step: int) -> int:
        """The epoch of a step."""
        return next(epoch for epoch in itertools.count() if step < self._first_step(epoch + 1))

    def windows_at(self, step: int) -> np.ndarray:
        """The windows of a step."""
        epoch = self.at(step)
        number = step - self._first_step(epoch)
        return self.order(epoch)[number * self._batch_size :][: self._batch_size]

    def steps(self, epochs: float) -> int:
        """Those of so many epochs; at least one."""
        whole = int(epochs)
        first, past = self._first_step(whole), self._first_step(whole + 1)
        return max(1, first + math.ceil((epochs - whole) * (past - first)))


def one_of_each(example_Q: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """Which questions an epoch takes, bool [Q]: one of every example.

    In as many epochs as an example has questions each is taken once.

    >>> example_Q = np.array([0, 0, 1, 0])
    >>> taken = [one_of_each(example_Q, seed=3, epoch=epoch) for epoch in range(3)]
    >>> np.sum(taken, axis=0).tolist(), np.sum(taken, axis=1).tolist()
    ([1, 1, 3, 1], [2, 2, 2])
    """
    _, example_Q, size = np.unique(example_Q, return_inverse=True, return_counts=True)
    first, size_Q = np.cumsum(size) - size, size[example_Q]
    taken_Q = np.zeros(len(example_Q), bool)
    for number in np.unique(epoch // size):  # how often the example was gone through
        key_Q = np.random.default_rng([seed, number, 0, 1]).random(len(example_Q))
        rank_Q = np.empty(len(example_Q), int)
        rank_Q[np.lexsort((key_Q, example_Q))] = np.arange(len(example_Q))
        turn_Q = rank_Q - first[example_Q] == epoch % size_Q
        taken_Q |= turn_Q & (epoch // size_Q == number)
    return taken_Q


def drawn(of_languages: list[np.ndarray], draws: list[int], seed: int, epoch: int) -> np.ndarray:
    """The windows of an epoch in their order, the same in every process.

    Each language's windows are drawn one permutation after the other, from epoch to epoch.

    Args:
      of_languages: the windows of each language.
      draws: how often an epoch draws from each.
      seed: of all permutations.
      epoch: its number, from 0.
    """
    languages = np.repeat(np.arange(len(draws)), draws)
    if len(draws) > 1:
        languages = np.random.default_rng([seed, epoch]).permutation(languages)
    order = np.empty_like(languages)
    for language, (own, count) in enumerate(zip(of_languages, draws, strict=True)):
        first = epoch * count
        passes = range(first // len(own), -(-(first + count) // len(own)))
        stream = [
            np.random.default_rng([seed, number, language]).permutation(own) for number in passes
        ]
        skipped = first % len(own)
        order[languages == language] = np.concatenate(stream or [own])[skipped:][:count]
    return order


def shares(sizes: list[int], power: float) -> list[int]:
    """The sum of sizes, shared out in proportion to size ** power by largest remainders.

    >>> shares([90, 10], 1.0), shares([90, 10], 0.5), shares([90, 10], 0.0)
    ([90, 10], [75, 25], [50, 50])
    """
    weight = (np.array(sizes) / max(sizes)) ** power
    exact = sum(sizes) * weight / weight.sum()
    shares = np.floor(exact).astype(int)
    short = sum(sizes) - shares.sum()
    shares[np.argsort(shares - exact, kind='stable')[:short]] += 1
    return shares.tolist()
