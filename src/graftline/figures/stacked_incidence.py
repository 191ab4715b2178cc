"""Stacked cumulative incidence: event-free, relapse, death without relapse add up to 100%."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from graftline.figures.cumulative_incidence import CauseCurve
from graftline.figures.state_occupation import DEAD, draw_stack
from graftline.figures.survival_curves import draw_at_risk, people_at_risk, risk_layout
from graftline.figures.theme import (
    DAYS_PER_MONTH,
    DOUBLE_COLUMN,
    SKY,
    VERMILION,
    month_axis,
    themed,
)


def draw_stacked_incidence(
    curve: CauseCurve, *, title: str, origin: str, labels: Sequence[str]
) -> Figure:
    """Incidence of every cause of one estimate, stacked on the event-free.

    Parameters
    ----------
    curve : CauseCurve
        Its estimate has two causes; ``cause`` is not read.
    labels : sequence of str
        Event-free first, then one per cause of the estimate.
    """
    estimate = curve.estimate
    with themed():
        figure, upper, lower = risk_layout(1)
        figure.set_figwidth(DOUBLE_COLUMN)
        last = float(curve.time_days.max())
        incidence = np.column_stack(
            (np.zeros(len(estimate.causes)), estimate.incidence, estimate.incidence[:, -1:])
        )
        shares = np.vstack((1.0 - incidence.sum(axis=0), incidence))
        times = np.concatenate(([0.0], estimate.time, [last])) / DAYS_PER_MONTH
        colours = (SKY, VERMILION, DEAD)
        draw_stack(upper, times, 100 * shares, list(zip(labels, colours, strict=True)))
        upper.set_title(title)
        ticks = month_axis(upper, last, label=f"Months from {origin}")
        upper.set_xlim(0, max(last / DAYS_PER_MONTH, 1.0))
        days = [tick * DAYS_PER_MONTH for tick in ticks]
        counts = people_at_risk(curve.time_days, curve.entry_days, days)
        draw_at_risk(lower, ticks, [("At risk", counts)])
    return figure
