"""Curves as SVG and PNG by matplotlib: the same input gives the same bytes.

Lines carry middle tones that can be read on white and on black. What is ink in a file takes the
colour of the text around it in the page.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import matplotlib
from matplotlib.figure import Figure

_INK = '#1f2328'
_COLOURS = ('#0077bb', '#d1600f', '#1a936f', '#b5348b', '#8a7400', '#6a5acd', '#777777', '#c03221')
_MARKERS = 'osD^vPX*'
_STYLE = {
    'font.size': 9,
    'font.family': 'DejaVu Sans',
    'text.parse_math': False,
    'svg.fonttype': 'none',
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'grid.alpha': 0.25,
    'legend.frameon': False,
}
_INKED = ('text.color', 'axes.labelcolor', 'axes.edgecolor', 'xtick.color', 'ytick.color')


@dataclass(frozen=True)
class Line:
    """One curve; `deviation` is drawn as bars; a quiet one is thin, grey and without a mark."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    deviation: Sequence[float] | None = None
    quiet: bool = False


@dataclass(frozen=True)
class Plot:
    """What is drawn, and under which name it is kept."""

    name: str  # of the files, without ending
    title: str
    x: str  # labels of the axes
    y: str
    lines: tuple[Line, ...]
    marks: bool = False  # at points, whose x is printed: a few measured places
    beside: tuple[Line, ...] = ()  # of the plots it is compared with, for which its axis has room


def draw(plot: Plot) -> tuple[bytes, bytes]:
    """PNG (150 dpi) and SVG of a plot; labels are plain text, a dollar sign included."""
    with matplotlib.rc_context(_STYLE | dict.fromkeys(_INKED, _INK) | {'svg.hashsalt': plot.name}):
        figure = Figure(figsize=(4.6, 3.2), layout='constrained')
        axes = figure.add_subplot()
        loud = [line for line in plot.lines if not line.quiet]
        for line in plot.lines:
            if line.quiet:
                label = line.label or None
                axes.plot(line.x, line.y, color='#777777', alpha=0.5, linewidth=0.8, label=label)
                continue
            place = loud.index(line)
            axes.errorbar(
                line.x,
                line.y,
                yerr=line.deviation,
                capsize=3,
                label=line.label,
                color=_COLOURS[place % len(_COLOURS)],
                marker=_MARKERS[place % len(_MARKERS)] if plot.marks else None,
                markersize=4,
                linewidth=1.6,
            )
        axes.set(xlabel=plot.x, ylabel=plot.y)
        if values := [y for line in plot.beside for y in line.y]:
            margin = 0.05 * (max(values) - min(values)) or 1.0
            axes.set_ylim(min(values) - margin, max(values) + margin)
        places = sorted({x for line in plot.lines for x in line.x})
        if plot.marks and len(places) < 9:
            axes.set_xticks(places, [f'{x:g}' for x in places])
        if len(plot.lines) > 1 or not loud:
            axes.legend(fontsize=8, ncols=1 + (len(loud) > 4))
        png, svg = BytesIO(), BytesIO()
        figure.savefig(png, format='png', dpi=150, metadata={'Software': None})
        figure.savefig(svg, format='svg', metadata={'Date': None, 'Creator': None})
    return png.getvalue(), svg.getvalue()


def in_page(svg: bytes) -> str:
    """An SVG as part of a page: without its head and backgrounds, its ink the page's."""
    text = svg.decode()
    text = re.sub(r'<g id="patch_[12]">.*?</g>', '', text[text.index('<svg') :], flags=re.DOTALL)
    text = text.replace('<svg', '<svg aria-hidden="true" focusable="false"', 1)
    return text.replace(_INK, 'currentColor').replace('#ffffff', 'none')
