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
_MOST_CENSOR_MARKS = 150  # more of them run into one another


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve to draw: its name, its estimate, and the times it was estimated from (days).

    ``band`` false leaves the interval out: for a curve that only shows another way of counting.
    """

    label: str
    estimate: KaplanMeier
    time_days: Floats
    entry_days: Floats
    band: bool = True


def draw_survival(curves: Sequence[Curve], *, title: str, origin: str) -> Figure:
    """Survival in percent over months, with 95% intervals, censoring marks and numbers at risk."""
    with themed():
        figure, upper, lower = risk_layout(len(curves))
        last = max(float(c.time_days.max()) for c in curves)
        for place, curve in enumerate(curves):
            _draw_curve(upper, curve, CYCLE[place % len(CYCLE)], LINES[place % len(LINES)])
        upper.set_title(title)
        if len(curves) > 1:
            upper.legend(loc="lower left" if _room_at_lower_left(curves, last) else "upper right")
        ticks = month_axis(upper, last, label=f"Months from {origin}")
        days = [tick * DAYS_PER_MONTH for tick in ticks]
        rows = [(c.label, people_at_risk(c.time_days, c.entry_days, days)) for c in curves]
        draw_at_risk(lower, ticks, rows)
    return figure


def _room_at_lower_left(curves: Sequence[Curve], last: float) -> bool:
    """Whether no curve comes down low in the left half of the axes."""
    return min(float(c.estimate.at([last / 2]).survival[0]) for c in curves) > 0.25


def marks_censored(estimate: KaplanMeier) -> bool:
    """Whether the curve has a tick where somebody is censored: few enough to be told apart."""
    return 0 < int((estimate.censored > 0).sum()) <= _MOST_CENSOR_MARKS


def risk_layout(curves: int) -> tuple[Figure, Axes, Axes]:
    """Axes for curves in percent, and axes under them for the numbers at risk."""
    figure = new_figure(DOUBLE_COLUMN * 0.8, 3.0 + 0.16 * curves)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[10, 0.35 + 0.6 * curves])
    upper.set_ylim(0, 102)
    upper.set_ylabel("Patients (%)")
    upper.tick_params(labelbottom=True)
    return figure, upper, lower


def people_at_risk(time_days: Floats, entry_days: Floats, days: Sequence[float]) -> list[int]:
    """Patients under observation at each time: entered before it, and not yet gone."""
    counts = []
    for day in days:
        entered = (entry_days < day) | (entry_days == 0)
        counts.append(int((entered & (time_days >= day)).sum()))
    return counts


def draw_at_risk(
    axes: Axes, ticks: Sequence[float], rows: Sequence[tuple[str, Sequence[int]]]
) -> None:
    """Numbers at risk under the ticks, one line per curve in the colours of the curves."""
    axes.set_ylim(-len(rows) + 0.4, 0.7)
    axes.spines[["left", "bottom"]].set_visible(False)
    names = [label for label, _ in rows] if len(rows) > 1 else ["At risk"]
    axes.set_yticks([-float(i) for i in range(len(rows))], names)
    axes.tick_params(left=False, bottom=False, labelbottom=False, pad=14)
    if len(rows) > 1:
        axes.set_title("At risk", fontsize=7, fontweight="normal", style="italic", pad=1)
    for place, (_, numbers) in enumerate(rows):
        colour = CYCLE[place % len(CYCLE)] if len(rows) > 1 else "black"
        axes.get_yticklabels()[place].set_color(colour)
        for tick, value in zip(ticks, numbers, strict=True):
            axes.text(tick, -place, f"{value:,}", ha="center", va="center", color=colour)


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
    if curve.band:
        axes.fill_between(time, low, high, step="post", color=colour, alpha=0.16, linewidth=0)
    axes.step(time, survival, where="post", color=colour, linestyle=line, label=curve.label)
    marks = estimate.censored > 0
    if curve.band and marks_censored(estimate):
        axes.plot(
            estimate.time[marks] / DAYS_PER_MONTH,
            100 * estimate.survival[marks],
            linestyle="none",
            marker="|",
            markersize=5,
            color=colour,
        )
