"""Windows as the tests of eq. 2 and of its losses see them."""

import numpy as np
import pytest

L, K = 12, 6


@pytest.fixture
def batch():
    """Logits, a mask of real tokens, and spans."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, L)).astype(np.float32)
    mask_BL = np.arange(L)[None] < np.array([[12], [8], [10]])
    spans_BK2 = np.sort(rng.integers(1, 8, (3, K, 2)), axis=-1).astype(np.int32)
    return *logits, mask_BL, spans_BK2


def softmax(x):
    return np.exp(x) / np.exp(x).sum()
