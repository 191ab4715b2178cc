"""Comparing survival between groups that were known at time zero, and refusing those that were not.

A patient whose group becomes known later has survived until then by definition; counting that time
for the group is immortal-time bias. Source: Suissa 2008; Anderson, Cain and Gelber 1983.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from graftline.stats.event_counts import FloatArray
from graftline.stats.inputs import (
    StatsInputError,
    check_lengths,
    check_rows,
    number_array,
    raise_problems,
    row_list,
)
from graftline.stats.kaplan_meier import km_by_group
from graftline.stats.logrank import LogRank, logrank
from graftline.stats.probability_interval import IntervalType
from graftline.stats.survival_curve import KaplanMeier


class ImmortalTimeError(StatsInputError):
    """Groups that became known after time zero, compared as if they had been known there."""


@dataclass(frozen=True, slots=True)
class SurvivalComparison:
    """One curve per group, in sorted order of the labels, and the log-rank test."""

    labels: tuple[object, ...]
    curves: tuple[KaplanMeier, ...]
    test: LogRank

    def to_frame(self) -> pl.DataFrame:
        """All curves, with the column group in front."""
        frames = [
            curve.to_frame().select(pl.lit(str(label)).alias("group"), pl.all())
            for label, curve in zip(self.labels, self.curves, strict=True)
        ]
        return pl.concat(frames)

    def __str__(self) -> str:
        """Each group's median, then the test."""
        lines = [
            f"{label}: {curve.n:g} rows, {curve.n_events:g} events, median {curve.quantile()}"
            for label, curve in zip(self.labels, self.curves, strict=True)
        ]
        return "\n".join([*lines, "", str(self.test)])


def compare_survival(
    time: ArrayLike,
    status: ArrayLike,
    group: ArrayLike,
    *,
    group_known_at: ArrayLike = 0.0,
    entry: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    interval: IntervalType = "log-log",
    level: float = 0.95,
) -> SurvivalComparison:
    """Kaplan-Meier curves and log-rank test of groups known when each patient's follow-up starts.

    Parameters
    ----------
    time, status, group : array (n)
        Time of event or censoring; 1 for the event, 0 for censored; the group.
    group_known_at : float or array (n)
        When the group became known: 0 for a baseline group. With an ``entry``, at that entry or
        before. NaN where it is not known when.
    entry, strata : array (n), optional
        Start of observation, and strata of the test.
    interval, level
        As for `kaplan_meier`.

    Raises
    ------
    ImmortalTimeError
        A group known later than its patient's start; it names the rows and the calls that are
        right: `mantel_byar` and `simon_makuch`, or `landmark_analysis`.
    StatsInputError
        Impossible rows, or one group only.
    """
    refuse_immortal_time(time, group_known_at, entry=entry)
    curves = km_by_group(time, status, group, entry=entry, interval=interval, level=level)
    test = logrank(time, status, group, entry=entry, strata=strata)
    return SurvivalComparison(tuple(curves), tuple(curves.values()), test)


def refuse_immortal_time(
    time: ArrayLike, group_known_at: ArrayLike, *, entry: ArrayLike | None = None
) -> None:
    """Raise `ImmortalTimeError` if a group became known after its patient's follow-up started.

    Parameters
    ----------
    time : array (n)
        Time of event or censoring.
    group_known_at : float or array (n)
        When each patient's group became known, 0 or later.
    entry : array (n), optional
        Start of observation, 0 without it.

    Raises
    ------
    ImmortalTimeError
        Naming the rows and the calls that are right.
    StatsInputError
        Times that are missing, negative, or not one per row.
    """
    problems: list[str] = []
    times = number_array("time", time, problems)
    known = _known_times(group_known_at, times.size, problems)
    start = np.zeros(times.size) if entry is None else number_array("entry", entry, problems)
    check_lengths({"time": times, "group_known_at": known, "entry": start}, problems)
    raise_problems(problems)
    expected = "the time, 0 or later, at which the group became known"
    check_rows("group_known_at", ~(known >= 0.0), known, expected, problems)
    raise_problems(problems)
    late = np.flatnonzero(known > start)
    if late.size:
        raise ImmortalTimeError(
            f"group_known_at: {late.size} of {times.size} groups became known after time zero, at "
            f"{known[late].min():g} to {known[late].max():g}, in {row_list(late)}\n"
            "  expected groups known when follow-up starts: a patient is immortal until the group "
            "is known\n"
            "  use mantel_byar(time, status, switch_time) for a test and "
            "simon_makuch(time, status, switch_time) for curves,\n"
            "  or landmark_analysis(time, status, switch_time, landmark=...) at a time chosen "
            "beforehand"
        )


def _known_times(values: ArrayLike, n: int, problems: list[str]) -> FloatArray:
    if isinstance(values, pl.Series) or np.ndim(values) > 0:
        return number_array("group_known_at", values, problems)
    one = number_array("group_known_at", np.atleast_1d(np.asarray(values)), problems)
    return np.repeat(one, n)
