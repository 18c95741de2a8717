"""Run a table or figure of the paper: every entry with every seed.

    python -m xmrc_jax.sweep --config configs/tables/alpha.py \\
        --workdir runs/alpha --seeds 3
    xmrc sweep --config tables/alpha --workdir runs/alpha --seeds 3  # installed

Seeds are config.seed and those after it. What entries share is computed once.
Each run is a process of its own, one after the other; the same command skips
what is done and continues the rest. Or one task each, as launch/sweep.sh has
SLURM do: --dry_run lists the tasks, --task=N runs one. results.md has mean and
deviation over seeds.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

from absl import flags

from xmrc_jax import main, report
from xmrc_jax.ground.commands import command
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_object, write_json

SEEDS = flags.DEFINE_integer('seeds', 1, 'How many seeds, from config.seed on.')
TASK = flags.DEFINE_integer('task', None, 'Run this task alone, as --dry_run numbers them.')
DRY_RUN = flags.DEFINE_bool('dry_run', False, 'List the tasks and run nothing.')


def sweep(argv: list[str]) -> None:
    """The command's body; raises as ``main.main``."""
    config, workdir = main.read_flags(argv)

    from xmrc_jax.recipe import grid, settings  # after the flags: importing JAX takes seconds

    table, path = settings.read_table(config), workdir / 'sweep.json'
    existing = read_object(path)
    named = grid.folders_of(existing) if existing else {}
    listed = grid.tasks(settings.read(config), table, SEEDS.value, named)
    if DRY_RUN.value:
        print(*_lines(listed, workdir), sep='\n')
        return
    described = grid.described(table, listed)
    _write_once(path, existing, described)
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
    _report(workdir)


def _lines(listed: list, workdir: Path) -> list[str]:
    """Number, kind, state and folder of every task."""
    return [
        f'task {number:3} {"run   " if task.labels else "shared"} '
        f'{"done" if task.is_done(workdir) else "to do"}  {workdir / task.folder}'
        + (f'  on {task.shared}' if task.shared else '')
        for number, task in enumerate(listed)
    ]


def _write_once(path: Path, existing: dict, described: dict) -> None:
    """A folder belongs to one table; more seeds may be added to it, and rows called otherwise."""
    if existing:
        before, now = map(_without_labels, (existing, described))
        if different := [name for name in before if before[name] != now[name]]:
            raise UserError(
                f'{path}: this folder holds another table ({different[0]} differs); '
                'choose another --workdir'
            )
        if len(existing['runs']) > len(described['runs']):
            raise UserError(f'{path}: holds more seeds than --seeds={SEEDS.value}')
    if existing != described:
        write_json(path, described)


def _without_labels(sweep: dict) -> dict:
    entries = [{k: each[k] for k in ('x', 'system', 'paper')} for each in sweep['entries']]
    return {'title': sweep['title'], 'entries': entries}


def _run_all(listed: list, workdir: Path, argv: list[str]) -> None:
    """What is to do, in order; ends with the status of a run that did not end well."""
    for task in listed:
        task.check(workdir)
    to_do = [number for number, task in enumerate(listed) if not task.is_done(workdir)]
    started = time.monotonic()
    for place, number in enumerate(to_do):
        left = ''
        if place:
            seconds = (time.monotonic() - started) / place * (len(to_do) - place)
            left = f', about {seconds / 60:.0f} min left'
        folder = workdir / listed[number].folder
        print(f'\ntask {place + 1} of {len(to_do)}: {folder}{left}', flush=True)
        command = [sys.executable, '-m', 'xmrc_jax.sweep', *argv[1:], f'--task={number}']
        if status := _run(command):
            from xmrc_jax.processes.ending import CONTINUES

            how = f'signal {-status}' if status < 0 else f'status {status}'
            main.end(status if status > 0 else 1, f'{folder}: ended with {how}; {CONTINUES}')


def _run(command: list[str]) -> int:
    """A child's exit status, negative where a signal ended it.

    SIGTERM goes on to the child, which saves and ends with 75; Ctrl-C it has heard itself.
    """
    child = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return child.wait()
    finally:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _report(workdir: Path) -> None:
    """The table, and the report's page with its plots."""
    from xmrc_jax.recipe.reopen import Reopened  # importing JAX takes seconds
    from xmrc_jax.reporting import runs, scores

    (study,) = runs.read([workdir], lambda folder: Reopened(folder).setup)
    print('', study.title, '', scores.write(workdir, study), sep='\n')
    print(f'tables: {workdir}/results.md; runs: {workdir}/sweep.json', flush=True)
    report.main([str(workdir)])


if __name__ == '__main__':
    command(lambda: sweep(sys.argv), main.end)
