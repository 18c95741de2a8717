"""Write a trained reader as a Hugging Face folder for PyTorch.

    python -m xmrc_jax.export --checkpoint runs/mlqa/two_stage --output exported

``transformers.AutoModelForQuestionAnswering.from_pretrained('exported')`` loads it, and so does a
configuration here with ``model.weights=exported``, bit by bit.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import jax

from xmrc_jax.data.windows import load_tokenizer
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import reader, weights
from xmrc_jax.model.encoder import EncoderConfig
from xmrc_jax.train import checkpoints, sharding


def export(checkpoint: Path, output: Path) -> None:
    """Write the reader of a checkpoint as a Hugging Face folder.

    Args:
      checkpoint: a trained reader's folder, whose selected checkpoint is taken, or one of the
        folders in its ``checkpoints``.
      output: a new or empty folder.

    Raises:
      UserError: there is no trained reader, or ``output`` cannot be written.
    """
    folder, step = _located(checkpoint.absolute())
    run = next((parent for parent in folder.parents if (parent / 'encoder.json').exists()), None)
    if run is None:
        raise UserError(f'{checkpoint}: not in the working folder of a run (no encoder.json above)')
    cfg = EncoderConfig.of_json(json.loads((run / 'encoder.json').read_text('utf-8')))
    abstract = jax.eval_shape(partial(reader.init, cfg), jax.random.key(0))
    params = checkpoints.load_reader(
        folder / 'checkpoints', step, sharding.placed(abstract, sharding.make_mesh())
    )
    weights.save(output, jax.device_get(params), cfg, load_tokenizer(run / 'tokenizer'))


def _located(checkpoint: Path) -> tuple[Path, int]:
    """The reader's folder and the step of the checkpoint."""
    if checkpoint.parent.name == 'checkpoints' and checkpoint.name.isdigit():
        return checkpoint.parent.parent, int(checkpoint.name)
    selected = checkpoint / 'selected.json'
    if not selected.exists():
        raise UserError(
            f'{checkpoint}: no trained reader; name a folder with selected.json '
            'or one of the folders in its checkpoints'
        )
    return checkpoint, json.loads(selected.read_text())['step']


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; exit status 0, or 2 after one line on stderr that tells what to mend."""
    parser = argparse.ArgumentParser(prog='xmrc_jax.export', description=__doc__.splitlines()[0])
    parser.add_argument('--checkpoint', type=Path, required=True, help="a reader's folder")
    parser.add_argument('--output', type=Path, required=True, help='a new folder')
    args = parser.parse_args(argv)
    try:
        export(args.checkpoint, args.output)
    except UserError as error:
        print(f'xmrc_jax.export: {error}', file=sys.stderr)
        return 2
    print(f'written: {args.output}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
