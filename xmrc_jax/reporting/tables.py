"""A table of text, and how it looks in a terminal, in Markdown, in LaTeX and as JSON.

Owns the escaping of whatever comes from data there; HTML is a template of the page. It knows no
results.
"""

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

COLUMNS = 100  # of a terminal


@dataclass(frozen=True)
class Table:
    """Cells are plain text; a row of one cell is a heading over the rows below it."""

    title: str
    header: Sequence[str]  # the first is the row labels'
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()  # sentences below
    marked: frozenset[tuple[int, int]] = frozenset()  # bold: row, column behind the label's


def to_text(table: Table) -> str:
    """Aligned, at most 100 columns wide where the cells allow it."""
    lines = [table.header, *(row for row in table.rows if len(row) > 1)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    parts: list[list[int]] = [[]]  # columns that fit side by side behind the first
    for column in range(1, len(widths)):
        if sum(widths[i] + 1 for i in [*parts[-1], column]) + widths[0] > COLUMNS:
            parts.append([])
        parts[-1].append(column)
    lines = [table.title]
    for columns in parts:
        for row in (table.header, *table.rows):
            cells = [f' {row[i]:>{widths[i]}}' for i in columns] if len(row) > 1 else []
            lines.append(f'{row[0]:<{widths[0]}}{"".join(cells)}'.rstrip())
    for note in table.notes:
        lines += textwrap.wrap(note, COLUMNS)
    return '\n'.join(lines) + '\n'


def to_json(table: Table) -> dict[str, Any]:
    """The same as values that JSON knows."""
    return asdict(table) | {'marked': sorted(table.marked)}


def to_markdown(table: Table, level: int = 2) -> str:
    """A pipe table below a heading."""
    notes = ''.join(f'\n{escape_markdown(note)}\n' for note in table.notes)
    body = pipes(table.header, table.rows, table.marked)
    return f'{"#" * level} {escape_markdown(table.title)}\n\n{body}\n{notes}'


def pipes(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    marked: frozenset[tuple[int, int]] = frozenset(),
) -> str:
    """The lines of a Markdown table: first column to the left, numbers to the right.

    >>> print(pipes(['corpus', 'exact'], [['dev', '7'], ['train', '1,024']]))
    | corpus | exact |
    | --- | ---: |
    | dev | 7 |
    | train | 1,024 |
    """
    empty = [''] * (len(header) - 1)
    lines = [map(escape_markdown, header), ['---'] + ['---:'] * len(empty)]
    for label, *cells in _escaped(rows, marked, escape_markdown, '**{}**'):
        lines.append([label, *cells] if cells else [f'*{label}*', *empty])
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _escaped(rows, marked, escape: Callable[[str], str], mark: str) -> Iterator[list[str]]:
    """Rows as a format has them, marked cells set off by what stands around {} in ``mark``."""
    for index, (label, *cells) in enumerate(rows):
        marks = [mark if (index, column) in marked else '{}' for column in range(len(cells))]
        yield [escape(label), *map(str.format, marks, map(escape, cells))]


def escape_markdown(text: str) -> str:
    """Text on one line of Markdown, without meaning to it; '_' has none within a word."""
    line = ' '.join(text.split())
    return re.sub(r'[\\`*{}\[\]<>|#~&]|(?<![^\W_])_|_(?![^\W_])', r'\\\g<0>', line)


_LATEX = str.maketrans(
    {
        '\\': r'\textbackslash{}',
        '^': r'\textasciicircum{}',
        '~': r'\textasciitilde{}',
        '±': r'$\pm$',
        '−': '$-$',
        '<': r'\textless{}',
        '>': r'\textgreater{}',
        '|': r'\textbar{}',
        '"': r'\textquotedbl{}',
    }
    | {character: '\\' + character for character in '&%$#_{}'}
)


def to_latex(table: Table) -> str:
    """A plain tabular, as wide as the line."""
    columns = len(table.header)
    rows = [' & '.join(map(escape_latex, table.header)) + r' \\ \hline']
    for label, *cells in _escaped(table.rows, table.marked, escape_latex, r'\textbf{{{}}}'):
        heading = rf'\multicolumn{{{columns}}}{{l}}{{\emph{{{label}}}}}'
        rows.append((' & '.join([label, *cells]) if cells else heading) + r' \\')
    notes = ''.join(f'\\par\\footnotesize {escape_latex(note)}\n' for note in table.notes)
    return (
        '\\begin{table}[htp]\n\\centering\n'
        f'\\caption{{{escape_latex(table.title)}}}\n'
        f'\\resizebox{{\\linewidth}}{{!}}{{\\begin{{tabular}}{{l{"r" * (columns - 1)}}}\n'
        + '\n'.join(rows)
        + f'\n\\hline\\end{{tabular}}}}\n{notes}\\end{{table}}\n'
    )


def escape_latex(text: str) -> str:
    """Text of one line; what pdfLaTeX has no letters for becomes '?'."""
    return re.sub('[^\0-\u024f]', '?', ' '.join(text.split()).translate(_LATEX))
