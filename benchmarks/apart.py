"""How far our numbers are from PyTorch's, and those from themselves."""

from typing import NamedTuple

import jax
import numpy as np
import transformers


class Apart(NamedTuple):
    """The largest of some numbers, and the largest differences to it.

    Attributes:
      largest: PyTorch's in float64.
      single, double: ours in float32 to PyTorch's in float32 and in float64.
      rounding: PyTorch's float32 to its own float64, what two right float32 programs may show.
    """

    largest: float
    single: float
    double: float
    rounding: float

    @classmethod
    def of(cls, ours: np.ndarray, single: np.ndarray, double: np.ndarray) -> 'Apart':
        """Of our array, and of PyTorch's in float32 and in float64."""
        each = double, ours - single, ours - double, single - double
        return cls(*(float(np.abs(x).max()) for x in each))


def compare_exactly() -> None:
    """From here on float32 products are exact, on GPU and TPU too; PyTorch's library is silent."""
    jax.config.update('jax_default_matmul_precision', 'highest')
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
