"""Enrolment flow as boxes: screened to transplanted, with who stopped where."""

import textwrap

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from graftline.figures.theme import BLUE, DOUBLE_COLUMN, GREY, new_figure, themed

_WIDTH = 54


def draw_flow(steps: pl.DataFrame) -> Figure:
    """Boxes down the left, reasons for stopping at the right.

    Parameters
    ----------
    steps : DataFrame [step, reached, stopped, reasons]
    """
    with themed():
        stopped = bool((steps["stopped"] > 0).any())
        figure = new_figure(DOUBLE_COLUMN * (0.9 if stopped else 0.42), 0.62 * steps.height)
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_xlim(0, 10 if stopped else 4.4)
        axes.set_ylim(-steps.height + 0.9, 0.7)
        enrolled = steps.filter(pl.col("step") == "enrolled")["reached"]
        base = int(enrolled[0]) if enrolled.len() else 0
        counted = False
        for place, row in enumerate(steps.iter_rows(named=True)):
            text = f"{row['step'].capitalize()}: {row['reached']:,}"
            if counted and base:
                text += f"  ({100 * row['reached'] / base:.0f}% of enrolled)"
            counted = counted or row["step"] == "enrolled"
            _box(axes, 0.1, -place, 4.1, text, BLUE)
            if place:
                _arrow(axes, (2.15, -place + 1 - 0.02), (2.15, -place + 0.62))
            if row["stopped"]:
                reason = textwrap.shorten(row["reasons"], 150, placeholder=" …")
                words = f"Stopped: {row['stopped']:,}\n{textwrap.fill(reason, _WIDTH)}"
                _box(axes, 5.1, -place - 0.42, 4.8, words, GREY, size=6.5)
                _arrow(axes, (2.15, -place - 0.12), (5.1, -place - 0.12))
    return figure


def _box(
    axes: Axes, x: float, y: float, width: float, text: str, colour: str, *, size: float = 8.0
) -> None:
    height = 0.6
    axes.add_patch(
        FancyBboxPatch(
            (x, y),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor="white",
            edgecolor=colour,
            linewidth=1.0,
            mutation_aspect=0.5,
        )
    )
    axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=size)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": GREY, "linewidth": 0.9}
    )
