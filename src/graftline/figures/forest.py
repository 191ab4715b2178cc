"""Forest plot: one estimate with its interval per line, counts and numbers beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from graftline.figures.theme import BLACK, BLUE, DOUBLE_COLUMN, GREY, new_figure, themed

Scale = Literal["ratio", "percent"]
_LINE = 0.2  # inches
_WIDEST_RATIO = 20.0
_RATIO_TICKS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One line: what it is, its counts and estimate as printed, and where the marks go.

    ``low`` and ``high`` are null for a reference level; ``group`` heads the lines that share it;
    ``n`` sets the size of the mark.
    """

    group: str
    label: str
    counts: str
    text: str
    estimate: float
    low: float | None
    high: float | None
    n: int


def draw_forest(
    rows: Sequence[ForestRow], *, title: str, axis: str, scale: Scale, heads: tuple[str, str]
) -> Figure:
    """Estimates as squares (area by patients) on their intervals, one line per subgroup.

    Parameters
    ----------
    scale : {"ratio", "percent"}
        Ratios on a logarithmic axis with a line at 1, cut at 1/20 and 20 (arrows); percent from 0
        to 100 with a line at the first row's estimate.
    heads : (str, str)
        Headings of the two columns of numbers.
    """
    lines = _lines(rows)
    with themed():
        figure = new_figure(DOUBLE_COLUMN, 1.0 + _LINE * len(lines))
        names, axes, numbers = figure.subplots(1, 3, sharey=True, width_ratios=[2.1, 3.0, 2.6])
        axes.set_ylim(len(lines) - 0.5, -1.5)
        _columns(names, numbers, lines, heads)
        low, high = _limits(rows, scale)
        for place, line in enumerate(lines):
            if isinstance(line, ForestRow):
                _mark(axes, line, place, low, high, most=max(r.n for r in rows))
        _axis(axes, rows, scale, low, high)
        axes.set_xlabel(axis)
        names.set_title(title)
    return figure


def _lines(rows: Sequence[ForestRow]) -> list[ForestRow | str]:
    lines: list[ForestRow | str] = []
    group = ""
    for row in rows:
        if row.group != group:
            lines.append(row.group)
            group = row.group
        lines.append(row)
    return lines


def _columns(
    names: Axes, numbers: Axes, lines: Sequence[ForestRow | str], heads: tuple[str, str]
) -> None:
    for beside in (names, numbers):
        beside.set_xlim(0, 1)
        beside.axis("off")
    numbers.text(0.32, -1, heads[0], ha="right", va="center", style="italic", fontsize=7.5)
    numbers.text(0.42, -1, heads[1], ha="left", va="center", style="italic", fontsize=7.5)
    for place, line in enumerate(lines):
        if isinstance(line, str):
            names.text(0, place, line, va="center", fontweight="bold")
            continue
        indent = 0.06 if line.group else 0.0
        names.text(indent, place, line.label, va="center")
        numbers.text(0.32, place, line.counts, ha="right", va="center")
        numbers.text(0.42, place, line.text, ha="left", va="center")


def _limits(rows: Sequence[ForestRow], scale: Scale) -> tuple[float, float]:
    if scale == "percent":
        return 0.0, 100.0
    reach = [v for r in rows for v in (r.low, r.high, r.estimate) if v is not None and v > 0]
    far = max(2.2, *(max(v, 1 / v) for v in reach))
    far = min(far * 1.1, _WIDEST_RATIO)
    return 1 / far, far


def _mark(axes: Axes, row: ForestRow, place: int, low: float, high: float, *, most: int) -> None:
    colour = GREY if row.low is None else BLUE
    if row.low is not None and row.high is not None:
        left, right = max(row.low, low), min(row.high, high)
        axes.plot([left, right], [place, place], color=colour, linewidth=1.1)
        for end, outside, marker in (
            (left, row.low < low, "<"),
            (right, row.high > high, ">"),
        ):
            if outside:
                axes.plot([end], [place], marker=marker, color=colour, markersize=4)
    if low <= row.estimate <= high:
        size = 3.0 + 4.0 * float(np.sqrt(row.n / max(most, 1)))
        face = "white" if row.low is None else colour
        axes.plot(
            [row.estimate],
            [place],
            marker="s",
            markersize=size,
            color=colour,
            markerfacecolor=face,
            clip_on=False,
        )


def _axis(axes: Axes, rows: Sequence[ForestRow], scale: Scale, low: float, high: float) -> None:
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False, labelleft=False)
    if scale == "ratio":
        axes.set_xscale("log")
        axes.set_xticks([t for t in _RATIO_TICKS if low <= t <= high])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(low, high)
    middle = 1.0 if scale == "ratio" else rows[0].estimate
    axes.axvline(middle, color=BLACK, linewidth=0.7, linestyle=":", zorder=0)
