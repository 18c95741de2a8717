"""Text that wants to be markup stays text in every format."""

import json
import re
import shutil
import subprocess

import pytest

from tests.reporting import made
from xmrc_jax.reporting.tables import Table, to_json, to_latex, to_markdown, to_text

TABLE = Table(
    made.HOSTILE,
    ['', made.HOSTILE],
    [[made.HOSTILE], [made.HOSTILE, made.HOSTILE], ['row', '60.00/40.00 ±1.00/2.00']],
    (made.HOSTILE,),
    frozenset({(1, 0)}),
)


def test_markdown_has_as_many_cells_in_every_line():
    lines = [line for line in to_markdown(TABLE).splitlines() if line.startswith('|')]
    assert {len(re.findall(r'(?<!\\)\|', line)) for line in lines} == {3}
    assert '<img' not in re.sub(r'\\.', '', to_markdown(TABLE))


def test_latex_compiles(tmp_path):
    text = to_latex(TABLE)
    assert r'$\pm$1.00/2.00' in text
    assert r'\textbackslash{}' in text
    if shutil.which('pdflatex') is None:
        pytest.skip('no pdflatex to compile it with')
    head = '\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{graphicx}\n'
    document = f'{head}\\begin{{document}}{text}\\end{{document}}'
    (tmp_path / 'table.tex').write_text(document, 'utf-8')
    command = ['pdflatex', '-interaction=nonstopmode', '-halt-on-error', 'table.tex']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors='replace')
    assert done.returncode == 0, done.stdout[-500:]


def test_a_terminal_wraps_columns_and_notes_and_keeps_headings():
    table = Table(
        'wide',
        ['', *(f'column {i}' for i in range(12))],
        [['heading'], ['row', *map(str, range(12))]],
        ('word ' * 30,),
    )
    lines = to_text(table).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines.count('heading') == 2  # above both parts
    assert [line.split()[1:] for line in lines if line.startswith('row')] == [
        [str(i) for i in range(10)],
        ['10', '11'],
    ]


def test_names_are_written_as_they_are():
    shown = to_markdown(
        Table('two_stage', ['', 'en-de'], [['_a_b_', '60.00/40.00 ±1.00']]), level=3
    )
    assert shown.startswith('### two_stage\n')
    assert '| \\_a_b\\_ | 60.00/40.00 ±1.00 |' in shown


def test_marked_cells_are_bold():
    table = Table('', ['', 'en', 'es'], [['row', '60.0', '50.0']], marked=frozenset({(0, 1)}))
    assert '| row | 60.0 | **50.0** |' in to_markdown(table)
    assert r'row & 60.0 & \textbf{50.0} \\' in to_latex(table)


def test_json_holds_the_whole_table():
    values = json.loads(json.dumps(to_json(TABLE)))
    marked = frozenset(map(tuple, values.pop('marked')))
    again = Table(**values, marked=marked)
    assert (again.title, again.header, again.rows, again.marked) == (
        TABLE.title, TABLE.header, TABLE.rows, TABLE.marked,
    )  # fmt: skip
    assert again.notes == [made.HOSTILE]
