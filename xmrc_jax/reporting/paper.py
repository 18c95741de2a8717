"""The cells that Chen et al. 2022 print in tables 1, 2, 5, 6 and 7 and in the appendix.

Reads the transcription in ``paper.toml``, which says where the print is odd, and nothing else: no
average is computed here, no cell is filled in.
"""

import tomllib
from pathlib import Path
from typing import NamedTuple

LANGUAGES = ('en', 'es', 'de', 'ar', 'hi', 'vi')


def order(language: str) -> tuple[bool, int, str]:
    """Sorts the paper's languages as it does, the others behind them."""
    known = language in LANGUAGES
    return not known, LANGUAGES.index(language) if known else 0, language


class Row(NamedTuple):
    """One printed row."""

    system: str  # as the paper calls it
    cells: dict[str, tuple[float, ...]]  # language -> (F1, EM) in percent, (EM,) in table 2
    average: tuple[float, ...]  # as printed; () where none is
    deviations: dict[str, float]  # language, or 'average' -> what is printed as '(± 0.1)'


class Printed(NamedTuple):
    """One printed table, or the half of one that belongs to one training or dataset."""

    dataset: str
    rows: tuple[Row, ...]


def _printed(table: dict[str, str]) -> Printed:
    behind_ours = map(float, table.get('deviations', '').split())
    deviations = {'Ours': dict(zip((*LANGUAGES, 'average'), behind_ours, strict=False))}
    rows = []
    for line in table['rows'].splitlines():
        system, cells, average = (part.strip() for part in line.split('|'))
        numbers = zip(LANGUAGES, map(_numbers, cells.split()), strict=True)
        cells = {language: cell for language, cell in numbers if cell}
        rows.append(Row(system, cells, _numbers(average), deviations.get(system, {})))
    return Printed(table['dataset'], tuple(rows))


def _numbers(cell: str) -> tuple[float, ...]:
    return () if cell == '-' else tuple(map(float, cell.split('/')))


TABLES: dict[str, Printed] = {  # as 'table_5/zero-shot', 'appendix_2/xquad'
    name: _printed(table)
    for name, table in tomllib.loads(Path(__file__).with_suffix('.toml').read_text('utf-8')).items()
}
TOP_K: dict[str, dict[int, dict[str, tuple[float, ...]]]] = {  # dataset -> k -> language -> (EM,)
    TABLES['table_2'].dataset: {
        int(row.system.removeprefix('Top-')): row.cells for row in TABLES['table_2'].rows
    }
}
SCORES: dict[str, dict[str, tuple[Row, ...]]] = {  # dataset -> setting -> rows of tables 5 and 6
    dataset: {
        setting: TABLES[f'{table}/{setting}'].rows for setting in ('zero-shot', 'translate-train')
    }
    for dataset, table in (('mlqa/test', 'table_5'), ('xquad/test', 'table_6'))
}
