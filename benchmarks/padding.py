"""How many programs a stage has and how much of its rows is padding, by its length.

    python -m benchmarks.padding

for windows as long as SQuAD's on one device: with the lengths of rows that a stage chooses, with
one length, and with every multiple of 8 that occurs. Nothing is compiled.
"""

import numpy as np

from benchmarks.training import LENGTHS, MAX_TOKENS
from xmrc_jax.data.rows import MULTIPLE, filled, shapes, up
from xmrc_jax.reporting.tables import pipes

BATCHES, STEPS = (8, 16, 32), (30, 300, 3000, 20_000)
HEADER = ('windows', 'steps', 'programs', 'padding', 'one program', 'every length', 'padding')


def row(batch: int, steps: int) -> list[str]:
    """Of a stage of so many steps of so many windows."""
    draws = np.random.default_rng(0).random((steps, 1, batch))
    length_SGB = np.interp(draws, np.linspace(0, 1, len(LENGTHS)), LENGTHS).astype(int)
    chosen = shapes(length_SGB, MAX_TOKENS)
    (rows,) = {rows for rows, _ in chosen}
    _, fullest_S = filled(length_SGB[:, 0], rows)
    every = [up(tokens, MULTIPLE) for tokens in fullest_S.tolist()]

    def padding(lengths: list[int]) -> str:
        return f'{1 - length_SGB.sum() / (rows * sum(lengths)):.1%}'

    own = [length for _, length in chosen]
    longest = padding(steps * [max(every)])
    programs = len(set(own)), len(set(every))
    cells = (batch, f'{steps:,}', programs[0], padding(own), longest, programs[1], padding(every))
    return [*map(str, cells)]


def main() -> None:
    print(pipes(HEADER, [row(batch, steps) for batch in BATCHES for steps in STEPS]))


if __name__ == '__main__':
    main()
