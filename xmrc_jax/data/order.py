"""The order in which a stage sees its windows: a pure function of seed and epoch."""

import numpy as np


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
