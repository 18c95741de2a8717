"""Folders of runs and sweeps to studies: rows of a table, each with its runs over seeds.

Owns what is read of ``results.json``, ``metrics.jsonl`` and ``sweep.json``. It knows no
configuration and no gold answers. Runs given one by one that differ in nothing but their seed are
one row.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from xmrc_jax.evaluate.records import Record, read_records, record_path
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_json, read_json_lines
from xmrc_jax.reporting import paper


@dataclass(frozen=True)
class Setup:
    """What a report has to know of how a run was made."""

    seed: int
    key: str  # equal for runs that differ in nothing but their seed and the place they ran in
    encoder: str
    training: tuple[str, ...]  # names of corpora
    mix: str  # how their languages are mixed
    method: tuple[str, float, float]  # hard learning, alpha and temperature of the second stage
    gold_is_last: bool  # in Z
    facts: tuple[tuple[str, str], ...] = ()  # what else is told of the run, each by its name


@dataclass(frozen=True)
class Run:
    """One working folder; without records and setup where the run is not finished. Methods raise
    UserError where a file cannot be read."""

    folder: Path
    records: tuple[Record, ...] = field(repr=False)
    setup: Setup | None = None

    @property
    def systems(self) -> list[str]:
        """The readers, then what else was chosen or decoded of them."""
        systems = dict.fromkeys(record.system for record in self.records)
        return sorted(systems, key=lambda system: '@' in system)

    @property
    def readers(self) -> list[str]:
        """Systems that were trained, not another choice or decoding of one that was."""
        return [system for system in self.systems if '@' not in system]

    def of(self, system: str) -> list[Record]:
        """The records of one system."""
        return [record for record in self.records if record.system == system]

    def answers(self, record: Record) -> dict[str, str]:
        """The best answer to each question id."""
        return read_json(record_path(self.folder, record))

    def spans(self, record: Record) -> dict[str, tuple[int, int]]:
        """The characters [start, end) of the best answer to each question id; of runs that stored
        none, none."""
        return {
            id_: (best['start'], best['end'])
            for id_, answers in self.n_best(record).items()
            for best in answers[:1]
            if 'start' in best
        }

    def n_best(self, record: Record) -> dict[str, list[dict]]:
        """The n-best answers to each question id, in run_qa's layout."""
        return read_json(record_path(self.folder, record).with_suffix('.nbest.json'))

    def metrics(self, system: str) -> list[dict]:
        """The whole lines of ``metrics.jsonl`` of a reader's training; none where it has none."""
        return read_json_lines(self.folder / system / 'metrics.jsonl')


class Trial(NamedTuple):
    """One seed of an entry; `run` has no records where it is not finished."""

    seed: int
    run: Run


@dataclass(frozen=True)
class Entry:
    """One row: a system, as the records call it, and the runs that had it trained, one per seed."""

    label: str
    system: str
    trials: tuple[Trial, ...]
    x: float | None = None  # place on the axis of the plot
    rows: tuple[tuple[str, str], ...] = ()  # table and row of `paper` to compare with, by dataset

    def records(self, dataset: str = '') -> Iterator[tuple[int, Run, Record]]:
        """Every record of this row, or those of one dataset, with its seed and run."""
        for seed, run in self.trials:
            for record in run.of(self.system):
                if dataset in ('', record.dataset):
                    yield seed, run, record

    def printed(self, dataset: str) -> tuple[str, paper.Row] | None:
        """Table and row of F1/EM that the paper prints for a dataset, or None."""
        for table, row in self.rows:
            if paper.TABLES[table].dataset == dataset and table != 'table_2':
                return table, next(each for each in paper.TABLES[table].rows if each.system == row)
        return None


@dataclass(frozen=True)
class Study:
    """A sweep, or the runs given one by one; a run is a study of its systems."""

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


def of_records(folder: Path, records: Sequence[Record]) -> Study:
    """The study of one run, from what it has just scored."""
    run = Run(folder, tuple(records))
    entries = (Entry(system, system, (Trial(0, run),)) for system in run.systems)
    return Study('Results', '', tuple(entries), folder)


def read(folders: Sequence[Path], setup_of: Callable[[Path], Setup]) -> list[Study]:
    """Studies of folders of runs and sweeps; plain runs make up one of their own.

    Raises:
      UserError: a folder is missing, holds neither results nor a sweep, or a file is broken.
    """
    studies, plain = [], []
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f'{folder}: no such folder')
        if (folder / 'sweep.json').exists():
            studies.append(_sweep(folder, setup_of))
            continue
        run = _run(folder, setup_of)
        if not run.records:
            raise UserError(
                f'{folder}: neither results.json nor sweep.json; name the folder of a run that '
                'has come to its end, or of a sweep'
            )
        plain.append(run)
    return ([_plain(plain)] if plain else []) + studies


def _run(folder: Path, setup_of: Callable[[Path], Setup]) -> Run:
    """A run as far as it has come."""
    records = read_records(folder)
    return Run(folder, records, setup_of(folder) if records else None)


def _plain(runs: list[Run]) -> Study:
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.setup.key, []).append(run)
    entries = [
        Entry(
            f'{group[0].folder.name}: {system}' if len(groups) > 1 else system,
            system,
            tuple(Trial(run.setup.seed, run) for run in group),
            rows=_reproduced(group[0].setup, system),
        )
        for group in groups.values()
        for system in group[0].systems
    ]
    title = ', '.join(run.folder.resolve().name for run in runs)
    return Study(title, '', tuple(entries), runs[0].folder)


# The rows of tables 5 and 6 by the system that reproduces them and how its languages are mixed.
ROWS = {
    ('base', 'none'): 'XLM-R base',
    ('two_stage', 'none'): 'Ours',
    ('base', 'pairs'): 'mixMRC',
    ('distil', 'pairs'): 'LBMRC',
    ('lakm', 'none'): 'LAKM',
    ('calibrate', 'none'): 'CalibreNet',
}


def _reproduced(setup: Setup, system: str) -> tuple[tuple[str, str], ...]:
    """The rows of tables 5 and 6 that a run with the paper's own settings reproduces."""
    if setup.encoder != 'xlmr_base' or setup.training[:1] != ('squad/train',):
        return ()
    row = ROWS.get((system.partition('@')[0], setup.mix))
    if row == 'Ours' and setup.method != ('per_candidate', 0.5, 10.0):
        return ()
    setting = 'zero-shot' if len(setup.training) == 1 else 'translate-train'
    tables = (f'{table}/{setting}' for table in ('table_5', 'table_6'))
    return tuple((table, row) for table in tables if row in _systems(table))


def _sweep(folder: Path, setup_of: Callable[[Path], Setup]) -> Study:
    path = folder / 'sweep.json'
    sweep = read_json(path)
    try:
        runs = {each['folder']: _run(folder / each['folder'], setup_of) for each in sweep['runs']}
        trials: dict[str, list[Trial]] = {}
        for each in sweep['runs']:
            trials.setdefault(each['entry'], []).append(Trial(each['seed'], runs[each['folder']]))
        entries = []
        for each in sweep['entries']:
            own, rows = trials.pop(each['label'], ()), _known(path, each['paper'])
            entries.append(Entry(each['label'], each['system'], tuple(own), each['x'], rows))
        study = Study(sweep['title'], sweep['axis'], tuple(entries), folder)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f'{path}: half-written or no sweep: {error!r}') from None
    if trials:
        strays = ', '.join(sorted(trials))
        raise UserError(f'{path}: runs of an entry that is not listed: {strays}')
    return study


def _systems(table: str) -> list[str]:
    """The rows that the paper prints in a table."""
    return [each.system for each in paper.TABLES[table].rows] if table in paper.TABLES else []


def _known(path: Path, printed: list | None) -> tuple[tuple[str, str], ...]:
    if printed is None:
        return ()
    table, row = printed
    if row not in _systems(table) and table != 'table_2':  # whose rows are values of k
        raise UserError(f'{path}: the paper prints no row {row!r} in {table!r}')
    return ((table, row),)
