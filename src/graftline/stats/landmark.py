"""Landmark analysis: groups formed at a fixed time, of the patients still at risk by then."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from graftline.stats.event_counts import FloatArray, IntArray
from graftline.stats.inputs import StatsInputError, survival_data
from graftline.stats.kaplan_meier import km_by_group
from graftline.stats.logrank import LogRank, logrank
from graftline.stats.probability_interval import IntervalType
from graftline.stats.result_text import text_number
from graftline.stats.survival_curve import KaplanMeier
from graftline.stats.switching import both_curves, checked_switch_times


@dataclass(frozen=True, slots=True)
class LandmarkRows:
    """Patients at risk after the landmark: ``time`` counts from it, ``switched`` is 1 if by then.

    ``patient`` is the place in the input; ``n_left`` patients had left before.
    """

    landmark: float
    patient: IntArray
    time: FloatArray
    status: IntArray
    switched: IntArray
    n_left: int

    def to_frame(self) -> pl.DataFrame:
        """One row per patient at risk."""
        names = ("patient", "time", "status", "switched")
        return pl.DataFrame({name: getattr(self, name) for name in names})

    def __str__(self) -> str:
        """Counts on one line."""
        return (
            f"landmark {text_number(float(self.landmark))}: {self.time.size} at risk, "
            f"{int(self.switched.sum())} switched by then; {self.n_left} had left"
        )


@dataclass(frozen=True, slots=True)
class Landmark:
    """Curves from the landmark on, by whether the switch came by then, and their log-rank test."""

    rows: LandmarkRows
    unswitched: KaplanMeier
    switched: KaplanMeier
    test: LogRank

    def to_frame(self) -> pl.DataFrame:
        """Both curves, times from the landmark, with the column switched (0 or 1) in front."""
        return both_curves(self.unswitched, self.switched)

    def __str__(self) -> str:
        """Counts, curves and test as text."""
        return (
            f"{self.rows}\n\nNot switched by the landmark\n{self.unswitched}\n\n"
            f"Switched by the landmark\n{self.switched}\n\n{self.test}"
        )


def landmark_rows(
    time: ArrayLike, status: ArrayLike, switch_time: ArrayLike, *, landmark: float
) -> LandmarkRows:
    """Patients whose follow-up goes beyond the landmark, the clock started anew there.

    Parameters
    ----------
    time, status : array (n)
        Time of event or censoring; 1 for the event, 0 for censored.
    switch_time : array (n)
        Time of the switch, NaN (or null) for never; switched are those with a switch at the
        landmark or before.
    landmark : float
        To be chosen before the data are seen.

    Raises
    ------
    StatsInputError
        Impossible rows, or nobody at risk after the landmark.

    Notes
    -----
    Source: Anderson, Cain and Gelber 1983.
    """
    data = survival_data(time, status)
    switch = checked_switch_times(switch_time, data.time)
    if not 0.0 <= landmark < float("inf"):
        raise StatsInputError(f"landmark: found {landmark!r}\n  expected a time, 0 or later")
    patient = np.flatnonzero(data.time > landmark)
    if patient.size == 0:
        raise StatsInputError(
            f"landmark: nobody is followed beyond {landmark:g}\n"
            f"  expected a time before {data.time.max():g}"
        )
    return LandmarkRows(
        landmark=float(landmark),
        patient=patient,
        time=data.time[patient] - landmark,
        status=data.event[patient],
        switched=(switch[patient] <= landmark).astype(np.int64),
        n_left=int(data.time.size - patient.size),
    )


def landmark_analysis(
    time: ArrayLike,
    status: ArrayLike,
    switch_time: ArrayLike,
    *,
    landmark: float,
    interval: IntervalType = "log-log",
    level: float = 0.95,
) -> Landmark:
    """Kaplan-Meier curves and log-rank test of the patients at risk at a landmark.

    Parameters
    ----------
    time, status, switch_time, landmark
        As for `landmark_rows`.
    interval, level
        As for `kaplan_meier`.

    Raises
    ------
    StatsInputError
        Impossible rows, or one of the groups empty at the landmark.

    Notes
    -----
    R: ``survfit`` and ``survdiff`` of ``Surv(time - landmark, status) ~ switched`` on the patients
    with ``time > landmark``.
    """
    rows = landmark_rows(time, status, switch_time, landmark=landmark)
    if not 0 < rows.switched.sum() < rows.switched.size:
        missing = "nobody" if rows.switched.sum() == 0 else "everybody"
        raise StatsInputError(
            f"landmark: {missing} at risk has switched by {landmark:g}\n"
            "  expected patients in both groups"
        )
    curves = km_by_group(rows.time, rows.status, rows.switched, interval=interval, level=level)
    test = logrank(rows.time, rows.status, rows.switched)
    return Landmark(rows, curves[0], curves[1], test)
