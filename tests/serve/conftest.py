"""A served reader without sockets."""

import pytest

from xmrc_jax import Reader


@pytest.fixture(scope='session')
def compiled(exported):
    """A reader that has compiled all it needs."""
    reader = Reader.load(exported, batch_size=32)
    assert reader.compile() == 3  # 8, 16 and 32 windows on eight devices, of up to 64 tokens
    return reader
