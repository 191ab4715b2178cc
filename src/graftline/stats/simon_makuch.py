"""Simon-Makuch curves: survival with group membership that is updated during follow-up."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from graftline.stats.inputs import StatsInputError
from graftline.stats.kaplan_meier import kaplan_meier
from graftline.stats.probability_interval import IntervalType
from graftline.stats.survival_curve import KaplanMeier
from graftline.stats.switching import both_curves, switch_rows


@dataclass(frozen=True, slots=True)
class SimonMakuch:
    """Curves of patients while not (yet) switched and of those who have switched.

    A curve is not the survival of a fixed set of patients: ``at_risk`` of the switched grows.
    """

    unswitched: KaplanMeier
    switched: KaplanMeier
    start_time: float

    def to_frame(self) -> pl.DataFrame:
        """Both curves, with the column switched (0 or 1) in front."""
        return both_curves(self.unswitched, self.switched)

    def __str__(self) -> str:
        """Both curves as text."""
        return f"Not switched\n{self.unswitched}\n\nSwitched\n{self.switched}"


def simon_makuch(
    time: ArrayLike,
    status: ArrayLike,
    switch_time: ArrayLike,
    *,
    start_time: float | None = None,
    interval: IntervalType = "log-log",
    level: float = 0.95,
) -> SimonMakuch:
    """Kaplan-Meier curves in which a patient moves to the other curve at the switch.

    Parameters
    ----------
    time, status : array (n)
        Time of event or censoring; 1 for the event, 0 for censored.
    switch_time : array (n)
        Time of the switch, NaN (or null) for never. An event at that very time comes before it.
    start_time : float, optional
        Both curves start at 1 at this landmark, when enough patients have switched; membership is
        still updated. By default at 0, where the first patients to switch weigh heavily.
    interval, level
        As for `kaplan_meier`.

    Raises
    ------
    StatsInputError
        Impossible rows, or one of the curves without patients.

    Notes
    -----
    Source: Simon and Makuch 1984. R: ``survfit(Surv(start, stop, event) ~ tx, start.time=)`` on
    ``tmerge`` data.
    """
    rows = switch_rows(time, status, switch_time)
    later = np.ones(rows.stop.size, dtype=bool) if start_time is None else rows.stop >= start_time
    curves = []
    for place, name in enumerate(("before", "after")):
        members = (rows.switched == place) & later
        if not np.any(members):
            since = "" if start_time is None else f" from {start_time:g} on"
            raise StatsInputError(
                f"switch_time: found nobody {name} the switch{since}\n"
                "  expected patients on both sides of it"
            )
        curves.append(
            kaplan_meier(
                rows.stop[members],
                rows.event[members],
                entry=rows.start[members],
                interval=interval,
                level=level,
                start_time=start_time,
            )
        )
    return SimonMakuch(curves[0], curves[1], 0.0 if start_time is None else float(start_time))
