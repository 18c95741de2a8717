"""A trace of some steps for jax.profiler, to be looked at in TensorBoard, XProf or Perfetto."""

from pathlib import Path

import jax

SKIPPED = 2  # steps: the first compiles, the second fills the queue


class Profile:
    """Records so many steps of this process, from where it starts or continues, in a folder."""

    def __init__(self, folder: Path, steps: int):
        self._folder, self._steps, self._running = folder, steps, False

    def before(self, number: int) -> None:
        """Step ``number`` of this process, from 0, is about to be queued."""
        if self._steps and number == SKIPPED:
            jax.profiler.start_trace(self._folder)
            self._running = True
        elif number == SKIPPED + self._steps:
            self.end()

    def end(self) -> None:
        """Write what is being recorded."""
        if self._running:
            self._running = False
            jax.profiler.stop_trace()
