"""The cells that Chen et al. 2022 print in tables 1, 2, 5 and 6.

Owns the transcription and nothing else: no average is computed here, no cell is filled in. Table 1
is the Top-1 column of table 2, and both are the EM of XLM-R base in table 5.
"""

from typing import NamedTuple

LANGUAGES = ('en', 'es', 'de', 'ar', 'hi', 'vi')


class Row(NamedTuple):
    """One printed row.

    Attributes:
      system: as the paper calls it.
      cells: language -> (F1, EM) in percent; languages not printed are absent.
      average: (F1, EM) as printed; () where none is.
    """

    system: str
    cells: dict[str, tuple[float, ...]]
    average: tuple[float, ...]


# Table 6 prints the average EM of mixMRC as '55,20'.
_TABLES_5_AND_6 = {
    'mlqa/test': {
        'zero-shot': """
m-BERT     | 77.70/65.30 64.30/46.60 57.90/44.30 45.70/29.80 43.80/29.70 57.10/38.60 | 57.80/42.40
XLM        | 74.90/62.40 68.00/49.80 62.20/47.60 54.80/36.30 48.80/27.30 61.40/41.80 | 61.70/44.20
XLM-R base | 77.86/64.24 66.18/48.30 60.82/46.43 55.20/35.14 59.93/41.93 64.89/42.36 | 64.14/46.00
Info-XLM   | 79.15/64.80 67.07/48.49 58.24/46.00 55.15/38.78 59.66/43.98 64.44/43.28 | 64.25/47.60
Ours       | 79.03/65.59 67.52/49.56 62.98/48.70 57.68/39.40 61.79/44.70 66.74/45.34 | 66.00/48.88
""",
        'translate-train': """
XLM-R base | 77.15/64.41 68.51/50.40 62.24/47.99 56.60/38.42 61.39/43.93 66.70/44.36 | 65.45/48.25
LAKM       | 80.00/66.80 65.90/48.00 60.50/45.50 -           -           -           | -
CalibreNet | 79.68/66.51 68.04/50.77 61.66/47.55 56.14/37.83 59.97/43.84 66.92/46.59 | 65.40/48.84
Ours       | 80.11/66.84 69.04/51.20 64.58/49.75 58.54/41.03 62.77/46.54 67.92/47.19 | 67.16/50.44
""",
    },
    'xquad/test': {
        'zero-shot': """
M-BERT     | 81.50/71.20 75.50/56.90 70.60/54.00 61.50/45.10 59.20/46.00 69.50/49.10 | 69.63/53.72
XLM        | 81.30/68.80 75.60/56.90 72.60/55.50 62.60/43.20 63.10/46.00 70.40/48.70 | 70.93/53.18
XLM-R base | 83.66/72.48 77.00/60.87 74.40/58.40 63.00/47.80 68.70/53.70 74.50/54.00 | 73.54/57.55
Info-XLM   | 85.15/72.80 76.15/59.30 73.88/59.00 63.51/49.78 69.66/54.90 73.21/55.25 | 73.76/58.51
Ours       | 84.51/74.59 78.25/61.67 75.89/59.79 65.18/50.04 70.79/55.45 75.74/56.46 | 75.06/59.87
""",
        'translate-train': """
XLM-R base | 82.59/71.30 78.55/60.20 76.42/60.69 65.15/48.42 71.35/56.43 76.10/56.68 | 75.03/58.96
mixMRC     | 82.40/69.20 78.80/58.70 75.40/58.20 63.60/42.40 66.20/50.00 72.60/52.70 | 73.17/55.20
LBMRC      | 83.40/70.10 80.00/59.60 76.50/59.80 65.00/44.50 67.40/52.00 74.60/55.50 | 74.48/56.92
Ours       | 84.06/73.11 80.04/61.68 77.88/62.48 66.54/50.34 73.77/58.90 77.64/57.49 | 76.66/60.66
""",
    },
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


def _row(line: str) -> Row:
    system, cells, average = (part.strip() for part in line.split('|'))
    return Row(system, _cells(cells), _numbers(average))


SCORES: dict[str, dict[str, list[Row]]] = {  # dataset -> setting -> rows
    dataset: {
        setting: [_row(line) for line in block.strip().splitlines()]
        for setting, block in settings.items()
    }
    for dataset, settings in _TABLES_5_AND_6.items()
}
TOP_K: dict[str, dict[int, dict[str, tuple[float, ...]]]] = {  # dataset -> k -> language -> (EM,)
    'mlqa/test': {k: _cells(line) for k, line in _TABLE_2.items()}
}
