"""Write a trained reader as a Hugging Face folder for PyTorch.

    python -m xmrc_jax.export --checkpoint runs/mlqa/two_stage --output exported

``transformers.AutoModelForQuestionAnswering.from_pretrained('exported')`` loads it, and so does a
configuration here with ``model.weights=exported``, bit by bit.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from xmrc_jax.ground.commands import command


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog='xmrc export', description=__doc__.splitlines()[0])
    parser.add_argument('--checkpoint', type=Path, required=True, help="a reader's folder")
    parser.add_argument('--output', type=Path, required=True, help='a new folder')
    args = parser.parse_args(argv)

    from xmrc_jax.model import weights  # after the arguments: importing JAX takes seconds
    from xmrc_jax.recipe import trained

    reader = trained.load(args.checkpoint)
    reader.tokenizer.model_max_length = reader.asking.size.max_tokens  # so that others truncate
    weights.save(args.output, reader.params, reader.encoder, reader.tokenizer, reader.asking)
    print(f'written: {args.output}')


if __name__ == '__main__':
    command(main)
