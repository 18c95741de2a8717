"""What two pieces of training save: real tokens alone, and used token rows alone.

    python -m benchmarks.pieces
    python -m benchmarks.pieces --encoder minilm --batch 16 --steps 12

times whole training steps (loss, gradient, AdamW) in float32 on one device, with and without each
piece, on the same batches of random ids. Lengths are drawn as in SQuAD's training windows. The
order of the variants alternates from step to step; ratios are of the same step.
"""

import argparse
import dataclasses
import time
from collections.abc import Callable, Sequence
from functools import partial

import jax
import numpy as np
from tqdm import tqdm

from xmrc_jax.audit import markdown
from xmrc_jax.data.batches import Batches
from xmrc_jax.data.windows import Windows
from xmrc_jax.model import reader
from xmrc_jax.model.encoder import ENCODERS, EncoderConfig
from xmrc_jax.train import sharding
from xmrc_jax.train.objective import base_objective
from xmrc_jax.train.optimizer import OptimizerConfig, build
from xmrc_jax.train.step import compiled_step, initial_state
from xmrc_jax.train.vocabulary import Vocabulary

# Tokens of a window at every twentieth of 12,047 windows that hold their answer: 12,000 questions
# of SQuAD v1.1 train, XLM-R's tokenizer, windows of 384, stride 128, questions of at most 64.
LENGTHS = (
    *(41, 96, 124, 136, 143, 150, 156, 161, 168, 175, 182),
    *(189, 198, 208, 218, 230, 245, 265, 292, 333, 384),
)
MAX_TOKENS = 384
USED_ROWS = 33_035  # of XLM-R's 250,002 in the whole of SQuAD train


def random_windows(encoder: EncoderConfig, count: int) -> Windows:
    """Windows of SQuAD's lengths whose ids use as large a share of the rows as SQuAD does."""
    rng = np.random.default_rng(0)
    length_W = np.interp(rng.random(count), np.linspace(0, 1, len(LENGTHS)), LENGTHS).astype(int)
    share = USED_ROWS / ENCODERS['xlmr_base'].vocabulary
    rows = rng.choice(encoder.vocabulary, round(share * encoder.vocabulary), replace=False)
    past_W = np.cumsum(length_W)
    gold_W = length_W // 2
    return Windows(
        ids_T=rng.choice(rows, past_W[-1]).astype(np.int32),
        chars_T2=np.tile(np.int32([0, 1]), (past_W[-1], 1)),
        bounds_W2=np.stack([past_W - length_W, past_W], axis=1),
        question_W2=np.tile(np.int32([1, 12]), (count, 1)),
        passage_W2=np.stack([np.full(count, 14), length_W - 1], axis=1).astype(np.int32),
        gold_W2=np.stack([gold_W, gold_W + 1], axis=1).astype(np.int32),
        question_W=np.arange(count, dtype=np.int32),
        repeats_R3=np.zeros((0, 3), np.int32),
        pad_id=encoder.pad_id,
        key='',
    )


class Rows:
    """Training over the rows of a vocabulary, whose steps can be run padded or packed."""

    def __init__(
        self, encoder: EncoderConfig, windows: Windows, vocabulary: Vocabulary, batch: int
    ):
        mesh = sharding.make_mesh(devices=jax.devices()[:1])
        encoder, optimizer = vocabulary.encoder(encoder), OptimizerConfig()
        self.batches = Batches(
            vocabulary.windows(windows), batch_size=batch, max_tokens=MAX_TOKENS, seed=0
        )
        init = partial(initial_state, optimizer=build(optimizer, 100))
        params = {'reader': jax.jit(reader.init, static_argnums=0)(encoder, jax.random.key(0))}
        shardings = sharding.of(jax.eval_shape(init, params), mesh)
        self.state = jax.jit(init, out_shardings=shardings)(params)
        self._step = compiled_step(base_objective(encoder), optimizer, 100, shardings)
        self._put, self._compiled = sharding.Share(mesh, batch).put, {}

    @property
    def megabytes(self) -> float:
        """Of parameters and moments."""
        return sum(leaf.nbytes for leaf in jax.tree.leaves(self.state)) / 1e6

    def seconds(self, number: int, packed: bool) -> float:
        """Of one more update by the batch of this number; compiling is not in it."""
        batch = self._put(self.batches.batch_at(number, groups=1 if packed else None))
        key = jax.random.key(1)
        shape = batch['token_GRP'].shape if packed else None
        if shape not in self._compiled:
            self._compiled[shape] = self._step.lower(self.state, batch, key).compile()
        start = time.perf_counter()
        self.state, _ = jax.block_until_ready(self._compiled[shape](self.state, batch, key))
        return time.perf_counter() - start


def timed(variants: dict[str, Callable[[int], float]], steps: int) -> dict[str, np.ndarray]:
    """Seconds of every variant at every step, each first run untimed once."""
    names = list(variants)
    for name in names:
        variants[name](0)
    found = {name: [] for name in names}
    for number in tqdm(range(steps), unit=' steps'):
        for name in names if number % 2 else names[::-1]:
            found[name].append(variants[name](number))
    return {name: np.array(seconds) for name, seconds in found.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Prints seconds, ratios and sizes of all variants."""
    parser = argparse.ArgumentParser(prog='benchmarks.pieces', description=__doc__.splitlines()[0])
    parser.add_argument('--encoder', default='xlmr_base', choices=ENCODERS)
    parser.add_argument('--batch', type=int, default=8, help='windows')
    parser.add_argument('--steps', type=int, default=8)
    parser.add_argument('--dropout', type=float, default=0.1)
    args = parser.parse_args(argv)
    encoder = dataclasses.replace(
        ENCODERS[args.encoder], dropout=args.dropout, attention_dropout=args.dropout
    )
    windows = random_windows(encoder, 100 * args.batch)
    used = Vocabulary.of(windows, encoder)
    every = Rows(encoder, windows, Vocabulary(np.ones(encoder.vocabulary, bool)), args.batch)
    few = Rows(encoder, windows, used, args.batch)
    seconds = timed(
        {
            'padded, all rows': partial(every.seconds, packed=False),
            'packed, all rows': partial(every.seconds, packed=True),
            'padded, used rows': partial(few.seconds, packed=False),
            'packed, used rows': partial(few.seconds, packed=True),
        },
        args.steps,
    )
    base = seconds['padded, all rows']
    rows = [
        [
            name,
            f'{np.median(values):.2f}',
            f'{np.median(values / base):.2f}',
            f'{(values / base).min():.2f} to {(values / base).max():.2f}',
            f'{(every if "all" in name else few).megabytes:.0f}',
        ]
        for name, values in seconds.items()
    ]
    real = np.mean([every.batches.lengths_at(step).mean() for step in range(args.steps)])
    print(
        f'{args.encoder}, {args.batch} windows of {real:.0f} real tokens in {MAX_TOKENS}, '
        f'{len(used):,} of {encoder.vocabulary:,} rows used, dropout {args.dropout}, '
        f'{args.steps} steps, {jax.devices()[0].device_kind}\n'
    )
    print(markdown(['step', 'median s', 'ratio', 'lowest to highest', 'state MB'], rows))


if __name__ == '__main__':
    main()
