"""Parameters and windows to n-best answers: the one way from text to answers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
from jax.sharding import Mesh

from xmrc_jax.answers.contrast import Affinity
from xmrc_jax.data import prediction
from xmrc_jax.data.windows import Windows
from xmrc_jax.evaluate.nbest import NBest
from xmrc_jax.evaluate.predict import boundaries_step, fetched, predict, predict_windows
from xmrc_jax.ground.progress import progress
from xmrc_jax.ground.values import leaf
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.train import sharding

# Pairs of tokens in the windows that a CPU computes at once: the scores of one head, in float32,
# are then 4 MB, and stay in its caches. Larger batches are slower, see docs/speed.md.
CACHED = 2**20


@dataclass(frozen=True)
class AskOptions:
    """Windows of a batch, answers kept for each question, longest answer in tokens."""

    batch_size: int = leaf(at_least=1)
    n_best: int = leaf(at_least=1)
    max_answer_tokens: int = leaf(at_least=1)


@dataclass(frozen=True)
class Ask:
    """Asks readers of one encoder on one mesh.

    Raises:
      UserError: the batch does not divide by the mesh.
    """

    encoder: EncoderConfig
    mesh: Mesh
    options: AskOptions

    def __post_init__(self):
        sharding.check_batch(self.mesh, self.options.batch_size)

    def __call__(
        self,
        params: dict,
        windows: Windows,
        questions: int,
        label: str = '',
        k: int | None = None,
        done: Callable[[int], object] | None = None,
        affinity: Affinity | None = None,
    ) -> NBest:
        """The k best answers to each of the questions that the windows number.

        Args:
          params: of a reader.
          windows: of the questions, which are numbered from 0.
          questions: their number Q.
          label: of the progress bar; without one there is no bar.
          k: by default as many as the options say.
          done: is told how many windows more are answered, in the bar's place.
          affinity: a part of the answers' scores, see ``predict_step``.
        """
        batch_size = self._size(len(windows), windows.length_W.max(initial=1))
        silent = {} if label else {'disable': True}
        bar = progress(total=len(windows), desc=label, unit=' windows', **silent)
        with bar:
            return predict(
                params,
                self.encoder,
                windows,
                questions=questions,
                k=k or self.options.n_best,
                batch_size=batch_size,
                max_answer_tokens=self.options.max_answer_tokens,
                affinity=affinity,
                share=sharding.Share(self.mesh, batch_size),
                done=done or bar.update,
            )

    def boundaries(self, params: dict, windows: Windows) -> list[np.ndarray]:
        """What a reader says of every token of each window, see ``boundaries_step``.

        Returns:
          float16 [tokens, 2] for each window: log P(start) and log P(end) over its real tokens.
        """
        batch_size = self._size(len(windows), windows.length_W.max(initial=1))
        share = sharding.Share(self.mesh, batch_size)
        plan = prediction.by_length(windows, batch_size)
        step = partial(boundaries_step, params, self.encoder)
        said, length_W = [np.empty(0)] * len(windows), windows.length_W
        for windows_B, log_p_BL2 in fetched(step, windows, plan, share=share):
            for window, log_p_L2 in zip(windows_B, log_p_BL2, strict=True):
                said[window] = log_p_L2[: length_W[window]]
        return said

    def compile(self, params: dict, windows: Windows, max_tokens: int) -> int:
        """Compile for every shape of a batch that a call may have, so that none compiles later.

        Args:
          params: of a reader.
          windows: the first, which must fit the shortest batch, is read in each shape.
          max_tokens: of the longest window that will be asked.

        Returns:
          How many shapes there are.
        """
        numbers = range(1, self.options.batch_size + 1)
        shapes = sorted(
            {(self._size(n, L), L) for n in numbers for L in prediction.lengths(max_tokens)}
        )
        with progress(total=len(shapes), desc='compiling', unit=' shapes') as bar:
            for size, L in shapes:
                for _ in predict_windows(
                    params,
                    self.encoder,
                    windows,
                    [prediction.Planned(np.zeros(size, np.int64), size, L)],
                    k=self.options.n_best,
                    max_answer_tokens=self.options.max_answer_tokens,
                    share=sharding.Share(self.mesh, size),
                ):
                    bar.update()
        return len(shapes)

    def _size(self, windows: int, max_tokens: int) -> int:
        """Rows of the batches that so many windows are asked in, of at most so many tokens."""
        return min(self.options.batch_size, self._enough(windows), self._quick(max_tokens))

    def _enough(self, windows: int) -> int:
        """The least batch for all the windows that has a power of two of rows on each device."""
        on_each = -(-windows // self._groups)
        return self._groups << (on_each - 1).bit_length()

    def _quick(self, max_tokens: int) -> int:
        """The largest batch of such rows that a device computes as quickly as smaller ones."""
        if jax.default_backend() != 'cpu':
            return self.options.batch_size
        on_each = CACHED // prediction.lengths(max_tokens)[-1] ** 2
        return self._groups << max(on_each.bit_length() - 1, 0)

    @property
    def _groups(self) -> int:
        return sharding.batch_parts(self.mesh)
