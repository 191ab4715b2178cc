"""Survival curves with pointwise intervals and the numbers at risk."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from graftline.figures.theme import (
    CYCLE,
    DAYS_PER_MONTH,
    DOUBLE_COLUMN,
    LINES,
    month_axis,
    new_figure,
    themed,
)
from graftline.stats import KaplanMeier

Floats = NDArray[np.float64]
_MOST_STEPS = 2000
_MOST_CENSOR_MARKS = 500


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve to draw: its name and its estimate."""

    label: str
    estimate: KaplanMeier


def draw_survival(
    curves: Sequence[Curve], *, title: str, origin: str, ylabel: str = "Patients (%)"
) -> Figure:
    """Survival in percent over months, with 95% intervals, censoring marks and numbers at risk."""
    with themed():
        figure = new_figure(DOUBLE_COLUMN * 0.8, 2.9 + 0.2 * len(curves))
        upper, lower = figure.subplots(
            2, 1, sharex=True, height_ratios=[10, 0.6 + 0.75 * len(curves)]
        )
        last = max(float(c.estimate.time[-1]) for c in curves)
        for place, curve in enumerate(curves):
            _draw_curve(upper, curve, CYCLE[place % len(CYCLE)], LINES[place % len(LINES)])
        upper.set_ylim(0, 102)
        upper.set_ylabel(ylabel)
        upper.set_title(title)
        if len(curves) > 1:
            upper.legend(loc="lower left")
        ticks = month_axis(lower, last, label=f"Months from {origin}")
        upper.tick_params(labelbottom=False)
        draw_at_risk(
            lower,
            ticks,
            [(c.label if len(curves) > 1 else "", at_risk_at(c.estimate, ticks)) for c in curves],
        )
    return figure


def at_risk_at(estimate: KaplanMeier, months: Sequence[float]) -> list[int]:
    """Patients under observation just before each time."""
    return [int(n) for n in estimate.at([m * DAYS_PER_MONTH for m in months]).at_risk]


def draw_at_risk(
    axes: Axes, ticks: Sequence[float], rows: Sequence[tuple[str, Sequence[int]]]
) -> None:
    """Numbers at risk under the ticks, one line per curve in the colours of the curves."""
    axes.set_ylim(-len(rows), 0.9)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_yticks([-i - 0.3 for i in range(len(rows))], [label for label, _ in rows])
    axes.tick_params(left=False, bottom=False)
    axes.text(0, 0.95, "At risk", transform=axes.transAxes, fontsize=7, va="bottom", style="italic")
    for place, (_, numbers) in enumerate(rows):
        colour = CYCLE[place % len(CYCLE)] if len(rows) > 1 else "black"
        axes.get_yticklabels()[place].set_color(colour)
        for tick, value in zip(ticks, numbers, strict=True):
            axes.text(
                tick,
                -place - 0.3,
                f"{value:,}",
                ha="center",
                va="center",
                color=colour,
                fontsize=7.5,
            )


def thin_steps(*columns: Floats) -> tuple[Floats, ...]:
    """At most two thousand points of a step curve, ends kept: more cannot be seen."""
    size = columns[0].size
    if size <= _MOST_STEPS:
        return columns
    keep = np.unique(np.linspace(0, size - 1, _MOST_STEPS).astype(np.int64))
    return tuple(column[keep] for column in columns)


def _draw_curve(axes: Axes, curve: Curve, colour: str, line: str) -> None:
    estimate = curve.estimate
    # before the first event the curve is at 100% without an interval
    certain = estimate.survival == 1.0
    lower = np.where(certain, 1.0, estimate.lower)
    upper = np.where(certain, 1.0, estimate.upper)
    time, survival, low, high = thin_steps(
        np.concatenate([[estimate.start_time], estimate.time]) / DAYS_PER_MONTH,
        100 * np.concatenate([[1.0], estimate.survival]),
        100 * np.concatenate([[1.0], lower]),
        100 * np.concatenate([[1.0], upper]),
    )
    axes.fill_between(time, low, high, step="post", color=colour, alpha=0.16, linewidth=0)
    axes.step(time, survival, where="post", color=colour, linestyle=line, label=curve.label)
    marks = estimate.censored > 0
    if 0 < int(marks.sum()) <= _MOST_CENSOR_MARKS:
        axes.plot(
            estimate.time[marks] / DAYS_PER_MONTH,
            100 * estimate.survival[marks],
            linestyle="none",
            marker="|",
            markersize=5,
            color=colour,
        )
