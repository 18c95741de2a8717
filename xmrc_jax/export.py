"""Write a trained reader for others: as a Hugging Face folder, or as StableHLO.

    xmrc export --checkpoint runs/mlqa/two_stage --output exported
    xmrc export --checkpoint runs/mlqa --output exported --push-to-hub me/reader
    xmrc export --checkpoint runs/mlqa --output portable --format stablehlo

AutoModelForQuestionAnswering.from_pretrained('exported') of transformers loads
the first, and so does a configuration here with model.weights=exported, bit by
bit. docs/export.md says more.
"""

from collections.abc import Sequence
from pathlib import Path

from xmrc_jax.ground.commands import command, documented
from xmrc_jax.ground.errors import UserError


def main(argv: Sequence[str] | None = None) -> None:
    parser = documented('xmrc export', __doc__)
    parser.add_argument('--checkpoint', required=True, help="a run's folder, or a reader in it")
    parser.add_argument('--output', type=Path, required=True, help='a new folder')
    parser.add_argument(
        '--selection', default='', help='best, last or average; by default the one reported'
    )
    parser.add_argument('--format', choices=('huggingface', 'stablehlo'), default='huggingface')
    parser.add_argument('--push-to-hub', metavar='ID', help='of a model there; made if need be')
    args = parser.parse_args(argv)
    if args.push_to_hub and args.format != 'huggingface':
        raise UserError(f'--push-to-hub {args.push_to_hub}: goes with --format huggingface')

    from xmrc_jax.model import folders, weights  # after the arguments: importing JAX takes seconds
    from xmrc_jax.recipe import card, portable, trained

    if args.push_to_hub:
        folders.hub_token()
    own = trained.load(args.checkpoint, args.selection)
    own.tokenizer.model_max_length = own.asking.size.max_tokens  # so that others truncate
    if args.format == 'stablehlo':
        portable.save(args.output, own)
    else:
        beside = own.tokenizer, own.asking, card.of(own)
        weights.save(args.output, own.params, own.encoder, *beside)
    print(f'written: {args.output}')
    if args.push_to_hub:
        print(f'pushed: {folders.push(args.output, args.push_to_hub)}')


if __name__ == '__main__':
    command(main)
