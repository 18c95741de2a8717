"""A configuration becomes a value at the door: ``read`` makes a ``Run`` of its leaves.

Owns what a run's configuration is as a whole, how it lies in a working folder, how one is varied
into another, and whether two are of the same run. Each part of a ``Run`` is defined where it is
used; each default stands in the configuration files alone.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from xmrc_jax.ground import values
from xmrc_jax.ground.differences import differences
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_json
from xmrc_jax.ground.values import leaf
from xmrc_jax.recipe.calibrenet import CalibrateOptions
from xmrc_jax.recipe.distillation import DistilOptions
from xmrc_jax.recipe.encoders import ModelOptions
from xmrc_jax.recipe.fit import TrainOptions, TwoStageOptions
from xmrc_jax.recipe.inputs import DataOptions
from xmrc_jax.recipe.lakm import LakmOptions
from xmrc_jax.recipe.mining import MineOptions
from xmrc_jax.recipe.scoring import EvaluateOptions
from xmrc_jax.train.sharding import MeshShape

# Leaves of earlier versions, for readings that changed nothing (docs/method.md), and what each
# said of a run that computes now what it computed then; None: whatever it said.
GONE = {
    'two_stage.mentions': 'apart',
    'two_stage.entropy_bonus': None,
    'two_stage.hard_em_steps': None,
}


@dataclass(frozen=True)
class Run:
    """What one run computes, and where; ``configs/paper.py`` says what each leaf is.

    Raises:
      UserError: parts that do not go together.
    """

    seed: int = leaf(at_least=0, below=2**63)
    recipe: tuple[str, ...] = leaf(late=True)
    model: ModelOptions
    data: DataOptions
    train: TrainOptions
    mine: MineOptions
    method: TwoStageOptions = leaf(section='two_stage', late=True)
    distil: DistilOptions = leaf(late=True)
    calibrate: CalibrateOptions = leaf(late=True)
    lakm: LakmOptions = leaf(late=True)
    evaluate: EvaluateOptions
    mesh: MeshShape = leaf(where=True)
    profile: int = leaf(where=True, at_least=0)

    def __post_init__(self):
        self.method.reading.hard.check(self.mine.candidates)
        loop, others = self.train.loop, self.evaluate.selections
        if loop.patience and not self.data.dev:
            raise UserError(f'train.patience={loop.patience}: needs a dev set; name data.dev')
        if 'average' in (loop.selection, *others) and 0 < loop.keep < loop.average:
            raise UserError(
                f'train.keep={loop.keep}: the mean of train.average={loop.average} '
                'checkpoints needs as many; keep more, or 0 for all'
            )


def read(config: ConfigDict) -> Run:
    """The value of a configuration, without its table where it has one.

    Raises:
      UserError: a leaf is missing, unknown, of another type, or says what is impossible.
    """
    leaves = {name: content for name, content in config.to_dict().items() if name != 'table'}
    return values.build(Run, leaves)


def read_table(config: ConfigDict) -> dict[str, Any]:
    """Name, title, axis and entries of a table's configuration, see ``configs/tables``.

    Raises:
      UserError: it has no table.
    """
    if 'table' not in config:
        raise UserError('--config: has no table; name a file of configs/tables')
    return config.table.to_dict()


def vary(run: Run, changes: Mapping[str, Any]) -> Run:
    """A run with other contents of some leaves, by their paths, such as 'two_stage.alpha'.

    Raises:
      UserError: as ``read``.
    """
    contents = {path: each.value for path, each in values.leaves(run).items()}
    return values.build(Run, contents | dict(changes))


def what(run: Run, without: Iterable[str] = ()) -> dict[str, Any]:
    """The leaves, by their paths, that say what a run computes, not where."""
    return {
        path: each.value
        for path, each in values.leaves(run).items()
        if not each.metadata.get('where') and path not in without
    }


def same_but_seed(run: Run) -> str:
    """Equal for two runs that differ in nothing but their seed and where they compute."""
    return json.dumps(what(run, without=('seed',)), sort_keys=True)


def of_the_base(run: Run) -> dict[str, Any]:
    """The leaves that the base reader, what it mines and its answers depend on."""
    late = [path for path, each in values.leaves(run).items() if each.metadata.get('late')]
    if run.mine.n_best:  # else Z has all that is mined
        late.append('mine.candidates')
    return what(run, without=late)


# -- a configuration in a working folder ---------------------------------------------------------


def stored(run: Run, global_batch: int) -> dict[str, Any]:
    """The contents of ``config.json``: nested leaves, and the windows of a batch that they give."""
    return values.plain(run) | {'global_batch': global_batch}


def read_folder(folder: Path) -> Run:
    """The run of a working folder, which an earlier version may have written.

    Raises:
      UserError: ``config.json`` cannot be read, or is of a version that knew other leaves.
    """
    return _read_stored(folder)[0]


def same_run(folder: Path, run: Run, global_batch: int | None = None) -> None:
    """Refuse a folder that holds a run which computes something else.

    Args:
      folder: any; one without ``config.json`` is nobody's.
      run: that is to go on there, perhaps on another mesh.
      global_batch: windows of its batch; None: whatever the folder's run had.

    Raises:
      UserError: names the leaves that differ.
    """
    path = folder / 'config.json'
    if not path.exists():
        return
    previous, batch = _read_stored(folder)
    before, now = what(previous), what(run)
    if global_batch is not None:
        before['global_batch'], now['global_batch'] = batch, global_batch
    if different := list(differences(before, now)):
        raise UserError(
            f'{path}: this folder holds a run of another configuration: {"; ".join(different)}; '
            'choose another --workdir, or the same configuration to continue'
        )


def _read_stored(folder: Path) -> tuple[Run, int]:
    path = folder / 'config.json'
    contents = read_json(path)
    try:
        leaves = dict(values.flat(contents))
        batch = leaves.pop('global_batch')
        for name, same in GONE.items():
            if name in leaves and leaves.pop(name) != same and same is not None:
                raise UserError(f'{name}: only {same!r} is left of its readings')
        return values.build(Run, leaves, stored=True), batch
    except (KeyError, AttributeError, TypeError):
        raise UserError(f'{path}: not the configuration of a run') from None
    except UserError as error:
        raise UserError(f'{path}: {error}') from None
