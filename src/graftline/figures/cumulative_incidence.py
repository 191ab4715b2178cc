"""Cumulative incidence of competing causes with intervals and numbers at risk."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graftline.figures.survival_curves import (
    Floats,
    draw_at_risk,
    people_at_risk,
    risk_layout,
    thin_steps,
)
from graftline.figures.theme import (
    CYCLE,
    DAYS_PER_MONTH,
    LINES,
    day_axis,
    month_axis,
    themed,
)
from graftline.stats.aalen_johansen import CumulativeIncidence

_SHORT_DAYS = 190.0


@dataclass(frozen=True, slots=True)
class CauseCurve:
    """One cause to draw: its name, the estimate, and the times it was estimated from (days)."""

    label: str
    estimate: CumulativeIncidence
    time_days: Floats
    entry_days: Floats
    cause: int = 1


def draw_incidence(
    curves: Sequence[CauseCurve], *, title: str, origin: str, last_day: float | None = None
) -> Figure:
    """Cumulative incidence in percent, with 95% intervals and numbers at risk.

    The time axis is in days up to half a year and in months beyond.
    """
    with themed():
        figure, upper, lower = risk_layout(len(curves))
        last = last_day or max(float(c.time_days.max()) for c in curves)
        unit = 1.0 if last <= _SHORT_DAYS else DAYS_PER_MONTH
        for place, curve in enumerate(curves):
            _draw(upper, curve, CYCLE[place % len(CYCLE)], LINES[place % len(LINES)], unit)
        upper.set_title(title)
        upper.legend(loc="upper left" if _room_at_upper_left(curves, last) else "lower right")
        if unit == 1.0:
            ticks = list(day_axis(upper, last, label=f"Days from {origin}"))
        else:
            ticks = list(month_axis(upper, last, label=f"Months from {origin}"))
        days = [tick * unit for tick in ticks]
        rows = [(c.label, people_at_risk(c.time_days, c.entry_days, days)) for c in curves]
        draw_at_risk(lower, ticks, rows)
    return figure


def _room_at_upper_left(curves: Sequence[CauseCurve], last: float) -> bool:
    """Whether nothing reaches high in the left half of the axes."""
    highest = [float(c.estimate.at([last / 2], c.cause).upper[0]) for c in curves]
    return bool(np.nanmax([0.0, *highest]) < 0.65)


def _draw(axes: Axes, curve: CauseCurve, colour: str, line: str, unit: float) -> None:
    estimate = curve.estimate
    row = estimate.causes.index(curve.cause)
    none_yet = estimate.incidence[row] == 0
    low = np.where(none_yet, 0.0, estimate.lower[row])
    high = np.where(none_yet, 0.0, estimate.upper[row])
    time, incidence, low, high = thin_steps(
        np.concatenate([[0.0], estimate.time]) / unit,
        100 * np.concatenate([[0.0], estimate.incidence[row]]),
        100 * np.concatenate([[0.0], low]),
        100 * np.concatenate([[0.0], high]),
    )
    axes.fill_between(time, low, high, step="post", color=colour, alpha=0.16, linewidth=0)
    # over the axis: where nobody has the event, the curve lies on it
    axes.step(
        time,
        incidence,
        where="post",
        color=colour,
        linestyle=line,
        label=curve.label,
        zorder=3,
        clip_on=False,
    )
