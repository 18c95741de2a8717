"""Text that wants to be markup stays text in every format."""

import html
import re
import shutil
import subprocess

import pytest

from tests.reporting import made
from xmrc_jax.reporting.tables import Table, to_html, to_latex, to_markdown

TABLE = Table(
    made.HOSTILE,
    ['', made.HOSTILE],
    [[made.HOSTILE], [made.HOSTILE, made.HOSTILE], ['row', '60.00/40.00 ±1.00/2.00']],
    (made.HOSTILE,),
    frozenset({(1, 0)}),
)


def test_html_is_escaped():
    page = to_html(TABLE)
    assert '<img' not in page
    assert '</script' not in page
    assert page.count(html.escape(made.HOSTILE)) == 7  # label, caption, header, 3 cells, note
    assert '<td>60.00/40.00<small> ±1.00/2.00</small></td>' in page
    assert re.findall('scope="(.*?)"', page) == ['col', 'col', 'rowgroup', 'row', 'row']


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
