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
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from xmrc_jax.ground.errors import UserError
from xmrc_jax.recipe import settings
from xmrc_jax.recipe.settings import Run

SHARED = ('base', 'mine', 'score')  # steps of a recipe that a shared part can take over
LINKED = ('base', 'folds', 'candidates')  # what they make, besides predictions


@dataclass(frozen=True)
class Task:
    """One run, or one shared part."""

    folder: str  # relative to the sweep's
    run: Run  # with its seed
    labels: tuple[str, ...] = ()  # of the entries it serves; none of a shared part
    shared: str = ''  # folder of the part it builds on

    def is_done(self, workdir: Path) -> bool:
        """Whether its last step was done: scoring is."""
        return (workdir / self.folder / 'results.json').exists()

    def check(self, workdir: Path) -> None:
        """Refuse a folder that holds a run of another configuration, with the difference."""
        settings.same_run(workdir / self.folder, self.run)

    def link(self, workdir: Path) -> None:
        """Make the run's folder and lead it to what it shares; UserError where that is not done."""
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


def tasks(
    run: Run, table: dict, seeds: int, named: Mapping[tuple[int, int], str] | None = None
) -> list[Task]:
    """Shared parts, then runs, each in the order of the table (see ``configs/tables``) and seeds.

    Entries of equal configurations are one run. Seeds are so many from that of ``run``, which the
    entries change; ``named`` are folders that runs already have, see ``folders_of``.

    Raises:
      UserError: an entry's label is not unique, or it changes an unknown leaf.
    """
    if seeds < 1:
        raise UserError(f'--seeds={seeds}: at least 1')
    labels = [entry['label'] for entry in table['entries']]
    folders = [_slug(label) for label in labels]
    if len(set(folders)) < len(folders):
        raise UserError(f'--config: labels of entries are not unlike enough: {", ".join(labels)}')
    runs: dict[Run, Task] = {}
    for number, (entry, folder) in enumerate(zip(table['entries'], folders, strict=True)):
        for seed in range(run.seed, run.seed + seeds):
            own = _of_entry(run, entry, seed)
            name = (named or {}).get((number, seed), f'{folder}/seed-{seed}')
            first = runs.get(own, Task(name, own))
            runs[own] = replace(first, labels=(*first.labels, entry['label']))
    return _with_shared(list(runs.values()))


def _of_entry(run: Run, entry: dict, seed: int) -> Run:
    try:
        return settings.vary(run, entry['changes'] | {'seed': seed})
    except UserError as error:
        raise UserError(f'entry {entry["label"]!r} of the table changes {error}') from None


def _with_shared(runs: list[Task]) -> list[Task]:
    """The runs behind the parts that some of them share; a part is numbered alike for all seeds."""
    users: dict[str, list[Task]] = {}
    for task in runs:
        if 'base' in task.run.recipe:
            users.setdefault(_key(task.run), []).append(task)
    numbers, parts, shared = {}, [], {}
    for tasks_ in users.values():
        first = tasks_[0].run
        number = numbers.setdefault(_key(first, without=('seed',)), len(numbers) + 1)
        if len(tasks_) > 1:
            steps = {step for task in tasks_ for step in task.run.recipe}
            recipe = tuple(step for step in SHARED if step in steps)
            folder = f'shared/{number}/seed-{first.seed}'
            parts.append(Task(folder, settings.vary(first, {'recipe': recipe})))
            shared |= {task.folder: folder for task in tasks_}
    return parts + [replace(task, shared=shared.get(task.folder, '')) for task in runs]


def described(table: dict, listed: Sequence[Task]) -> dict:
    """The contents of ``sweep.json``."""
    names = ('label', 'x', 'system', 'paper')
    return {name: table[name] for name in ('name', 'title', 'axis')} | {
        'entries': [{name: entry[name] for name in names} for entry in table['entries']],
        'runs': [
            {'entry': entry['label'], 'seed': task.run.seed, 'folder': task.folder}
            for entry in table['entries']
            for task in listed
            if entry['label'] in task.labels
        ],
    }


def folders_of(sweep: dict) -> dict[tuple[int, int], str]:
    """Folders by number of entry and seed, as a ``sweep.json`` names them: a sweep goes on in the
    folders that it has, whatever an entry is called now."""
    numbers = {entry['label']: number for number, entry in enumerate(sweep['entries'])}
    return {(numbers[each['entry']], each['seed']): each['folder'] for each in sweep['runs']}


def _key(run: Run, without: tuple[str, ...] = ()) -> str:
    """Equal for runs that can share a base reader."""
    shared = {path: each for path, each in settings.of_the_base(run).items() if path not in without}
    return json.dumps(shared, sort_keys=True)


def _slug(label: str) -> str:
    """A folder's name, which no command takes for a flag: 'alpha=0.3', 'HL' of '- HL'."""
    return re.sub(r'[^\w.=+-]+', '_', label.replace(' = ', '=')).strip('_.-') or '_'
