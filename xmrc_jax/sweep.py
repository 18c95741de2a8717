"""Run a table or figure of the paper: every entry with every seed, what they share once.

    python -m xmrc_jax.sweep --config configs/tables/alpha.py --workdir runs/alpha --seeds 3

Seeds are config.seed and those after it. Each run is a process of its own, one after the other; the
same command skips what is done and continues the rest. Or one task each, as ``launch/sweep.sh`` has
SLURM do: ``--dry_run`` lists the tasks, ``--task=N`` runs one.

    sweep.json                 {name, title, axis, entries, runs}
    results.md                 mean and deviation over seeds
    {label}/seed-{seed}/       a run as ``xmrc_jax.main`` leaves it
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from absl import flags

from xmrc_jax import main
from xmrc_jax.ground.commands import command
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import write_json, write_text

SEEDS = flags.DEFINE_integer('seeds', 1, 'How many seeds, from config.seed on.')
TASK = flags.DEFINE_integer('task', None, 'Run this task alone, as --dry_run numbers them.')
DRY_RUN = flags.DEFINE_bool('dry_run', False, 'List the tasks and run nothing.')


def sweep(argv: list[str]) -> None:
    """The command's body; raises as ``main.main``."""
    config, workdir = main.read_flags(argv)

    from xmrc_jax.recipe import grid, settings  # after the flags: importing JAX takes seconds

    table = settings.read_table(config)
    listed = grid.tasks(settings.read(config), table, SEEDS.value)
    if DRY_RUN.value:
        print(*_lines(listed, workdir), sep='\n')
        return
    described = grid.described(table, listed)
    _write_once(workdir / 'sweep.json', described)
    if TASK.value is not None:
        if not 0 <= TASK.value < len(listed):
            raise UserError(f'--task={TASK.value}: there are tasks 0 to {len(listed) - 1}')
        task = listed[TASK.value]
        task.link(workdir)
        with main.together():
            from xmrc_jax.recipe import experiment

            experiment.run(task.run, workdir / task.folder)
        return
    print(*_lines(listed, workdir), sep='\n', flush=True)
    _run_all(listed, workdir, argv)
    _tell(described, workdir)


def _lines(listed: list, workdir: Path) -> list[str]:
    """Number, kind, state and folder of every task."""
    return [
        f'task {number:3} {"run   " if task.labels else "shared"} '
        f'{"done" if task.is_done(workdir) else "to do"}  {workdir / task.folder}'
        + (f'  on {task.shared}' if task.shared else '')
        for number, task in enumerate(listed)
    ]


def _write_once(path: Path, described: dict) -> None:
    """A folder belongs to one table; more seeds may be added to it."""
    if path.exists():
        there = json.loads(path.read_text('utf-8'))
        if different := [name for name in ('title', 'entries') if there[name] != described[name]]:
            raise UserError(
                f'{path}: this folder holds another table ({different[0]} differs); '
                'choose another --workdir'
            )
        if len(there['runs']) > len(described['runs']):
            raise UserError(f'{path}: holds more seeds than --seeds={SEEDS.value}')
    if not path.exists() or there != described:
        write_json(path, described)


def _run_all(listed: list, workdir: Path, argv: list[str]) -> None:
    """What is to do, in order; ends with the status of a run that did not end well."""
    for task in listed:
        task.check(workdir)
    to_do = [number for number, task in enumerate(listed) if not task.is_done(workdir)]
    told = _Told()
    started = time.monotonic()
    for place, number in enumerate(to_do):
        left = ''
        if place:
            seconds = (time.monotonic() - started) / place * (len(to_do) - place)
            left = f', about {seconds / 60:.0f} min left'
        folder = workdir / listed[number].folder
        print(f'\ntask {place + 1} of {len(to_do)}: {folder}{left}', flush=True)
        command = [sys.executable, '-m', 'xmrc_jax.sweep', *argv[1:], f'--task={number}']
        status = told.run(command)
        if status:
            ending = f'signal {-status}' if status < 0 else f'status {status}'
            from xmrc_jax.processes import cluster

            cluster.end(
                status if status > 0 else 1,
                f'{folder}: ended with {ending}; {cluster.CONTINUES}',
            )


class _Told:
    """Runs children; SIGTERM goes on to the one that runs, which saves and ends with 75."""

    def __init__(self):
        self._child = None
        signal.signal(signal.SIGTERM, self._tell)

    def _tell(self, *_) -> None:
        if self._child is None:
            sys.exit(75)
        self._child.terminate()

    def run(self, command: list[str]) -> int:
        """Its exit status; negative where a signal ended it."""
        self._child = subprocess.Popen(command)
        try:
            return self._child.wait()
        finally:
            self._child = None


def _tell(described: dict, workdir: Path) -> None:
    """The table, and the report's page with its plots."""
    from xmrc_jax.evaluate import spread, tables  # importing JAX takes seconds

    records = {entry['label']: [] for entry in described['entries']}
    systems = {entry['label']: entry['system'] for entry in described['entries']}
    for run in described['runs']:
        label = run['entry']
        of_run = tables.read_records(workdir / run['folder'])
        records[label].append([each for each in of_run if each.system == systems[label]])
    shown = list(spread.tables_of(records))
    text = '\n'.join(map(tables.markdown, shown))
    write_text(workdir / 'results.md', f'# {described["title"]}\n\n{text}')
    print('', described['title'], '', *map(tables.text, shown), sep='\n')
    print(f'tables: {workdir}/results.md; runs: {workdir}/sweep.json', flush=True)
    reported = subprocess.run([sys.executable, '-m', 'xmrc_jax.report', str(workdir)], check=False)
    if reported.returncode:
        sys.exit(reported.returncode)


if __name__ == '__main__':
    command(lambda: sweep(sys.argv), main.end)
