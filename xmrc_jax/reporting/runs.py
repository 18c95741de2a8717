"""Folders of runs and sweeps to studies: rows of a table, each with its runs over seeds.

Owns what is read of ``config.json``, ``results.json``, ``metrics.jsonl`` and ``sweep.json``. It
knows no gold answers. Runs given one by one that differ in nothing but their seed are one row.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from xmrc_jax.evaluate import paper
from xmrc_jax.evaluate.tables import Record, read_records, record_path
from xmrc_jax.ground.errors import UserError

PLACES = ('mesh', 'profile')  # leaves of a configuration that say where, not what


@dataclass(frozen=True)
class Run:
    """One working folder; `records` is empty where the run is not finished."""

    folder: Path
    config: dict = field(repr=False)
    records: tuple[Record, ...] = field(repr=False)

    @property
    def systems(self) -> list[str]:
        return list(dict.fromkeys(record.system for record in self.records))

    def of(self, system: str) -> list[Record]:
        """The records of one system."""
        return [record for record in self.records if record.system == system]

    def answers(self, record: Record) -> dict[str, str]:
        """The best answer to each question id.

        Raises:
          UserError: the file cannot be read.
        """
        return _json(record_path(self.folder, record))

    def n_best(self, record: Record) -> dict[str, list[dict]]:
        """The n-best answers to each question id, in run_qa's layout.

        Raises:
          UserError: the file cannot be read.
        """
        return _json(record_path(self.folder, record).with_suffix('.nbest.json'))

    def metrics(self, system: str) -> list[dict]:
        """The whole lines of ``metrics.jsonl`` of a reader's training; none where it has none."""
        path = self.folder / system / 'metrics.jsonl'
        if not path.exists():
            return []
        lines = path.read_text('utf-8').splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith('\n')]


class Trial(NamedTuple):
    """One seed of an entry; `run` has no records where it is not finished."""

    seed: int
    run: Run


@dataclass(frozen=True)
class Entry:
    """One row: a system and the runs that had it trained, one per seed.

    Attributes:
      label: of the row.
      system: as the runs' records call it.
      trials: by seed.
      x: place on the axis of the plot, None where there is none.
      rows: table and row of `evaluate.paper` to compare with; one for each dataset.
    """

    label: str
    system: str
    trials: tuple[Trial, ...]
    x: float | None = None
    rows: tuple[tuple[str, str], ...] = ()

    def records(self) -> Iterator[tuple[int, Run, Record]]:
        """Every record of this row, with its seed and run."""
        for seed, run in self.trials:
            for record in run.of(self.system):
                yield seed, run, record

    def printed(self, dataset: str) -> tuple[str, paper.Row] | None:
        """Table and row of F1/EM that the paper prints for a dataset, or None."""
        for table, row in self.rows:
            if paper.TABLES[table].dataset == dataset and table != 'table_2':
                return table, next(each for each in paper.TABLES[table].rows if each.system == row)
        return None


@dataclass(frozen=True)
class Study:
    """A sweep, or the runs given one by one."""

    title: str
    axis: str
    entries: tuple[Entry, ...]
    folder: Path

    @property
    def runs(self) -> list[Run]:
        """Each run once, finished or not."""
        runs = {trial.run.folder: trial.run for entry in self.entries for trial in entry.trials}
        return list(runs.values())

    @property
    def finished(self) -> list[Run]:
        return [run for run in self.runs if run.records]


def read(folders: Sequence[Path]) -> list[Study]:
    """Studies of the folders named on the command line; plain runs make up one of their own.

    Raises:
      UserError: a folder is missing, holds neither results nor a sweep, or a file is broken.
    """
    studies, plain = [], []
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f'{folder}: no such folder')
        if (folder / 'sweep.json').exists():
            studies.append(_sweep(folder))
            continue
        run = _run(folder)
        if not run.records:
            raise UserError(
                f'{folder}: neither results.json nor sweep.json; name the folder of a run that '
                'has come to its end, or of a sweep'
            )
        plain.append(run)
    return ([_plain(plain)] if plain else []) + studies


def _json(path: Path):
    try:
        return json.loads(path.read_text('utf-8'))
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from None
    except ValueError as error:
        raise UserError(f'{path}: broken JSON: {error}') from None


def _run(folder: Path) -> Run:
    """A run as far as it has come."""
    try:
        records = read_records(folder)
    except FileNotFoundError:
        return Run(folder, {}, ())
    return Run(folder, _json(folder / 'config.json'), records)


def _plain(runs: list[Run]) -> Study:
    groups: dict[str, list[Run]] = {}
    for run in runs:
        same = {k: v for k, v in run.config.items() if k not in ('seed', *PLACES)}
        groups.setdefault(json.dumps(same, sort_keys=True), []).append(run)
    entries = [
        Entry(
            f'{group[0].folder.name}: {system}' if len(groups) > 1 else system,
            system,
            tuple(Trial(run.config['seed'], run) for run in group),
            rows=_printed(group[0].config, system),
        )
        for group in groups.values()
        for system in group[0].systems
    ]
    title = ', '.join(run.folder.resolve().name for run in runs)
    return Study(title, '', tuple(entries), runs[0].folder)


def _printed(config: dict, system: str) -> tuple[tuple[str, str], ...]:
    """The rows of tables 5 and 6 that a run with the paper's own settings reproduces."""
    if config['model']['name'] != 'xlmr_base' or config['data']['train'][:1] != ['squad/train']:
        return ()
    method = config['two_stage']
    own = (method['hard_learning'], method['alpha'], method['temperature'])
    row = {'base': 'XLM-R base', 'two_stage': 'Ours'}.get(system.partition('@')[0])
    if row is None or (row == 'Ours' and own != ('per_candidate', 0.5, 10.0)):
        return ()
    setting = 'zero-shot' if len(config['data']['train']) == 1 else 'translate-train'
    return tuple((f'{table}/{setting}', row) for table in ('table_5', 'table_6'))


def _sweep(folder: Path) -> Study:
    path = folder / 'sweep.json'
    sweep = _json(path)
    try:
        trials: dict[str, list[Trial]] = {}
        runs: dict[str, Run] = {}
        for each in sweep['runs']:
            name = each['folder']
            if name not in runs:
                runs[name] = _run(folder / name)
            trials.setdefault(each['entry'], []).append(Trial(each['seed'], runs[name]))
        entries = [
            Entry(
                each['label'],
                each['system'],
                tuple(trials.get(each['label'], ())),
                each['x'],
                _known(path, each['paper']),
            )
            for each in sweep['entries']
        ]
        study = Study(sweep['title'], sweep['axis'], tuple(entries), folder)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f'{path}: half-written or no sweep: {error!r}') from None
    strays = sorted(set(trials) - {entry.label for entry in entries})
    if strays:
        raise UserError(f'{path}: runs of an entry that is not listed: {", ".join(strays)}')
    return study


def _known(path: Path, printed: list | None) -> tuple[tuple[str, str], ...]:
    if printed is None:
        return ()
    table, row = printed
    known = [each.system for each in paper.TABLES[table].rows] if table in paper.TABLES else []
    if row not in known and table != 'table_2':  # whose rows are values of k
        raise UserError(f'{path}: the paper prints no row {row!r} in {table!r}')
    return ((table, row),)
