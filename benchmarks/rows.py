"""Every architecture of the table against PyTorch, at full depth, with random weights.

    python -m benchmarks.rows [NAME...]

A folder is written as an export is, PyTorch reads it with its own code, and both read the same two
windows, longer than ModernBERT's local attention and DeBERTa's finest buckets. There is noise on
every weight, norms and biases too. The token table is cut to 1,000 rows; XLM-R XL, which would not
fit, to a width of 640. XLM's question is in its first language, the passage in the last. Rows of
one architecture are one line.
"""

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import numpy as np
import torch

from benchmarks.apart import Apart, compare_exactly
from benchmarks.torch_reader import torch_reader
from xmrc_jax.ground.choices import choose
from xmrc_jax.ground.commands import command, documented
from xmrc_jax.model import reader, weights
from xmrc_jax.model.architectures import ENCODERS, HUB_IDS, PLAIN, Architecture, EncoderConfig
from xmrc_jax.reporting.tables import pipes
from xmrc_jax.train.sharding import path_of

LENGTHS = (200, 150)  # tokens of the two windows
VOCABULARY, WIDEST = 1000, 1280


def reduced(architecture: Architecture) -> Architecture:
    """With few token rows, and a quarter of the width where there is more than fits; XLM's passage
    in the last of its languages."""
    cut = 4 if architecture.width > WIDEST else 1
    languages = architecture.types if architecture.family == 'xlm' else 0
    return dataclasses.replace(
        architecture,
        passage_type=languages - 1 if languages else architecture.passage_type,
        vocabulary=VOCABULARY,
        width=architecture.width // cut,
        heads=architecture.heads // cut,
        mlp=architecture.mlp // cut,
    )


def noisy(cfg: EncoderConfig) -> dict:
    """Fresh parameters and noise: as large as a kernel is drawn, ten times that elsewhere."""
    rng = np.random.default_rng(0)

    def moved(key_path, leaf):
        path = path_of(key_path)
        deviation = 0.02 if path.endswith('kernel') and not path.startswith('span') else 0.2
        return np.asarray(leaf) + rng.normal(0, deviation, leaf.shape).astype(np.float32)

    return jax.tree_util.tree_map_with_path(moved, reader.init(cfg, jax.random.key(0)))


def compared(architecture: Architecture, folder: Path) -> tuple[dict[str, Apart], bool]:
    """Differences of logits and hidden vectors, and whether import gives every bit of the export.

    Args:
      architecture: of so many rows and such a width that PyTorch's float64 fits.
      folder: to be written.
    """
    cfg = EncoderConfig.of(architecture, PLAIN)
    params = noisy(cfg)
    weights.save(folder, params, cfg)
    own = EncoderConfig.of(weights.architecture_of(folder), PLAIN)
    again = weights.load(folder, own, {})
    same = jax.tree.map(lambda a, b: a.tobytes() == b.tobytes(), params, again)

    length_B = np.array(LENGTHS, np.int32)
    real_BL = np.arange(max(LENGTHS)) < length_B[:, None]
    ids_BL = np.random.default_rng(1).integers(3, VOCABULARY, real_BL.shape, dtype=np.int32)
    ids_BL = np.where(real_BL, ids_BL, cfg.pad_id).astype(np.int32)
    passage_B2 = np.stack([length_B // 4, length_B - 1], axis=1)
    reading = jax.jit(reader.apply, static_argnums=1)(params, cfg, ids_BL, length_B, passage_B2)
    ours = dict(zip(('start', 'end', 'hidden'), map(np.asarray, reading), strict=True))
    inputs = {'input_ids': ids_BL, 'attention_mask': real_BL}
    if cfg.types:
        name = 'langs' if cfg.family == 'xlm' else 'token_type_ids'
        inputs[name] = cfg.passage_type * (np.arange(len(real_BL[0])) >= passage_B2[:, :1])
    model = torch_reader(folder)
    single, double = (_read(each(), inputs) for each in (model.float, model.double))
    sides = ours, single, double
    apart = {name: Apart.of(*(side[name][real_BL] for side in sides)) for name in ours}
    return apart, all(jax.tree.leaves(same))


def _read(model, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    with torch.no_grad():
        given = {name: torch.tensor(array).long() for name, array in inputs.items()}
        output = model(**given, output_hidden_states=True)
    read = output.start_logits, output.end_logits, output.hidden_states[-1]
    return dict(zip(('start', 'end', 'hidden'), (x.numpy() for x in read), strict=True))


def lines(names: Sequence[str]) -> Iterator[list[str]]:
    """Cells of a line for each architecture of the rows of these names."""
    groups: dict[Architecture, list[str]] = {}
    for name in names:
        groups.setdefault(reduced(choose(ENCODERS, name, 'row')), []).append(name)
    for architecture, rows in groups.items():
        with tempfile.TemporaryDirectory() as scratch:
            apart, same = compared(architecture, Path(scratch) / 'exported')
        size = f'{architecture.layers} x {architecture.width}'
        largest = max(apart['start'].largest, apart['end'].largest)
        worst = [max(x) for x in zip(apart['start'][1:], apart['end'][1:], strict=True)]
        yield [
            ', '.join(rows),
            size,
            f'{largest:.2f}',
            *(f'{x:.1e}' for x in (*worst, *apart['hidden'][1:])),
            'bit-exact' if same else 'differs',
        ]


def main(argv: Sequence[str] | None = None) -> None:
    parser = documented('benchmarks.rows', __doc__)
    named = [name for name, hub_id in HUB_IDS.items() if hub_id]
    parser.add_argument('names', nargs='*', default=named, metavar='NAME', help='rows; all')
    args = parser.parse_args(argv)
    compare_exactly()
    header = ['row', 'layers x width', 'largest logit']
    for what in ('logits', 'hidden'):
        header += [f'{what}: torch float32', 'torch float64', 'torch 32 to 64']
    print(pipes([*header, 'import of export'], list(lines(args.names))))


if __name__ == '__main__':
    command(main)
