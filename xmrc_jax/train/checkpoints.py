"""Checkpoints of a stage, written by orbax in the background.

A checkpoint is a folder of named parts; ``parts`` knows what they are, this file only that they
are written together and read one by one. Orbax gives it its name only when it is whole, and then it
is sealed. One without a seal, or that does not fit its seal, is never read.
"""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from orbax.checkpoint import v1 as ocp

from xmrc_jax.ground.errors import UserError, first_line
from xmrc_jax.processes import agreement, ending, identity
from xmrc_jax.train.seal import damage, seal


class Checkpoints:
    """The checkpoints of one stage. With several processes all make the same calls.

    Kept are the newest and the best by dev F1. A state is saved before it is scored, so that the
    scoring may be killed, which orbax's own way of keeping the best does not allow.

    A damaged newest checkpoint is reported and set aside, in ``damaged/`` beside the folder, when
    this is made; so is the next, until one is sound.

    Args:
      folder: made if need be; on a disk that all processes share.
      keep: newest checkpoints kept; 0: all.
      due: of a step, whether its checkpoint is one of the run's. Those of a run that was stopped
        in between are kept only until there is a newer one, so that being stopped changes nothing.
      scores: dev F1 in percent by step, which the caller fills in as it becomes known.

    Raises:
      UserError: the folder cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep: int,
        scores: dict[int, float],
        due: Callable[[int], bool] = lambda step: True,
    ):
        self._folder, self._keep, self._scores, self._due = folder.absolute(), keep, scores, due
        self._saving: tuple[int, Future] | None = None
        self._failed = False
        self._sealer = ThreadPoolExecutor(1, thread_name_prefix='seal')
        try:
            sound = _newest_sound(self._folder) if identity.is_first() else None
            self.newest = agreement.decided(sound)
            self._orbax = ocp.training.Checkpointer(
                self._folder,
                save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(1),
                preservation_policy=self,
                cleanup_tmp_directories=True,
            )
        except OSError as error:
            raise UserError(f'{folder}: cannot be used: {error.strerror}') from None

    def should_preserve(self, checkpoints, *, context) -> list[bool]:
        """The preservation policy, as orbax asks for it."""
        steps = [each.step for each in checkpoints]
        kept = {steps[-1], self._best_of(steps)}
        kept.update(list(filter(self._due, steps))[-self._keep :])  # [-0:] is all
        return [step in kept for step in steps]

    def best(self) -> int | None:
        """The step of the highest dev F1, the earliest of equals; None where none is scored."""
        return self._best_of(self.kept())

    def kept(self) -> list[int]:
        """The steps of the checkpoints, ascending; only those of the run."""
        return [each.step for each in self._orbax.checkpoints if self._due(each.step)]

    def _best_of(self, steps: list[int]) -> int | None:
        scored = [step for step in steps if step in self._scores]
        return max(scored, key=lambda step: (self._scores[step], -step), default=None)

    def restore(self, abstract_parts: dict) -> dict | None:
        """The newest checkpoint's parts of these names, placed as their abstract leaves say; None
        where there is no sound checkpoint."""
        if self.newest is None:
            return None
        return ocp.load_checkpointables(self._folder / str(self.newest), abstract_parts)

    def save(self, step: int, parts: dict) -> None:
        """Start writing ``parts``, whose arrays may be donated as soon as this returns; UserError
        where they, or those before, cannot be written."""
        self.wait()
        self._saving = step, Future()
        try:
            pending = self._orbax.save_checkpointables_async(step, parts)
        except Exception as error:  # orbax and tensorstore raise many kinds
            raise self._failure(step, error) from error
        self._saving = step, self._sealer.submit(self._seal, step, pending)
        self.newest = step

    def _seal(self, step: int, pending) -> None:
        pending.result()
        if identity.is_first():
            seal(self._folder / str(step))

    def check(self) -> None:
        """Raises, as ``wait`` does, where writing has failed meanwhile; waits for nothing."""
        if self._saving is not None and self._saving[1].done():
            self.wait()

    def wait(self) -> None:
        """Until the last state saved is on disk and sealed; UserError where it is not."""
        if self._saving is None:
            return
        (step, saved), self._saving = self._saving, None
        try:
            saved.result()
        except Exception as error:
            raise self._failure(step, error) from error

    def _failure(self, step: int, error: Exception) -> Exception:
        self._failed = True
        if ending.is_of_a_peer(error) and not _of_the_disk(error):
            return error
        good = next((s for s in steps(self._folder) if not damage(self._folder / str(s))), None)
        last = 'there is none before it' if good is None else f'{self._folder / str(good)} is good'
        return UserError(
            f'{self._folder / str(step)}: could not be written ({reason(error)}); {last}; '
            f'make room, then {ending.CONTINUES}'
        )

    def close(self) -> None:
        """Call it last; after a failure, which ``wait`` raised, there is nothing to wait for."""
        self._sealer.shutdown()
        if not self._failed:
            self._orbax.close()


def _newest_sound(folder: Path) -> int | None:
    """Looks through the newest, and of those behind it at what orbax reads when it starts."""
    newest = None
    for step in steps(folder):
        path, aside = folder / str(step), folder.with_name('damaged') / str(step)
        if defect := damage(path, '' if newest is None else '_CHECKPOINT_METADATA'):
            shutil.rmtree(aside, ignore_errors=True)
            aside.parent.mkdir(exist_ok=True)
            os.replace(path, aside)
            print(f'{path}: damaged, set aside in {aside.parent}: {defect}', flush=True)
        elif newest is None:
            newest = step
    return newest


def steps(folder: Path) -> list[int]:
    """Of the checkpoints in a folder, newest first."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted((int(name) for name in names if name.isdigit()), reverse=True)


def reason(error: Exception) -> str:
    """What a user can make use of in a long message; tensorstore's names its source files."""
    return _of_the_disk(error) or first_line(error)


def _of_the_disk(error: Exception) -> str:
    known = ('No space left on device', 'Disk quota exceeded', 'File too large')
    return next((words for words in known if words in str(error)), '')
