"""Whether two revisions compute the same: commands in two checkouts, compared byte by byte.

    git worktree add ../before COMMIT
    python -m benchmarks.same ../before

runs the smoke recipe and table 7 at smoke size in both, continues here what was stopped half-way
there, and prints what differs. Exit status 1 where losses, predictions or results do. A table's
``results.md`` and page are for people and may be set otherwise: they are named, not compared.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

OF_THE_MACHINE = ('sequences_per_second', 'real_tokens_per_second', 'programs')  # and so begun
SMOKE = ['-m', 'xmrc_jax.main', '--config', 'configs/quickstart.py:smoke']
TABLE = ['-m', 'xmrc_jax.sweep', '--config', 'configs/tables/table_7.py:quickstart,smoke']
RESULTS = ('results.json', 'selected.json')
LONGER = '--config.train.epochs=6.0'  # long enough to be stopped in its second stage


def start(checkout: Path, words: list[str], workdir: Path) -> subprocess.Popen:
    """Runs a command in a checkout; one cache serves all, since windows are what they are."""
    cache = f'--config.data.cache={workdir.parents[1] / "cache"}'
    return subprocess.Popen(
        [sys.executable, *words, '--workdir', str(workdir), cache],
        cwd=checkout,
        env=os.environ | {'JAX_PLATFORMS': 'cpu'},
        stdout=subprocess.DEVNULL,
    )


def run(checkout: Path, words: list[str], workdir: Path) -> None:
    """The same, to its end."""
    if status := start(checkout, words, workdir).wait():
        sys.exit(f'{checkout}: {" ".join(words)} ended with status {status}')


def stopped(checkout: Path, words: list[str], workdir: Path) -> None:
    """The same, stopped by SIGTERM behind the first checkpoint of the second stage."""
    process = start(checkout, words, workdir)
    checkpoints = workdir / 'two_stage' / 'checkpoints'
    while not list(checkpoints.glob('[0-9]*/seal.json')):
        if process.poll() is not None:
            sys.exit(f'{checkout}: ended before it could be stopped')
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    print(f'stopped half-way with status {process.wait()}', flush=True)


def contents(workdir: Path) -> dict[str, object]:
    """Losses, predictions and results below a folder, by their paths.

    A run of a sweep is named by the number of its row, whatever the row is called.
    """
    found = dict(_contents(workdir))
    if not (workdir / 'sweep.json').exists():
        return found
    runs = json.loads((workdir / 'sweep.json').read_text('utf-8'))['runs']
    rows = {run['folder']: f'run {number}' for number, run in enumerate(runs)}
    return {
        f'{rows.get("/".join(name.split("/")[:2]), "shared")}: {name.split("/", 2)[-1]}': content
        for name, content in found.items()
    }


def _contents(workdir: Path) -> Iterator[tuple[str, object]]:
    for path in sorted(workdir.rglob('*')):
        name = path.relative_to(workdir).as_posix()
        if path.name == 'metrics.jsonl':
            lines = map(json.loads, path.read_text('utf-8').splitlines())
            yield (
                name,
                [
                    {key: line[key] for key in line if not key.startswith(OF_THE_MACHINE)}
                    for line in lines
                ],
            )
        elif path.is_file() and (path.name in RESULTS or 'predictions' in path.parts):
            yield name, path.read_bytes()


def compare(name: str, one: Path, other: Path) -> bool:
    """Prints what differs between two folders; whether nothing does."""
    before, after = contents(one), contents(other)
    different = [each for each in before | after if before.get(each) != after.get(each)]
    print(f'{name}: {len(before)} files, {len(different)} differ {different[:8]}', flush=True)
    return bool(before) and not different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('before', type=Path, help='another checkout of this repository')
    parser.add_argument('--workdir', type=Path, default=Path('runs/same'), help='a new folder')
    args = parser.parse_args()
    before, here, workdir = args.before.resolve(), Path.cwd(), args.workdir.resolve()
    for side, checkout in (('before', before), ('after', here)):
        run(checkout, SMOKE, workdir / side / 'smoke')
        run(checkout, [*TABLE, '--seeds=2'], workdir / side / 'table_7')
    same = [
        compare(name, workdir / 'before' / name, workdir / 'after' / name)
        for name in ('smoke', 'table_7')
    ]
    run(before, [*SMOKE, LONGER], workdir / 'before' / 'whole')
    stopped(before, [*SMOKE, LONGER], workdir / 'half' / 'run')
    run(here, [*SMOKE, LONGER], workdir / 'half' / 'run')
    same.append(compare('continued', workdir / 'before' / 'whole', workdir / 'half' / 'run'))
    sys.exit(not all(same))


if __name__ == '__main__':
    main()
