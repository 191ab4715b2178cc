"""Rows at risk, events and censorings at the distinct times at which rows end."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graftline.stats.event_counts import FloatArray, count_events
from graftline.stats.inputs import StatsInputError, SurvivalData
from graftline.stats.subject_rows import continuing


@dataclass(frozen=True, slots=True)
class EndCounts:
    """One value per distinct end of a row, weighted where weights were given.

    With subjects, ``censored`` counts those who do not go on in another row.
    """

    time: FloatArray
    at_risk: FloatArray
    events: FloatArray
    censored: FloatArray


def count_ends(data: SurvivalData) -> EndCounts:
    """Count by distinct time of event or censoring; times at which rows only begin are left out."""
    counts = count_events(data.time, data.event, 1, entry=data.entry, weights=data.weights)
    ends = counts.events[0] + counts.censored > 0.0
    events = counts.events[0][ends]
    at_risk = _without_dust(counts.at_risk[ends], events)
    censored = counts.censored[ends]
    if data.subject is not None:
        censored = censored - _going_on(data, counts.time[ends])
    return EndCounts(counts.time[ends], at_risk, events, censored)


def product_limit(at_risk: FloatArray, events: FloatArray) -> FloatArray:
    """Survival just after each time: the running product of 1 - d / r."""
    return np.cumprod((at_risk - events) / at_risk, dtype=np.float64)


def observed_from(data: SurvivalData, start_time: float | None) -> SurvivalData:
    """The rows that end at ``start_time`` or later; all of them without one."""
    if start_time is None:
        return data
    later = data.time >= start_time
    if not np.any(later):
        raise StatsInputError(
            f"start_time: nobody is observed at {start_time:g} or later\n"
            f"  expected a time no later than {data.time.max():g}"
        )
    return data.only(later)


def _going_on(data: SurvivalData, time: FloatArray) -> FloatArray:
    """How many of the rows that end at each time are gone on with by their subject."""
    rows = np.flatnonzero(continuing(data))
    place = np.searchsorted(time, data.time[rows], side="right") - 1
    weights = None if data.weights is None else data.weights[rows]
    return np.bincount(place, weights, time.size).astype(np.float64)


def _without_dust(at_risk: FloatArray, events: FloatArray) -> FloatArray:
    # Sums of fractional weights can miss "all at risk have the event" by rounding; S is then 0.
    all_leave: NDArray[np.bool_] = np.abs(at_risk - events) <= 1e-12 * at_risk.max()
    return np.where(all_leave, events, at_risk)
