"""Journal size, colours that colour-blind readers can tell apart, the same bytes every time."""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from graftline.figures.drawing import (
    FONTS,
    POINTS_PER_INCH,
    Drawing,
    drawing_figure,
    drawing_svg,
)
from graftline.figures.png import figure_png

DAYS_PER_MONTH = 30.4375
SINGLE_COLUMN, DOUBLE_COLUMN = 3.5, 7.0
MANY_PATIENTS = 60
_TALL_AXIS = 1.7
_TICK_ROOM = 0.09  # of the width of the axes, so that two labels stand apart
# points per inch of width, twice as many per inch of height: the word fits aslant
_MARK_SIZE = 9.0
_SCREEN_DPI = 114  # 7 inches fill the text width of the page

# Okabe and Ito 2008: distinguishable with any of the common colour-vision deficiencies
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE, SKY, YELLOW = "#CC79A7", "#E69F00", "#56B4E9", "#F0E442"
BLACK, GREY, LIGHT = "#222222", "#767676", "#D0D0D0"
CYCLE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK, GREY)
LINES = ("-", "--", ":")

Floats = NDArray[np.float64]
Format = Literal["svg", "pdf", "png"]

# Any: matplotlib types its setting names in some versions and not in others
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same glyphs everywhere
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.unicode_minus": True,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.fontsize": 7.5,
    "legend.framealpha": 0.75,
    "legend.edgecolor": "none",
    "lines.linewidth": 1.3,
    "lines.markersize": 4.0,
    "figure.dpi": 100.0,
    "savefig.dpi": 300.0,
    "svg.fonttype": "path",
    "svg.hashsalt": "graftline",
    "pdf.fonttype": 42,
    "path.simplify": True,
}
_GROUP_ID = re.compile(r'<g id="[^"]*"')
_CLIP = re.compile(rb'<clipPath id="(p[0-9a-f]{10})"')
_HEAD = re.compile(r"^.*?(?=<svg )", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_DEFINED = re.compile(r'\bid="([^"]+)"')
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE = re.compile(r'((?:xlink:)?href="#|url\(#)([^")]+)')


@contextmanager
def themed() -> Iterator[None]:
    """Matplotlib settings of the house, restored afterwards."""
    with mpl.rc_context(_STYLE):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in inches, laid out so that nothing overlaps.

    Everything drawn into it has to be drawn inside ``themed``.
    """
    return Figure(figsize=(width, height), layout="constrained")


def figure_bytes(figure: Figure | Drawing, kind: Format, *, mark: str = "") -> bytes:
    """A figure as a file without date or program in it, so that equal input gives equal bytes.

    Parameters
    ----------
    mark : str
        Printed large and pale across the figure, such as ``"SIMULATED"``.
    """
    with themed():
        drawn = drawing_figure(figure) if isinstance(figure, Drawing) else figure
        if not mark:
            return _saved(drawn, kind)
        across = drawn.text(
            0.5,
            0.5,
            mark,
            fontsize=min(_MARK_SIZE * drawn.get_figwidth(), 2 * _MARK_SIZE * drawn.get_figheight()),
            fontweight="bold",
            color=VERMILION,
            alpha=0.12,
            rotation=25,
            ha="center",
            va="center",
            zorder=100,
        )
        across.set_in_layout(False)
        content = _saved(drawn, kind)
        across.remove()
        return content


def _saved(figure: Figure, kind: Format) -> bytes:
    if kind == "png":
        return figure_png(figure)
    metadata: dict[str, dict[str, str | None]] = {
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    stream = BytesIO()
    figure.savefig(stream, format=kind, metadata=metadata[kind])
    return _steady_clips(stream.getvalue()) if kind == "svg" else stream.getvalue()


def _steady_clips(svg: bytes) -> bytes:
    """Number the clipping paths as they appear: matplotlib names some by their place in memory."""
    names = dict.fromkeys(_CLIP.findall(svg))
    for number, name in enumerate(names):
        svg = svg.replace(name, b"clip%d" % number)
    return svg


def inline_svg(figure: Figure | Drawing, *, id: str, label: str) -> str:
    """A figure as an SVG element for a page that holds several: its ids start with ``id``.

    Letters stay letters, which a reader can search and copy; files carry them as outlines.
    """
    inches = (
        figure.width / POINTS_PER_INCH if isinstance(figure, Drawing) else figure.get_figwidth()
    )
    width = round(inches * _SCREEN_DPI)
    title = label.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    shape = f"max-width:{width}px;min-width:min({width}px,34rem)"
    attributes = f'role="img" aria-label="{title}" style="{shape}"'
    if isinstance(figure, Drawing):
        return drawing_svg(figure, attributes)
    with themed(), mpl.rc_context({"svg.fonttype": "none"}):
        text = _saved(figure, "svg").decode("utf-8")
    text = _METADATA.sub("", _HEAD.sub("", text))
    text = _GROUP_ID.sub("<g", text)
    text = _DEFINED.sub(lambda m: f'id="{id}-{m[1]}"', text)
    text = _REFERENCE.sub(lambda m: f"{m[1]}{id}-{m[2]}", text)
    text = _LONG_NUMBER.sub(_two_decimals, text)
    text = text.replace("'DejaVu Sans'", FONTS)
    return text.replace("<svg ", f"<svg {attributes} ", 1).strip()


def _two_decimals(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")


def month_axis(axes: Axes, last_day: float, *, label: str) -> Sequence[float]:
    """Give an axis whose unit is months whole-month ticks; returns the ticks."""
    months = max(last_day / DAYS_PER_MONTH, 1.0)
    axes.set_xlim(0, months * 1.02)
    locator = MaxNLocator(nbins=7, integer=True, steps=[1, 2, 3, 6, 10])
    ticks = [float(t) for t in locator.tick_values(0, months) if 0 <= t <= months]
    axes.set_xticks(ticks)
    axes.set_xlabel(label)
    return ticks


def split_at(axes: Axes, last: float, *, at: float, share: float = 0.5) -> None:
    """Draw a time axis wider up to ``at`` and closer together after it, with a line between.

    The first weeks hold most of what happens, and years of follow-up would squeeze them. The axis
    begins where it begins now. Say so in the label of the axis.

    Parameters
    ----------
    last : float
        Where the axis ends, in its unit.
    share : float
        Part of the width, from 0 to 1, that the time from 0 to ``at`` takes of 0 to ``last``.
    """
    slope = (1 - share) / (last - at) / (share / at)

    def forward(value: Floats) -> Floats:
        return np.where(value <= at, value, at + (value - at) * slope)

    def backward(value: Floats) -> Floats:
        return np.where(value <= at, value, at + (value - at) / slope)

    first = axes.get_xlim()[0]
    axes.set_xscale("function", functions=(forward, backward))
    axes.set_xlim(first, last)
    early = MaxNLocator(nbins=5, integer=True, steps=[1, 2, 5, 10]).tick_values(first, at)
    late = MaxNLocator(nbins=4, integer=True, steps=[1, 2, 3, 6, 10]).tick_values(at, last)
    near = at + _TICK_ROOM * (last - at) / (1 - share)
    ticks = [t for t in early if first <= t <= at] + [t for t in late if near < t <= last]
    axes.set_xticks(ticks, [f"{t:g}".replace("-", "\N{MINUS SIGN}") for t in ticks])
    axes.axvline(at, color="#BBBBBB", linewidth=1.6, zorder=0)


def plain_log_axis(axes: Axes) -> None:
    """Give a logarithmic axis plain labels: powers of ten, or 1, 2, 5 where it spans little."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    decades = math.log10(high / low)
    steps = (1.0,) if decades > _TALL_AXIS else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=steps, numticks=8))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain_label(value)))
    axes.yaxis.set_minor_locator(NullLocator())


def plain_label(value: float) -> str:
    """A tick of a logarithmic axis: plain from 0.001 to 100 000, else a power of ten."""
    return (
        f"{value:g}"
        if 1e-3 <= value < 1e5
        else f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-")
    )


def day_axis(axes: Axes, last_day: float, *, label: str) -> Sequence[float]:
    """Give an axis whose unit is days whole-day ticks from 0; returns the ticks."""
    axes.set_xlim(0, last_day * 1.02)
    ticks = [float(t) for t in MaxNLocator(nbins=7, integer=True).tick_values(0, last_day)]
    ticks = [t for t in ticks if 0 <= t <= last_day]
    axes.set_xticks(ticks)
    axes.set_xlabel(label)
    return ticks
