"""What training each encoder of the table costs by its shapes: FLOPs of a token, and what is held.

    python -m benchmarks.row_costs [NAME...]

FLOPs are those of the formula (``train.throughput``) on windows of SQuAD's mean length. Held are
parameters and Adam's moments, float32, of all devices together: the token rows that SQuAD uses of
XLM-R's table, all of another; as trained whole, with the embeddings frozen, and with adapters of
rank 16. Nothing is compiled; what activations need is said by ``plan``.
"""

import argparse
import dataclasses

import jax
import numpy as np
import optax

from xmrc_jax.model import reader
from xmrc_jax.model.architectures import ENCODERS, PLAIN, EncoderConfig
from xmrc_jax.model.tuning import ALL, Tuning
from xmrc_jax.plan.plans import MEAN_TOKENS, USED_ROWS
from xmrc_jax.reporting.tables import pipes
from xmrc_jax.train.throughput import train_flops

NAMES = (
    *('mmbert_small', 'mmbert_base', 'mgte_base', 'mdeberta_base'),
    *('rembert', 'xlmr_base', 'xlmr_large', 'xlmr_xl'),
)
TUNINGS = {'whole': ALL, 'embeddings frozen': Tuning(0, 0), 'adapters': Tuning(-1, 16)}


def held(encoder: EncoderConfig, tuning: Tuning) -> int:
    """Bytes of parameters and moments."""
    params = {'reader': reader.abstract(encoder)}
    params |= jax.eval_shape(lambda: tuning.adapters(encoder, 0))
    trained, fixed = jax.eval_shape(tuning.parted, params)
    moments = jax.eval_shape(optax.scale_by_adam().init, trained)
    return sum(
        leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves((trained, fixed, moments))
    )


def row(name: str) -> list[str]:
    """Cells of an encoder."""
    architecture = ENCODERS[name]
    rows = USED_ROWS.get(architecture.vocabulary, architecture.vocabulary)
    encoder = EncoderConfig.of(dataclasses.replace(architecture, vocabulary=rows), PLAIN)
    length = np.array([MEAN_TOKENS])
    flops = [
        train_flops(encoder, length, tuning) / MEAN_TOKENS for tuning in (ALL, TUNINGS['adapters'])
    ]
    return [
        name,
        f'{rows:,}',
        *(f'{each / 1e9:.2f} G' for each in flops),
        *(f'{held(encoder, tuning) / 1e9:.2f} GB' for tuning in TUNINGS.values()),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('names', nargs='*', default=NAMES, metavar='NAME', help='rows')
    header = ['row', 'token rows', 'FLOPs of a token', 'with adapters']
    header += [f'held, {each}' for each in TUNINGS]
    print(pipes(header, [row(name) for name in parser.parse_args().names]))


if __name__ == '__main__':
    main()
