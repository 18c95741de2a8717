"""What each piece of training gives, and how a step grows with its sizes.

    python -m benchmarks.pieces
    python -m benchmarks.pieces --encoder minilm --batch 16 --steps 8
    python -m benchmarks.pieces --batch 32 --dtype bfloat16 --steps 40       (on a GPU)

times whole training steps (loss, gradient, AdamW) on one device, on random windows as long as
SQuAD's. The first table takes one piece at a time from the step that has all; the second makes one
size at a time another. Every row is timed against its reference alone, in this process, on the
same batches and in an order that alternates from step to step; ratios are of the same step.
Temporaries are what XLA reserves for the first batch's step, the state is parameters and moments.
"""

import gc
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import jax
import numpy as np
from tqdm import tqdm

from benchmarks import report
from benchmarks.training import LENGTHS, Setting, Trainer
from xmrc_jax.ground.commands import documented
from xmrc_jax.model.architectures import ENCODERS
from xmrc_jax.reporting.tables import pipes

PIECES = {
    'padded': {'packed': False},
    'all rows of the token table': {'compact': False},
    'attention to all heads at once': {'attention': 'plain'},
    'blocks recomputed (remat)': {'remat': True},
    'no dropout of attention': {'attention_dropout': 0.0},
    'no dropout of hidden vectors': {'dropout': 0.0},
    'two-stage head': {'stage': 'two_stage'},
}
HEADER = ('step', 's', 'range', 'ratio', 'range', 'XLA temporaries MB', 'state MB')


def growth(reference: Setting) -> tuple[dict[str, dict], dict[str, dict]]:
    """Other sizes of the base step, and of the two-stage step, by what they are called."""
    vocabulary = reference.config.vocabulary
    most = 15_000 * reference.batch  # fewer than its windows have tokens
    base = {f'windows of at most {size} tokens': {'max_tokens': size} for size in (128, 256)}
    base |= {f'{by * reference.batch} windows': {'batch': by * reference.batch} for by in (2, 4)}
    two_stage = {f'|Z| = {size}': {'candidates': size} for size in (5, 50)}
    two_stage |= {f'|A| = {size}': {'spans': size} for size in (10, 100)}
    two_stage |= {
        f'{rows:,} rows in use': {'used_rows': rows}
        for rows in (vocabulary // 16, min(vocabulary // 4, most))
    }
    return base, two_stage


class Timed:
    """A trainer that has made a step, whose steps are compiled and batches wait on the device."""

    def __init__(self, setting: Setting, steps: int):
        self._trainer = Trainer(setting)
        self._batches = [self._trainer.batch(number) for number in range(steps)]
        compiled = [self._trainer.compile(batch) for batch in self._batches]
        self.temporaries = compiled[0].memory_analysis().temp_size_in_bytes / 1e6
        self.state = self._trainer.megabytes
        self(0)

    def __call__(self, number: int) -> None:
        jax.block_until_ready(self._trainer.update(self._batches[number]))


def table(reference: Setting, changes: dict[str, dict], steps: int) -> Iterator[list[str]]:
    """A row for each change, before them one for the reference as it was timed with the first."""
    whole = Timed(reference, steps)
    for number, (name, change) in enumerate(tqdm(changes.items(), unit=' rows')):
        pair = {'reference': whole, name: Timed(replace(reference, **change), steps)}
        seconds = report.alternated(pair, steps, ' steps')
        for each in [name] if number else pair:
            yield [
                each,
                *report.spread(seconds[each], '.3f'),
                *report.spread(seconds[each] / seconds['reference']),
                f'{pair[each].temporaries:.0f}',
                f'{pair[each].state:.0f}',
            ]
        del pair
        gc.collect()  # one variant at a time in memory


def main(argv: Sequence[str] | None = None) -> None:
    """Prints both tables."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = documented('benchmarks.pieces', __doc__)
    parser.add_argument('--encoder', default='xlmr_base', choices=ENCODERS)
    parser.add_argument('--batch', type=int, default=4, help='windows')
    parser.add_argument('--steps', type=int, default=2)
    parser.add_argument('--dtype', default='float32', choices=('float32', 'bfloat16'))
    args = parser.parse_args(argv)
    base = Setting(encoder=args.encoder, batch=args.batch, dtype=args.dtype)
    two_stage = replace(base, stage='two_stage')
    of_base, of_two_stage = growth(base)
    print(report.head('benchmarks.pieces', argv))
    print(
        f'{args.encoder}, {args.batch} windows of {np.mean(LENGTHS):.0f} tokens, {args.dtype}, '
        f'{args.steps} steps. Reference: packed, rows in use alone, attention chosen by the '
        f'device, dropout {base.dropout}, base objective.\n'
    )
    print(pipes(HEADER, table(base, PIECES, args.steps)))
    print(f'\nOther sizes. Reference: at most {base.max_tokens} tokens, {base.batch} windows.\n')
    print(pipes(HEADER, table(base, of_base, args.steps)))
    print(
        f'\nOther sizes of the two-stage step. Reference: |Z| = {base.candidates}, '
        f"|A| = {base.spans}, SQuAD's share of rows in use.\n"
    )
    print(pipes(HEADER, table(two_stage, of_two_stage, args.steps)), flush=True)


if __name__ == '__main__':
    main()
