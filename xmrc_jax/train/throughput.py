"""What a step costs and how fast it ran: real tokens, padding, model FLOP utilisation."""

import time
from collections.abc import Callable

import jax
import numpy as np

from xmrc_jax.model.architectures import Architecture
from xmrc_jax.model.tuning import ALL, Tuning
from xmrc_jax.train.chips import chip_of


def peak_flops() -> float | None:
    """Of all devices together; None where the kind is not in the table (CPUs)."""
    chip = chip_of(jax.devices()[0].device_kind)
    return chip and chip.peak_flops * jax.device_count()


def train_flops(encoder: Architecture, length_W: np.ndarray, tuning: Tuning = ALL) -> float:
    """FLOPs of forward and backward over the real tokens of windows of these lengths alone.

    6 for each matrix weight and token, and attention's two products, 4 D for each pair of tokens
    that may see each other and layer forward, thrice that with backward; a disentangled table's
    rows are so many tokens more that each may see. Of frozen layers the third part counts, of
    weights that have an adapter two thirds, of what widens fixed embeddings a third. Recomputation
    and look-ups do not count, nor what is computed once for a batch, nor adapters.

    >>> from xmrc_jax.model.architectures import ENCODERS
    >>> f'{train_flops(ENCODERS["xlmr_base"], np.array([384])):.3g}'  # of one full window
    '2.12e+11'
    """
    D, F, N, design = encoder.width, encoder.mlp, encoder.layers, encoder.design
    length_W = length_W.astype(np.float64)
    weights = 4 * D * D + (3 if design.gated else 2) * D * F
    head = D * D if design.head == 'transformed' else 0
    widen = design.embedding * D * (1 if tuning.freeze >= 0 or tuning.lora_rank else 3)
    reach_W = np.minimum(design.reach, length_W - 1)
    nearby = np.sum(length_W * (2 * reach_W + 1) - reach_W * (reach_W + 1))
    everywhere = np.sum(length_W * (length_W + 2 * design.buckets))
    pairs_N = np.where(np.arange(N) % design.global_every, nearby, everywhere)
    passes_N = np.where(np.arange(N) < tuning.freeze, 1, 3)
    of_weights = np.minimum(passes_N, 2 if tuning.lora_rank else 3).sum() * weights + 3 * head
    return float(2 * (of_weights + widen) * length_W.sum() + 4 * D * np.sum(passes_N * pairs_N))


class Meter:
    """Writes the metrics of every ``every``-th step, one step late, with the speed since the last.

    Fetching a step's numbers waits for that step; by the time the next one is queued they have
    arrived, so the device never waits for the host.
    """

    def __init__(self, write: Callable, *, every: int, flops: Callable):
        self._write, self._every, self._flops = write, every, flops
        self._pending: tuple[int, dict] | None = None
        self._restart()

    def _restart(self) -> None:
        self._lengths, self._places, self._since = [], 0, time.perf_counter()

    def add(
        self, step: int, metrics: dict[str, jax.Array], length_B: np.ndarray, places: int
    ) -> None:
        """One more update has been queued: number ``step``, over windows of these lengths in so
        many places, those of padding included."""
        self.flush()
        self._lengths.append(length_B)
        self._places += places
        if step % self._every == 0:
            self._pending = step, metrics

    def flush(self) -> None:
        """Write what is pending; call it before the device does anything but training."""
        if self._pending is None:
            return
        (step, metrics), self._pending = self._pending, None
        values = jax.device_get(metrics)
        self._write(step, values | self._speed(time.perf_counter() - self._since))
        self._restart()

    def pause(self) -> None:
        """Forget the time since the last line: something else than training used it."""
        self.flush()
        self._restart()

    def _speed(self, seconds: float) -> dict[str, float]:
        length_W = np.concatenate(self._lengths)
        tokens = float(length_W.sum())
        speed = {
            'sequences_per_second': len(length_W) / seconds,
            'real_tokens_per_second': tokens / seconds,
            'padding_ratio': 1 - tokens / self._places,
        }
        peak = peak_flops()
        return speed if peak is None else speed | {'mfu': self._flops(length_W) / seconds / peak}
