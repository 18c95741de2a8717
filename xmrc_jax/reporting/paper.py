"""The cells that Chen et al. 2022 print in tables 1, 2, 5, 6 and 7 and in the appendix.

Owns the transcription and nothing else: no average is computed here, no cell is filled in. Table 1
is the Top-1 column of table 2, and both are the EM of XLM-R base in table 5. Figures 2 and 4 and
the appendix's figure 1 are drawn without numbers, so there is nothing to write down. The appendix's
table 2 prints other digits than tables 5 and 6 for some cells of the same row 'Ours'; each table
keeps its own.
"""

from typing import NamedTuple

LANGUAGES = ('en', 'es', 'de', 'ar', 'hi', 'vi')


def order(language: str) -> tuple[bool, int, str]:
    """Sorts the paper's languages as it does, the others behind them."""
    known = language in LANGUAGES
    return not known, LANGUAGES.index(language) if known else 0, language


class Row(NamedTuple):
    """One printed row.

    Attributes:
      system: as the paper calls it.
      cells: language -> (F1, EM) in percent, (EM,) in table 2; languages not printed are absent.
      average: (F1, EM) as printed; () where none is.
      deviations: language, or 'average' -> what is printed behind the cell as '(± 0.1)'.
    """

    system: str
    cells: dict[str, tuple[float, ...]]
    average: tuple[float, ...]
    deviations: dict[str, float]


class Printed(NamedTuple):
    """One printed table, or the half of one that belongs to one training or dataset."""

    dataset: str
    rows: tuple[Row, ...]


# Table 6 prints the average EM of mixMRC as '55,20'; the appendix's table 2 calls the row w/ MML of
# XQuAD 'w/ML'. Table 7 prints three languages, the appendix's table 1 averages only.
_PRINTED = {
    'table_5/zero-shot': """
m-BERT     | 77.70/65.30 64.30/46.60 57.90/44.30 45.70/29.80 43.80/29.70 57.10/38.60 | 57.80/42.40
XLM        | 74.90/62.40 68.00/49.80 62.20/47.60 54.80/36.30 48.80/27.30 61.40/41.80 | 61.70/44.20
XLM-R base | 77.86/64.24 66.18/48.30 60.82/46.43 55.20/35.14 59.93/41.93 64.89/42.36 | 64.14/46.00
Info-XLM   | 79.15/64.80 67.07/48.49 58.24/46.00 55.15/38.78 59.66/43.98 64.44/43.28 | 64.25/47.60
Ours       | 79.03/65.59 67.52/49.56 62.98/48.70 57.68/39.40 61.79/44.70 66.74/45.34 | 66.00/48.88
""",
    'table_5/translate-train': """
XLM-R base | 77.15/64.41 68.51/50.40 62.24/47.99 56.60/38.42 61.39/43.93 66.70/44.36 | 65.45/48.25
LAKM       | 80.00/66.80 65.90/48.00 60.50/45.50 -           -           -           | -
CalibreNet | 79.68/66.51 68.04/50.77 61.66/47.55 56.14/37.83 59.97/43.84 66.92/46.59 | 65.40/48.84
Ours       | 80.11/66.84 69.04/51.20 64.58/49.75 58.54/41.03 62.77/46.54 67.92/47.19 | 67.16/50.44
""",
    'table_6/zero-shot': """
M-BERT     | 81.50/71.20 75.50/56.90 70.60/54.00 61.50/45.10 59.20/46.00 69.50/49.10 | 69.63/53.72
XLM        | 81.30/68.80 75.60/56.90 72.60/55.50 62.60/43.20 63.10/46.00 70.40/48.70 | 70.93/53.18
XLM-R base | 83.66/72.48 77.00/60.87 74.40/58.40 63.00/47.80 68.70/53.70 74.50/54.00 | 73.54/57.55
Info-XLM   | 85.15/72.80 76.15/59.30 73.88/59.00 63.51/49.78 69.66/54.90 73.21/55.25 | 73.76/58.51
Ours       | 84.51/74.59 78.25/61.67 75.89/59.79 65.18/50.04 70.79/55.45 75.74/56.46 | 75.06/59.87
""",
    'table_6/translate-train': """
XLM-R base | 82.59/71.30 78.55/60.20 76.42/60.69 65.15/48.42 71.35/56.43 76.10/56.68 | 75.03/58.96
mixMRC     | 82.40/69.20 78.80/58.70 75.40/58.20 63.60/42.40 66.20/50.00 72.60/52.70 | 73.17/55.20
LBMRC      | 83.40/70.10 80.00/59.60 76.50/59.80 65.00/44.50 67.40/52.00 74.60/55.50 | 74.48/56.92
Ours       | 84.06/73.11 80.04/61.68 77.88/62.48 66.54/50.34 73.77/58.90 77.64/57.49 | 76.66/60.66
""",
    'table_7': """
Ours       | - 69.04/51.20 - 58.54/41.03 - 67.92/47.19 | -
- HL       | - 67.64/49.45 - 57.10/39.18 - 66.00/45.49 | -
- AA-CL    | - 67.70/50.12 - 57.66/39.80 - 67.00/46.07 | -
w/ MML     | - 68.47/50.21 - 57.46/40.00 - 66.89/46.01 | -
""",
    'appendix_1/mlqa': """
Theta = 1        | - - - - - - | 66.00/48.88
Theta = 10       | - - - - - - | 65.80/48.67
Theta = 20       | - - - - - - | 66.10/49.12
top 1 prediction | - - - - - - | 65.02/47.94
random sample    | - - - - - - | 65.11/48.02
""",
    'appendix_1/xquad': """
Theta = 1        | - - - - - - | 75.06/59.87
Theta = 10       | - - - - - - | 74.96/59.50
Theta = 20       | - - - - - - | 74.89/59.41
top 1 prediction | - - - - - - | 74.55/59.24
random sample    | - - - - - - | 74.21/58.86
""",
    'appendix_2/mlqa': """
Info-XLM | 79.15/64.80 67.07/48.49 58.24/46.00 55.15/38.78 59.66/43.98 64.44/43.28 | 64.25/47.60
XLM-A | 78.80/64.70 67.64/48.95 61.88/47.23 55.95/37.42 58.04/41.47 65.59/43.49 | 64.72/47.12
XLM-R base | 77.86/64.24 66.18/48.30 60.82/46.43 55.20/35.14 59.93/41.93 64.89/42.36 | 64.14/46.00
Ours | 79.00/65.50 67.52/49.50 62.98/48.60 57.68/39.40 61.79/44.70 66.74/45.44 | 66.00/48.88
Removing HL | 78.10/64.50 66.44/48.00 62.40/47.20 55.90/38.68 60.00/43.90 65.36/44.00 | 64.71/47.50
Removing AA-CL|78.10/64.00 66.40/49.32 62.29/48.25 56.36/38.00 60.30/43.93 65.70/44.27|64.86/47.63
w/ MML | 78.46/64.00 67.27/48.71 61.90/46.90 56.26/38.50 60.50/44.21 65.69/44.51 | 65.06/47.80
""",
    'appendix_2/xquad': """
Info-XLM | 85.15/72.80 76.15/59.30 73.88/59.00 63.51/49.78 69.66/54.90 73.21/55.25 | 73.76/58.51
XLM-A | 83.50/72.30 77.57/60.45 74.45/59.30 66.02/51.18 69.80/54.80 73.20/55.80 | 74.04/58.61
Ours | 84.50/74.50 78.25/61.60 75.90/59.80 65.18/50.04 70.79/55.40 75.70/56.40 | 75.06/59.87
Removing HL | 83.23/71.70 76.14/60.45 74.60/58.70 64.10/49.18 69.70/54.00 73.87/55.49 | 73.61/58.25
Removing AA-CL|83.40/71.89 76.21/60.01 74.79/58.88 64.66/49.38 70.01/54.01 74.00/55.67|73.84/58.31
w/ MML | 83.05/73.08 77.17/60.61 74.40/58.59 64.46/48.40 69.77/53.99 73.89/55.41 | 73.79/58.40
""",
}
_DATASETS = {'table_5': 'mlqa/test', 'table_6': 'xquad/test', 'table_7': 'mlqa/test'}
_DATASETS |= {'mlqa': 'mlqa/test', 'xquad': 'xquad/test'}  # the appendix names them itself

# Printed behind the cells of 'Ours' in the appendix's table 2, the average's last.
_DEVIATIONS = {
    'appendix_2/mlqa': '0.1 0.1 0.15 0.1 0.3 0.2 0.2',
    'appendix_2/xquad': '0.2 0.3 0.1 0.2 0.25 0.15 0.2',
}

# Table 2: EM on MLQA when any of the k best answers of the zero-shot XLM-R base may hit.
_TABLE_2 = {
    1: '64.24 48.30 46.43 35.14 41.93 42.36',
    3: '73.06 60.32 60.99 48.24 57.70 58.25',
    5: '75.69 66.04 67.13 52.33 63.32 61.98',
    10: '75.76 71.18 72.17 57.13 70.15 66.06',
}


def _numbers(cell: str) -> tuple[float, ...]:
    return () if cell == '-' else tuple(float(number) for number in cell.split('/'))


def _cells(line: str) -> dict[str, tuple[float, ...]]:
    cells = zip(LANGUAGES, line.split(), strict=True)
    return {language: _numbers(cell) for language, cell in cells if cell != '-'}


def _row(table: str, line: str) -> Row:
    system, cells, average = (part.strip() for part in line.rsplit('|', 2))
    deviations = _DEVIATIONS.get(table, '').split() if system == 'Ours' else ()
    names = (*LANGUAGES, 'average') if deviations else ()
    return Row(
        system,
        _cells(cells),
        _numbers(average),
        dict(zip(names, map(float, deviations), strict=True)),
    )


def _dataset(table: str) -> str:
    first, _, second = table.partition('/')
    return _DATASETS.get(first) or _DATASETS[second]


TOP_K: dict[str, dict[int, dict[str, tuple[float, ...]]]] = {  # dataset -> k -> language -> (EM,)
    'mlqa/test': {k: _cells(line) for k, line in _TABLE_2.items()}
}
TABLES: dict[str, Printed] = {  # as 'table_5/zero-shot', 'appendix_2/xquad'
    'table_2': Printed(
        'mlqa/test',
        tuple(Row(f'Top-{k}', cells, (), {}) for k, cells in TOP_K['mlqa/test'].items()),
    )
} | {
    name: Printed(_dataset(name), tuple(_row(name, line) for line in block.strip().splitlines()))
    for name, block in _PRINTED.items()
}
SCORES: dict[str, dict[str, tuple[Row, ...]]] = {  # dataset -> setting -> rows of tables 5 and 6
    dataset: {
        setting: TABLES[f'{table}/{setting}'].rows for setting in ('zero-shot', 'translate-train')
    }
    for dataset, table in (('mlqa/test', 'table_5'), ('xquad/test', 'table_6'))
}
