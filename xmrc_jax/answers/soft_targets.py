"""What a teacher says of every token of its windows, kept on disk and read from there in place.

Of each token the teacher's log P(start) and log P(end) as float16: 4 bytes, 1.5 KB for a window of
384 tokens. ``parts`` has the folder; a part holds the tokens of its block's windows, end to end.
Knows no JAX, no reader and no text.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xmrc_jax.answers.parts import Binding, Parts, damaged
from xmrc_jax.ground.files import write_bytes

BYTES = 4  # of a token
SIZES, END = ('questions', 'tokens', 'block'), '.npy'


class Teaching:
    """A teacher's soft targets in the making; the arguments are those of ``SoftTargets``.

    Raises:
      UserError: as ``Parts.begun``.
    """

    def __init__(self, folder: str | Path, binding: Binding, windows, *, block: int):
        sizes = int(windows.question_W[-1]) + 1, int(windows.length_W.sum()), block
        self._parts = Parts.begun(folder, binding, dict(zip(SIZES, sizes, strict=True)), END)
        self.blocks, self.missing = self._parts.blocks, self._parts.missing

    def write(self, rows: slice, of_windows: Sequence[np.ndarray]) -> None:
        """Keeps what is said of the windows of one of the ``missing`` blocks, [tokens, 2] each."""
        buffer = io.BytesIO()
        np.save(buffer, np.concatenate(of_windows).astype(np.float16))
        write_bytes(self._parts.path(rows), buffer.getvalue())


class SoftTargets(Sequence):
    """What a teacher said of every window: float16 [tokens, 2], log P(start) and log P(end).

    Args:
      folder: where it lies.
      binding: of which teacher, tokenizer and text it must be.
      windows: with ``length_W``, their tokens, and ``question_W``, the question of each.

    Raises:
      UserError: it is absent, unfinished, damaged or of something else, which the line names.
    """

    def __init__(self, folder: str | Path, binding: Binding, windows):
        parts = Parts.finished(folder, binding, SIZES, END)
        self._part_W = windows.question_W // parts.size['block']
        self._past_W = np.cumsum(windows.length_W)
        self._first_W = self._past_W - windows.length_W
        first = np.searchsorted(self._part_W, np.arange(len(parts.blocks)))
        self._first = self._first_W[first]
        tokens = np.diff(self._first, append=self._past_W[-1])
        paths = map(parts.path, parts.blocks)
        self._parts = [_mapped(path, each) for path, each in zip(paths, tokens, strict=True)]

    def __len__(self) -> int:
        return len(self._part_W)

    def __getitem__(self, window: int) -> np.ndarray:
        part = self._part_W[window]
        lo, hi = self._first_W[window], self._past_W[window]
        return self._parts[part][lo - self._first[part] : hi - self._first[part]]


def _mapped(path: Path, tokens: int) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode='r')
        if array.shape != (tokens, 2) or array.dtype != np.float16:
            raise ValueError('another size')
    except (OSError, ValueError, EOFError) as error:
        raise damaged(path) from error
    return array
