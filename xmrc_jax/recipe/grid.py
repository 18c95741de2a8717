"""The runs of a table, and what they share: from a configuration to tasks in folders.

Two runs share their base reader and what it mined where every leaf agrees that those depend on.
What is shared is a run of its own, of fewer steps; a run that builds on it finds its folders
behind relative links, so that its steps take them for done.

    sweep.json                          entries and runs, see ``xmrc_jax.sweep``
    shared/{number}/seed-{seed}/        base reader, mined set, its answers: a run without two_stage
    {label}/seed-{seed}/                a run; base, candidates, ... lead to what it shares
"""

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ml_collections import ConfigDict

from xmrc_jax.ground.errors import UserError

SHARED = ('base', 'mine', 'score')  # steps of a recipe that a shared part can take over
LINKED = ('base', 'folds', 'candidates')  # what they make, besides predictions


@dataclass(frozen=True)
class Task:
    """One run, or one shared part.

    Attributes:
      folder: relative to the sweep's.
      config: of the run, with its seed.
      labels: of the entries it serves; none of a shared part.
      shared: folder of the part it builds on; '' for none.
    """

    folder: str
    config: ConfigDict
    labels: tuple[str, ...] = ()
    shared: str = ''

    @property
    def seed(self) -> int:
        """Of the run."""
        return self.config.seed

    def is_done(self, workdir: Path) -> bool:
        """Whether its last step was done: scoring is."""
        return (workdir / self.folder / 'results.json').exists()

    def check(self, workdir: Path) -> None:
        """Refuse a folder that holds a run of another configuration, with the difference."""
        from xmrc_jax.recipe.workdir import same_configuration  # importing JAX takes seconds

        path = workdir / self.folder / 'config.json'
        if path.exists():
            batch = json.loads(path.read_text('utf-8'))['global_batch']
            same_configuration(
                path.parent, json.loads(self.config.to_json()) | {'global_batch': batch}
            )

    def link(self, workdir: Path) -> None:
        """Make the run's folder and lead it to what it shares.

        Raises:
          UserError: that is not done.
        """
        if not self.shared:
            return
        part, run = workdir / self.shared, workdir / self.folder
        if not (part / 'results.json').exists():
            raise UserError(f'{part}: not done, and {run} builds on it; first run its task')
        predictions = [f'predictions/{each.name}' for each in (part / 'predictions').glob('*')]
        for name in (*LINKED, *sorted(predictions)):
            link = run / name
            if (part / name).exists() and not link.is_symlink():
                link.parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileExistsError):  # another process of the run was faster
                    link.symlink_to(os.path.relpath(part / name, link.parent))


def tasks(config: ConfigDict, seeds: int) -> list[Task]:
    """Shared parts, then runs, each in the order of the table and the seeds.

    Entries of equal configurations are one run.

    Args:
      config: with ``table``, see ``configs/tables``.
      seeds: how many, from ``config.seed`` on.

    Raises:
      UserError: no table, an entry's label is not unique, or it changes an unknown leaf.
    """
    if 'table' not in config:
        raise UserError('--config: has no table; name a file of configs/tables')
    if seeds < 1:
        raise UserError(f'--seeds={seeds}: at least 1')
    labels = [entry['label'] for entry in config.table.entries]
    folders = [_slug(label) for label in labels]
    if len(set(folders)) < len(folders):
        raise UserError(f'--config: labels of entries are not unlike enough: {", ".join(labels)}')
    shared: dict[str, list[Task]] = {}
    runs: dict[str, Task] = {}
    for entry, folder in zip(config.table.entries, folders, strict=True):
        for seed in range(config.seed, config.seed + seeds):
            own = changed(config, entry['changes'] | {'seed': seed})
            key = own.to_json(sort_keys=True)
            first = runs.get(key, Task(f'{folder}/seed-{seed}', own))
            runs[key] = Task(first.folder, own, (*first.labels, entry['label']))
    for task in runs.values():
        shared.setdefault(_shared_key(task.config), []).append(task)
    parts, ordered = [], []
    bases = {key: number for number, key in enumerate(dict.fromkeys(map(_seedless, shared)), 1)}
    for key, users in shared.items():
        if len(users) > 1:
            steps = {step for user in users for step in user.config.recipe}
            recipe = tuple(step for step in SHARED if step in steps)
            folder = f'shared/{bases[_seedless(key)]}/seed-{users[0].seed}'
            parts.append(Task(folder, changed(users[0].config, {'recipe': recipe})))
            users = [Task(user.folder, user.config, user.labels, folder) for user in users]
        ordered += users
    place = {task.folder: number for number, task in enumerate(runs.values())}
    return parts + sorted(ordered, key=lambda task: place[task.folder])


def changed(config: ConfigDict, changes: dict) -> ConfigDict:
    """A copy for one run, with some leaves changed and without the table."""
    plain = ConfigDict({name: value for name, value in config.items() if name != 'table'})
    own = plain.copy_and_resolve_references()
    for name, value in changes.items():
        if not _has(plain, name):
            raise UserError(f'an entry of the table changes {name}, which is no leaf')
        try:
            own.update_from_flattened_dict({name: value})
        except (TypeError, ValueError) as error:
            told = ' '.join(str(error).split())
            raise UserError(f'an entry of the table changes {name}: {told}') from None
    return own.lock()


def described(config: ConfigDict, listed: Sequence[Task]) -> dict:
    """The contents of ``sweep.json``."""
    table = config.table
    names = ('label', 'x', 'system', 'paper')
    return {
        'name': table.name,
        'title': table.title,
        'axis': table.axis,
        'entries': [{name: entry[name] for name in names} for entry in table.entries],
        'runs': [
            {'entry': label, 'seed': task.seed, 'folder': task.folder}
            for entry in table.entries
            for task in listed
            for label in task.labels
            if label == entry['label']
        ],
    }


def _shared_key(config: ConfigDict) -> str:
    """All leaves that the base reader, what it mines and its answers depend on."""
    plain = json.loads(config.to_json())
    plain['two_stage'] = plain['two_stage']['softmax_over']  # the base reader's loss has it too
    for name in ('recipe', 'profile'):
        del plain[name]
    del plain['mine']['gold_slot']
    if plain['mine']['n_best']:  # else Z has all that is mined
        del plain['mine']['candidates']
    return json.dumps(plain, sort_keys=True)


def _seedless(key: str) -> str:
    return json.dumps(json.loads(key) | {'seed': None}, sort_keys=True)


def _has(config: ConfigDict, path: str) -> bool:
    for name in path.split('.'):
        if not isinstance(config, ConfigDict) or name not in config:
            return False
        config = config[name]
    return True


def _slug(label: str) -> str:
    """A folder's name: 'alpha = 0.3' is 'alpha=0.3'."""
    return re.sub(r'[^\w.=+-]+', '_', label.replace(' = ', '=')).strip('_.') or '_'
