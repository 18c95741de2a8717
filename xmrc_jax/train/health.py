"""Whether training goes well: one small fetch a step, one step late, so that no device waits."""

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import write_json
from xmrc_jax.processes import identity

NAMED = 40  # questions named in the line; the file names all


class Health:
    """Looks at the loss and the gradient of every step once the next one is queued.

    What is not finite is written to ``failure.json`` in the folder of the stage, with the questions
    whose windows make the batch of the step.
    """

    def __init__(self, folder: Path, question_ids: Callable[[int], list[str]]):
        self._folder, self._question_ids = folder, question_ids
        self._pending: tuple[int, dict] | None = None

    def add(self, step: int, vitals: dict[str, jax.Array]) -> bool:
        """The update by the batch of ``step``, from 0, has been queued. Of the step before: whether
        some process must stop (see ``train_step``).

        Raises:
          UserError: its loss or gradient was not finite.
        """
        stop = self.check()
        self._pending = step, vitals
        return stop

    def check(self) -> bool:
        """What ``add`` says of the step before, now; call it before a state is kept."""
        if self._pending is None:
            return False
        (step, vitals), self._pending = self._pending, None
        loss, norm, stop = jax.device_get(vitals['now_3']).tolist()
        if not np.isfinite(loss) or not np.isfinite(norm):
            raise self._failure(step, loss, jax.device_get(vitals['norms']))
        return stop > 0

    def _failure(self, step: int, loss: float, norms: dict[str, np.ndarray]) -> UserError:
        norm_of = {name: float(norm) for name, norm in norms.items()}
        ids = self._question_ids(step)
        path = self._folder / 'failure.json'
        if identity.is_first():
            facts = {'step': step + 1, 'loss': str(loss), 'questions': ids}
            write_json(path, facts | {'gradient_norms': {k: str(v) for k, v in norm_of.items()}})
        more = f' and {len(ids) - NAMED} more' if len(ids) > NAMED else ''
        return UserError(
            f'{path}: the loss of step {step + 1} is {loss}; gradient norms: '
            f'{", ".join(f"{name} {norm:.3g}" for name, norm in norm_of.items())}; '
            f'questions: {", ".join(ids[:NAMED])}{more}; nothing was saved since the last '
            'checkpoint: lower train.peak_lr, or mend these questions'
        )
