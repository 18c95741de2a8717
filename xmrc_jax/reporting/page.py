"""Sections of a report as one HTML page, as Markdown, as LaTeX and as JSON.

The page holds everything it shows and asks no network; its colours follow the reader's choice of
light or dark.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from xmrc_jax.ground.files import write_bytes, write_json, write_text
from xmrc_jax.reporting import cases, tables
from xmrc_jax.reporting.cases import Case
from xmrc_jax.reporting.comparison import Comparison
from xmrc_jax.reporting.figures import Plot, draw, in_page
from xmrc_jax.reporting.passages import direction
from xmrc_jax.reporting.tables import Table, to_json


class Facts(NamedTuple):
    """What something is: names and values."""

    title: str
    rows: Sequence[tuple[str, str]]


Part = str | Facts | Table | Plot | Case | Comparison  # a str is a paragraph


@dataclass
class Section:
    """A heading and what stands below it."""

    title: str
    parts: list[Part] = field(default_factory=list)

    @property
    def groups(self) -> list[tuple[str, list[Part]]]:
        """Neighbours of one kind, with its name."""
        return [(kind.__name__, list(parts)) for kind, parts in groupby(self.parts, type)]


def write(output: Path, title: str, sections: Sequence[Section], missing: Sequence[str]) -> None:
    """Writes the report as HTML, Markdown, LaTeX and JSON (its tables), and ``figures/``.

    Sections without parts are left out; ``missing`` are lines that say what is not in the report,
    and why. UserError where a file cannot be written.
    """
    sections = [section for section in sections if section.parts]
    drawn = {}
    for plot in _plots(sections):
        png, svg = draw(plot)
        write_bytes(output / 'figures' / f'{plot.name}.png', png)
        write_bytes(output / 'figures' / f'{plot.name}.svg', svg)
        drawn[plot.name] = svg
    for kind in ('html', 'md', 'tex'):
        write_text(output / f'report.{kind}', render(kind, title, sections, missing, drawn))
    values = [
        {
            'title': section.title,
            'tables': [to_json(part) for part in section.parts if isinstance(part, Table)],
        }
        for section in sections
    ]
    write_json(output / 'report.json', {'title': title, 'sections': values})


def _plots(sections: Sequence[Section]) -> Iterator[Plot]:
    for part in (part for section in sections for part in section.parts):
        if isinstance(part, Plot):
            yield part
        elif isinstance(part, Case):
            yield from (reader.plot for reader in cases.readers(part) if reader.plot)


def render(
    kind: str,
    title: str,
    sections: Sequence[Section],
    missing: Sequence[str] = (),
    drawn: Mapping[str, bytes] | None = None,
) -> str:
    """The report by the template for a kind of file: 'html', 'md', or 'tex', which has tables and
    figures alone. HTML takes the figures as SVG, by the names of their plots."""
    environment = Environment(
        loader=PackageLoader('xmrc_jax.reporting'),
        autoescape=kind == 'html',
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.policies['json.dumps_kwargs'] = {'ensure_ascii': False, 'separators': (',', ':')}
    environment.filters |= {
        'direction': direction,
        'readers': cases.readers,
        'mean_and_deviation': lambda cell: cell.partition(' ±')[::2],
        'anchor': lambda title: re.sub(r'\W+', '-', title.lower()),
        'md': tables.escape_markdown,
        'tex': tables.escape_latex,
        'markdown': tables.to_markdown,
        'latex': tables.to_latex,
    }
    figures = {name: Markup(in_page(svg)) for name, svg in (drawn or {}).items()}
    template = environment.get_template(f'report.{kind}')
    return template.render(title=title, sections=sections, missing=missing, drawn=figures)
