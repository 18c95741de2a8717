"""A corpus whose passages are asked each other's questions: what a reader scores without reading.

    python -m benchmarks.swapped TEST.json --output swapped.json
    python -m xmrc_jax.evaluate_reader READER --on swapped.json@en --workdir scores

Gold answers stay as they are: a reader that finds them has not looked at the question.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from xmrc_jax.data import squad
from xmrc_jax.ground.commands import command
from xmrc_jax.recipe.probe import swapped


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog='benchmarks.swapped')
    parser.add_argument('corpus', type=Path, help='in SQuAD format')
    parser.add_argument('--output', type=Path, required=True)
    args = parser.parse_args(argv)
    questions = swapped(squad.read(args.corpus).questions)
    squad.write(args.output, questions)
    print(f'written: {args.output}, {len(questions)} questions')


if __name__ == '__main__':
    command(main)
