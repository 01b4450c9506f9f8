"""Charts as inline SVG: drawn by matplotlib, coloured by the page, so that they follow its theme."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from captionstew.report.html import Child, Html, details, element
from captionstew.report.svg import FIRST, INK, LINE, LOST, SECOND, SOFT, svg

_STYLE: dict[str, object] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "captionstew",
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "axes.labelsize": 12,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "path.simplify": False,
}
_WIDTH = 340  # CSS pixels: of a phone, so that letters are not shrunk there
_FEW = (0.1, 1, 10, 100, 1000, 10_000)  # s, on a log axis
_MANY = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


@dataclass(frozen=True)
class Series:
    """Counts over shared bins, with what they are counts of."""

    name: str
    counts: Sequence[float]


def chart(title: str, picture: Html, numbers: Child, about: str = "", *, beside: bool = False) -> Html:
    """A figure: its title, the picture, and its numbers as a table, which opens on demand or stands `beside` it."""
    head = element("figcaption", element("strong", title), element("span", about) if about else None)
    if beside:
        return element("figure", head, picture, numbers, class_="chart beside")
    return element("figure", head, picture, details("Numbers", numbers), class_="chart")


def histogram(
    edges: Sequence[float],
    several: Sequence[Series],
    *,
    across: str,
    up: str,
    label: str,
    log: bool = False,
    height: int = 170,
    top: float | None = None,
) -> Html:
    """Shares of `several` over bins; the first is filled, the second is a line over it.

    The axis ends at `top` (%), so that pictures beside each other can be compared, or at the largest share.
    """
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes(height)
        for series, colour in zip(several, (FIRST, SECOND), strict=False):
            whole = sum(series.counts) or 1
            shares = np.asarray(series.counts, float) / whole * 100
            filled = series is several[0]
            axes.stairs(
                shares, edges, fill=filled, color=colour, lw=0 if filled else 1.6, clip_on=False, zorder=3
            )
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.yaxis.set_major_locator(MaxNLocator(3, integer=False))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
        axes.set_ylim(0, top)
        if log:
            _logarithmic(axes, edges)
        else:
            axes.set_xlim(edges[0], edges[-1])
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        return svg(figure, label)


def bars(
    names: Sequence[str], several: Sequence[Sequence[float]], ends: Sequence[str], *, across: str, label: str
) -> Html:
    """One bar a name, of the parts that `several` stack (the first in the accent, the last as lost); `ends` say it."""
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes(40 + 22 * len(names))
        left = np.zeros(len(names))
        places = np.arange(len(names))[::-1]
        for parts, colour in zip(several, (FIRST, LOST), strict=False):
            axes.barh(places, parts, 0.62, left=left, color=colour, lw=0, clip_on=False, zorder=3)
            left = left + np.asarray(parts, float)
        most = max(left.max(initial=0.0), 1e-9)
        for place, at, end in zip(places, left, ends, strict=True):
            axes.text(at + most * 0.02, place, end, va="center", fontsize=12, color=INK)
        axes.set_yticks(places, [_short(name) for name in names])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set_xlim(0, most * 1.28)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlabel(across)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axes.grid(visible=False)
        axes.grid(visible=True, axis="x")
        return svg(figure, label)


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}\u2026"


def _axes(height: int) -> tuple[Figure, Axes]:
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02)
    figure = Figure(figsize=(_WIDTH / 72, height / 72), layout=layout)
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def _logarithmic(axes: Axes, edges: Sequence[float]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(edges[0], edges[-1])
    wide = edges[-1] / edges[0] > 200
    ticks = [tick for tick in (_FEW if wide else _MANY) if edges[0] <= tick <= edges[-1]]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
