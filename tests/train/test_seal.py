"""A seal finds whatever happened to a folder after it was finished."""

import pytest

from xmrc_jax.train.seal import damage, seal


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'reader' / 'd').mkdir(parents=True)
    (tmp_path / 'reader' / 'd' / '0').write_bytes(bytes(range(256)) * 8)
    (tmp_path / 'rest').write_bytes(b'rest')
    seal(tmp_path)
    return tmp_path


def test_what_is_as_it_was_is_sound(folder):
    assert damage(folder) == ''
    assert damage(folder, 'reader/') == ''


@pytest.mark.parametrize('position', range(0, 2048 * 8, 997))
def test_every_bit_counts(folder, position):
    path = folder / 'reader' / 'd' / '0'
    content = bytearray(path.read_bytes())
    content[position // 8] ^= 1 << position % 8
    path.write_bytes(content)
    assert damage(folder) == damage(folder, 'reader/') == 'reader/d/0 has other content'
    assert damage(folder, 'rest') == ''


def test_a_file_more_or_less(folder):
    (folder / 'reader' / 'd' / '1').write_bytes(b'')
    assert damage(folder) == 'reader/d/1 does not belong there'
    (folder / 'reader' / 'd' / '1').unlink()
    (folder / 'rest').write_bytes(b'res')
    assert damage(folder) == 'rest has 3 bytes, not 4'
    (folder / 'rest').unlink()
    assert damage(folder) == 'rest is missing'


@pytest.mark.parametrize('text', ['', '[]', '{}', '{"rest": 4, "reader/d/0": [2048]}', '"rest"'])
def test_a_seal_that_says_nothing_of_use(folder, text):
    (folder / 'seal.json').write_text(text)
    assert damage(folder) != ''


def test_a_folder_that_was_never_sealed(tmp_path):
    assert damage(tmp_path) == 'it was never finished (no seal)'
