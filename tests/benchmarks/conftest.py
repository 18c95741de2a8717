"""What the tests of the benchmarks share."""

import jax
import pytest


@pytest.fixture(autouse=True)
def precision():
    """Some commands raise the precision of products for the whole process."""
    before = jax.config.jax_default_matmul_precision
    yield
    jax.config.update('jax_default_matmul_precision', before)
