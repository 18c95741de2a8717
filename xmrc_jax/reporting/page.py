"""Sections of a report as one HTML page, as Markdown and as LaTeX.

The page holds everything it shows and asks no network; its colours follow the reader's choice of
light or dark.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from xmrc_jax.ground.files import write_bytes, write_text
from xmrc_jax.reporting import cases, tables
from xmrc_jax.reporting.cases import Case
from xmrc_jax.reporting.comparison import Comparison
from xmrc_jax.reporting.figures import Plot, draw, in_page
from xmrc_jax.reporting.passages import direction
from xmrc_jax.reporting.tables import Table, to_latex, to_markdown

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
    for plot in _plots(sections):
        png, svg = draw(plot)
        write_bytes(output / 'figures' / f'{plot.name}.png', png)
        write_bytes(output / 'figures' / f'{plot.name}.svg', svg)
        drawn[plot.name] = svg
    write_text(output / 'report.html', to_html(title, sections, missing, drawn))
    write_text(output / 'report.md', _markdown(title, sections, missing))
    write_text(output / 'report.tex', _latex(title, sections))


def _plots(sections: Sequence[Section]) -> Iterator[Plot]:
    for part in (part for section in sections for part in section.parts):
        if isinstance(part, Plot):
            yield part
        elif isinstance(part, Case):
            yield from (reader.plot for reader in cases.readers(part) if reader.plot)


def to_html(
    title: str, sections: Sequence[Section], missing: Sequence[str] = (), drawn: dict | None = None
) -> str:
    """The page.

    Args:
      title: of the report.
      sections: as they stand in it; neighbouring figures are side by side where there is room.
      missing: lines that say what is not in the report, and why.
      drawn: SVG of the figures by the names of their plots.
    """
    environment = Environment(
        loader=PackageLoader('xmrc_jax.reporting'),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.policies['json.dumps_kwargs'] = {'ensure_ascii': False, 'separators': (',', ':')}
    environment.filters |= {
        'direction': direction,
        'readers': cases.readers,
        'mean_and_deviation': lambda cell: cell.partition(' ±')[::2],
    }
    shown = [
        {
            'name': re.sub(r'\W+', '-', section.title.lower()),
            'title': section.title,
            'groups': [
                (kind.__name__, list(parts)) for kind, parts in groupby(section.parts, type)
            ],
        }
        for section in sections
    ]
    figures = {name: Markup(in_page(svg)) for name, svg in (drawn or {}).items()}
    template = environment.get_template('page.html')
    return template.render(title=title, sections=shown, missing=missing, drawn=figures)


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
