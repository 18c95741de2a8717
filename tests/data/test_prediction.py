"""Batches to answer: every window once, in few shapes."""

from dataclasses import replace

import numpy as np

from tests.data.test_batches import make_windows, seen
from xmrc_jax.data.prediction import by_length, prediction_batch


def test_prediction_takes_every_window_once_in_few_shapes():
    lengths = [5, 70, 64, 65, 130, 20, 128]
    windows = replace(make_windows(lengths), mark_W2=np.arange(14).reshape(7, 2))
    windows = replace(windows, language_W2=windows.mark_W2 + 20)
    plan = by_length(windows, 3)
    # Sorted: 130 128 70 | 65 64 20 | 5: the longest rounded up to 64s is 192, 128 and 64.
    assert [planned.max_tokens for planned in plan] == [192, 128, 64]
    assert [planned.windows_B.tolist() for planned in plan] == [[4, 6, 1], [3, 2, 5], [0, 0, 0]]
    assert [planned.real for planned in plan] == [3, 3, 1]
    for planned in plan:
        whole = prediction_batch(windows, planned)
        assert whole.ids_BL.shape == (3, planned.max_tokens)
        assert whole.length_B.tolist() == [lengths[w] for w in planned.windows_B]
        assert seen(whole, windows) == planned.windows_B[: planned.real].tolist()
        part = prediction_batch(windows, planned, slice(1, 3))
        for ours, values in zip(part, whole, strict=True):
            np.testing.assert_array_equal(ours, values[1:])
