"""Tiny encoders of each architecture, with weights at which every parameter matters."""

import jax
import numpy as np
import pytest

from tests.tiny import KINDS
from xmrc_jax.model import reader
from xmrc_jax.model.architectures import PLAIN, EncoderConfig


@pytest.fixture(scope='session', params=['xlm-roberta', 'bert'])
def cfg(request) -> EncoderConfig:
    return EncoderConfig.of(KINDS[request.param], PLAIN)


@pytest.fixture(scope='session')
def fresh(cfg) -> dict:
    return reader.init(cfg, jax.random.key(0))


@pytest.fixture(scope='session')
def params(fresh) -> dict:
    """A reader with noise on every leaf: no bias is 0, no scale 1, no padding row 0."""
    leaves, structure = jax.tree.flatten(fresh)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    noisy = [x + 0.3 * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(structure, noisy)


@pytest.fixture(scope='session')
def batch(cfg) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ids_BL, length_B, passage_B2 of four windows; ids 0 to 2 are special everywhere."""
    length_B = np.array([20, 13, 7, 20], np.int32)
    ids_BL = np.random.default_rng(0).integers(3, cfg.vocabulary, (4, 20), dtype=np.int32)
    ids_BL = np.where(np.arange(20) < length_B[:, None], ids_BL, cfg.pad_id).astype(np.int32)
    passage_B2 = np.stack([[5, 4, 3, 9], length_B - 1], axis=-1).astype(np.int32)
    return ids_BL, length_B, passage_B2


@pytest.fixture(scope='session')
def apply():
    """``reader.apply``, compiled once for all tests that use the same shapes."""
    return jax.jit(reader.apply, static_argnums=1)


@pytest.fixture(scope='session')
def value_and_grad():
    """Sum of the cubes of all that the reader returns, padding included, and its gradient."""

    def cubes(params, cfg, *batch):
        return sum((x**3).sum() for x in reader.apply(params, cfg, *batch))

    return jax.jit(jax.value_and_grad(cubes), static_argnums=1)
