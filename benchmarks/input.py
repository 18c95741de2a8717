"""What feeds the training step: windows from text, batches from windows, and the step's appetite.

    XMRC_DATA=DIR python -m benchmarks.input
    python -m benchmarks.input --encoder minilm   # without XMRC_DATA, the embedded corpus

times how questions become windows, anew and from the cache, and how windows become packed batches
of the two-stage step; each in one thread, as training has it, beside the steps that they feed.
What an H200 would eat is an estimate: 50 % of its peak, over real tokens alone.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np

from benchmarks import report, text
from benchmarks.training import Setting, Trainer, random_candidates
from xmrc_jax.data.batches import Batches
from xmrc_jax.data.windows import Windows, WindowSize, build
from xmrc_jax.ground.commands import documented
from xmrc_jax.model.architectures import ENCODERS
from xmrc_jax.reporting.tables import pipes
from xmrc_jax.train.chips import CHIPS
from xmrc_jax.train.throughput import train_flops

SIZES = (32, 256)  # windows of a batch
BATCHES = 20  # of a round
UTILISATION = 0.5  # of an H200's peak, assumed


def loader(windows: Windows, batch: int) -> Batches:
    """Training batches with mined sets, as the two-stage step takes them."""
    return Batches(
        windows,
        batch_size=batch,
        max_tokens=WindowSize(384, 128, 64).max_tokens,
        seed=0,
        candidates=random_candidates(windows, Setting().candidates),
    )


def steps(setting: Setting, rounds: int) -> np.ndarray:
    """Seconds of training steps of this setting, on this device."""
    trainer = Trainer(setting)
    batches = [trainer.batch(number) for number in range(rounds)]
    for batch in batches:
        trainer.compile(batch)

    def step(number):
        jax.block_until_ready(trainer.update(batches[number]))

    step(0)
    return report.alternated({'step': step}, rounds, ' steps')['step']


def main(argv: Sequence[str] | None = None) -> None:
    """Prints windows per second, and batches per second beside what steps eat."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = documented('benchmarks.input', __doc__)
    parser.add_argument('--encoder', default='xlmr_base', choices=ENCODERS)
    parser.add_argument('--batch', type=int, default=SIZES[0], help='windows of the timed step')
    parser.add_argument('--steps', type=int, default=2)
    parser.add_argument('--dtype', default='float32', choices=('float32', 'bfloat16'))
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--questions', type=int, default=20_000, help='the first so many')
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        source, questions, tokenizer = text.read(['squad/train'], 'train', Path(folder))
        questions = questions[: args.questions]

        def cut(cache: Path | None) -> Callable[[int], Windows]:
            return lambda _: build(questions, tokenizer, WindowSize(384, 128, 64), cache=cache)

        windows = cut(Path(folder, 'cache'))(0)
        of_text = report.alternated(
            {'tokenised anew': cut(None), 'from the cache': cut(Path(folder, 'cache'))}, args.rounds
        )
        loaders = {size: loader(windows, size) for size in SIZES}
        layouts = {size: each.layouts(args.rounds * BATCHES, 1) for size, each in loaders.items()}

        def take(size: int) -> Callable[[int], None]:
            def run(number):
                for step in range(number * BATCHES, (number + 1) * BATCHES):
                    loaders[size].batch_at(step, layout=layouts[size][step])

            return run

        for size in SIZES:
            take(size)(0)
        of_batches = report.alternated({size: take(size) for size in SIZES}, args.rounds)
        flops = {
            size: np.mean(
                [
                    train_flops(ENCODERS[args.encoder], batches.lengths_at(step))
                    for step in range(batches.steps(1) - 1)
                ]
            )
            for size, batches in loaders.items()
        }
        length = windows.length_W.mean()
    of_steps = steps(
        Setting(encoder=args.encoder, batch=args.batch, dtype=args.dtype, stage='two_stage'),
        args.steps,
    )
    print(report.head('benchmarks.input', argv))
    print(
        f'{len(questions):,} questions, {len(windows):,} windows of {length:.0f} tokens: {source}\n'
    )
    rows = [
        [name, *report.spread(len(windows) / seconds, ',.0f'), *report.spread(seconds)]
        for name, seconds in of_text.items()
    ]
    print(pipes(['windows', 'windows/s', 'range', 'seconds', 'range'], rows))
    eaten = UTILISATION * CHIPS['h200'].peak_flops
    rows = [
        [f'loader, {size} windows', *report.spread(BATCHES / seconds, '.1f'), '']
        for size, seconds in of_batches.items()
    ]
    rows.append(
        [
            f'{args.encoder}, {args.batch} windows, {args.dtype}: steps on this device',
            *report.spread(1 / of_steps, '.3f'),
            '',
        ]
    )
    rows += [
        [
            f'{args.encoder}, {size} windows: an H200 at {UTILISATION:.0%} of its peak (estimate)',
            f'{eaten / flops[size]:.1f}',
            '',
            f'{np.median(BATCHES / of_batches[size]) * flops[size] / eaten:.1f}',
        ]
        for size in SIZES
    ]
    print()
    print(pipes(['batches', 'batches/s', 'range', 'loader / this'], rows))


if __name__ == '__main__':
    main()
