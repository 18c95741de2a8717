"""Sections of a report as one HTML page, as Markdown and as LaTeX.

The page holds everything it shows and asks no network; its colours follow the reader's choice of
light or dark.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from xmrc_jax.ground.files import write_bytes, write_text
from xmrc_jax.reporting import cases, comparison, tables
from xmrc_jax.reporting.cases import Case
from xmrc_jax.reporting.comparison import Comparison
from xmrc_jax.reporting.figures import Plot, draw, in_page
from xmrc_jax.reporting.tables import Table, escape, to_latex, to_markdown

Part = str | Table | Plot | Case | Comparison  # a str is a paragraph


@dataclass
class Section:
    """A heading and what stands below it."""

    title: str
    parts: list[Part] = field(default_factory=list)


def write(output: Path, title: str, sections: Sequence[Section], missing: Sequence[str]) -> None:
    """Writes ``report.html``, ``report.md``, ``report.tex`` and ``figures/``.

    Args:
      output: a folder, made if need be.
      title: of the report.
      sections: those without parts are left out.
      missing: lines that say what is not in the report, and why.

    Raises:
      UserError: a file cannot be written.
    """
    sections = [section for section in sections if section.parts]
    drawn = {}
    for plot in (plot for section in sections for plot in _plots(section)):
        png, svg = draw(plot)
        write_bytes(output / 'figures' / f'{plot.name}.png', png)
        write_bytes(output / 'figures' / f'{plot.name}.svg', svg)
        drawn[plot.name] = _figure(plot, svg)
    write_text(output / 'report.html', _html(title, sections, missing, drawn))
    write_text(output / 'report.md', _markdown(title, sections, missing))
    write_text(output / 'report.tex', _latex(title, sections))


def _plots(section: Section) -> list[Plot]:
    plots = [part for part in section.parts if isinstance(part, Plot)]
    for part in section.parts:
        if isinstance(part, Case):
            plots += [plot for plot, _ in cases.plots(part)]
    return plots


def _figure(plot: Plot, svg: bytes) -> str:
    caption = escape(plot.title)
    return (
        f'<figure><div role="img" aria-label="{caption}">{in_page(svg)}</div>'
        f'<figcaption>{caption}</figcaption></figure>'
    )


def _html(title, sections, missing, drawn: dict[str, str]) -> str:
    room = files(__package__)
    names = [re.sub(r'\W+', '-', section.title.lower()) for section in sections]
    links = ''.join(
        f'<li><a href="#{name}">{escape(section.title)}</a></li>'
        for name, section in zip(names, sections, strict=True)
    )
    lines = ''.join(f'<p class="note missing">{escape(line)}</p>' for line in missing)
    body = ''.join(
        f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(section.title)}</h2>\n'
        f'{_parts(section, drawn)}</section>\n'
        for name, section in zip(names, sections, strict=True)
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f'<title>{escape(title)}</title>\n<style>\n{(room / "page.css").read_text("utf-8")}</style>'
        '</head>\n<body><a class="skip" href="#content">To the content</a>'
        f'<header><h1>{escape(title)}</h1><nav aria-label="Sections"><ul>{links}</ul></nav>{lines}'
        f'</header>\n<main id="content">\n{body}</main>\n'
        f'<script>\n{(room / "page.js").read_text("utf-8")}</script></body></html>\n'
    )


def _parts(section: Section, drawn: dict[str, str]) -> str:
    """Neighbouring figures stand side by side where there is room."""
    made, row = [], []
    for part in [*section.parts, '']:
        if isinstance(part, Plot):
            row.append(drawn[part.name])
            continue
        if row:
            made.append(f'<div class="figures">{"".join(row)}</div>\n')
            row = []
        match part:
            case Table():
                made.append(tables.to_html(part))
            case Case():
                made.append(cases.to_html(part, drawn))
            case Comparison():
                made.append(_browser(part))
            case '':
                pass
            case _:
                made.append(f'<p class="note">{escape(part)}</p>\n')
    return ''.join(made)


def _browser(part: Comparison) -> str:
    name = escape(part.name)
    choices = ''.join(
        f'<label>{label}<select name="{field_}"><option value="">all</option></select></label>'
        for label, field_ in (
            ('Outcome', 'kind'),
            ('Dataset', 'dataset'),
            ('Language of the passage', 'language'),
        )
    )
    left_out = f'<p class="note">{escape(part.left_out)}</p>' if part.left_out else ''
    return (
        f'{tables.to_html(part.counts)}{left_out}'
        f'<div class="comparison" role="group" aria-label="{name}">'
        f'<script type="application/json">{comparison.embedded(part.data)}</script>'
        f'<form class="filters">{choices}'
        '<label>Text<input type="search" name="text" autocomplete="off"></label></form>'
        '<p class="count" aria-live="polite">Browsing needs JavaScript.</p>'
        '<div class="pages"><button type="button">Back</button>'
        '<button type="button">Next</button></div><div class="rows"></div></div>\n'
    )


def _markdown(title, sections, missing) -> str:
    escaped = tables.escape_markdown
    parts = [f'# {escaped(title)}\n', *(f'*{escaped(line)}*\n' for line in missing)]
    for section in sections:
        parts.append(f'## {escaped(section.title)}\n')
        for part in section.parts:
            match part:
                case Table():
                    parts.append(to_markdown(part, level=3))
                case Plot():
                    parts.append(f'![{escaped(part.title)}](figures/{part.name}.png)\n')
                case Case():
                    parts.append(f'### {escaped(part.question.id)}\n')
                    parts += [f'- {escaped(line)}' for line in cases.to_markdown(part)]
                    parts.append('')
                case Comparison():
                    parts.append(to_markdown(part.counts, level=3))
                case _:
                    parts.append(f'{escaped(part)}\n')
    return '\n'.join(parts)


def _latex(title, sections) -> str:
    """Tables and figures alone; texts in other scripts stand in the page and in Markdown."""
    parts = []
    for section in sections:
        for part in section.parts:
            match part:
                case Table():
                    parts.append(to_latex(part))
                case Comparison():
                    parts.append(to_latex(part.counts))
                case Plot():
                    caption = tables.escape_latex(part.title)
                    parts.append(
                        '\\begin{figure}[htp]\n\\centering\n'
                        f'\\includegraphics[width=0.7\\linewidth]{{figures/{part.name}.png}}\n'
                        f'\\caption{{{caption}}}\n\\end{{figure}}\n'
                    )
    return (
        '\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{graphicx}\n'
        f'\\title{{{tables.escape_latex(title)}}}\\date{{}}\n\\begin{{document}}\n\\maketitle\n'
        + '\\clearpage\n'.join(parts)
        + '\\end{document}\n'
    )
