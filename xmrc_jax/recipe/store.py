"""A reader's folder: what its stage kept and selected, how it is calibrated, the way to parameters.

Everything that uses a trained reader goes through here: mining, scoring, a case study, an export.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from jax.sharding import Mesh

from xmrc_jax.evaluate.calibration import UNCALIBRATED, Calibration
from xmrc_jax.ground import values
from xmrc_jax.ground.choices import choose
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_json, read_object, write_json
from xmrc_jax.processes import agreement, identity
from xmrc_jax.train import checkpoints, parts, sharding
from xmrc_jax.train.loop import Selected


class Store:
    """One trained, or to be trained, reader. With several processes all make the same calls.

    Args:
      name: of the reader, which is that of its folder in the run's.
      workdir: of the run.
      abstract: shapes of the reader's parameters.
      mesh: where they are loaded to.

    Raises:
      UserError: the parameters do not divide by the mesh.
    """

    def __init__(self, name: str, workdir: Path, abstract: dict, mesh: Mesh):
        self.name, self.folder, self.abstract = name, workdir / name, abstract
        self._placed = sharding.placed(abstract, mesh)

    @property
    def is_finished(self) -> bool:
        """Whether the reader was trained to the end."""
        return agreement.decided(self._path.exists())

    def is_done(self) -> bool:
        """``is_finished``, which is said if so."""
        if finished := self.is_finished:
            print(f'{self.name}: done', flush=True)
        return finished

    @property
    def selected(self) -> Selected:
        """What the stage selected among its checkpoints.

        Raises:
          UserError: it did not come to its end, or the file that says so is broken.
        """
        if not self.is_finished:
            raise UserError(f'{self._path}: not there; first run the step that trains it')
        try:
            return Selected(**read_json(self._path))
        except TypeError:
            line = 'says nothing of checkpoints; delete it, and let the run that trains it go on'
            raise UserError(f'{self._path}: {line}') from None

    @property
    def kept(self) -> list[int]:
        """The steps of the checkpoints there are, ascending."""
        return agreement.decided(
            checkpoints.steps(self._checkpoints)[::-1] if identity.is_first() else []
        )

    def load(self, steps: Sequence[int]) -> dict:
        """The mean of the parameters of some checkpoints; of one, just these.

        Raises:
          UserError: there is no such checkpoint, or it is damaged.
        """
        return parts.load_mean(self._checkpoints, steps, self._placed)

    def chosen(self, selection: str = '') -> tuple[str, list[int]]:
        """A system and the checkpoints whose mean it is.

        Args:
          selection: one of ``loop.SELECTIONS``; '': the one that the stage reports.

        Returns:
          The reader's name, with the selection behind an @ where it is not the reported one, and
          the steps.

        Raises:
          UserError: no such selection, or as ``selected``.
        """
        selected = self.selected
        selection = selection or selected.selection
        steps = choose(selected.choices, selection, 'selection')
        return (self.name if selection == selected.selection else f'{self.name}@{selection}'), steps

    def reported(self) -> dict:
        """The parameters that the stage reports; raises as ``selected`` and ``load``."""
        return self.load(self.chosen()[1])

    def calibration(self, steps: Sequence[int]) -> Calibration:
        """What was fitted for the mean of some checkpoints; of none known, nothing.

        Raises:
          UserError: the file that says so is broken.
        """
        kept = self._calibrations.get(_key(steps))
        return UNCALIBRATED if kept is None else values.build(Calibration, kept)

    def is_calibrated(self, steps: Sequence[int]) -> bool:
        """Whether that was tried for the mean of some checkpoints, with or without a fit."""
        return _key(steps) in self._calibrations

    def keep_calibration(self, steps: Sequence[int], found: Calibration) -> None:
        """Write it beside those of other checkpoints."""
        kept = self._calibrations | {_key(steps): asdict(found)}
        write_json(self.folder / 'calibration.json', kept)

    @property
    def _calibrations(self) -> dict[str, dict]:
        """By their checkpoints, as they are kept."""
        return read_object(self.folder / 'calibration.json')

    @property
    def _checkpoints(self) -> Path:
        return self.folder / 'checkpoints'

    @property
    def _path(self) -> Path:
        return self.folder / 'selected.json'


def _key(steps: Sequence[int]) -> str:
    return ','.join(map(str, steps))
