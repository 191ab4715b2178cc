"""Patients counted by distinct time: the small table from which every estimate is then computed.

A million patients with a thousand distinct days are a thousand rows here. Counting is the only
step that touches each patient, so every estimator built on it costs little more than reading.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from graftline.stats.ties import few_distinct

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]

# Times closer than this (absolutely, or relative to the mean distinct time) are one: 0.1 + 0.2 and
# 0.3 are the same day. The value and the rule are those of aeqSurv in R's survival.
TIE_TOLERANCE = float(np.sqrt(np.finfo(np.float64).eps))


@dataclass(frozen=True, slots=True)
class EventCounts:
    """Counts at each distinct time, weighted where weights were given.

    ``time`` (T), ``at_risk`` (T, just before the time), ``events`` (k x T, one row per cause),
    ``censored`` (T), ``n`` rows used.
    """

    time: FloatArray
    at_risk: FloatArray
    events: FloatArray
    censored: FloatArray
    n: int


@dataclass(frozen=True, slots=True)
class IndexedTimes:
    """Distinct times in order, and for each value its place among them."""

    time: FloatArray
    index: IntArray


def index_times(values: FloatArray) -> IndexedTimes:
    """Distinct values of an array with ties up to rounding merged, and each value's place."""
    whole = _index_whole_days(values)
    if whole is not None:
        return whole
    hashed = few_distinct(values)
    if hashed is None:
        return _index_by_sorting(values)
    every, place = hashed
    distinct = _merge_near_ties(every)
    if distinct.size == every.size:
        return IndexedTimes(distinct, place)
    merged = np.searchsorted(distinct, every, side="right") - 1
    return IndexedTimes(distinct, merged[place])


def _index_whole_days(values: FloatArray) -> IndexedTimes | None:
    """Whole days need no sorting: a table with one place per day is enough."""
    if values.size == 0 or values.min() < 0 or values.max() > 4.0 * values.size + 4096.0:
        return None
    days = values.astype(np.int64)
    if not np.array_equal(days, values):
        return None
    present = np.bincount(days) > 0
    distinct = np.flatnonzero(present).astype(np.float64)
    if np.any(np.diff(distinct) <= TIE_TOLERANCE * float(np.mean(distinct))):
        return None
    return IndexedTimes(distinct, (np.cumsum(present) - 1)[days])


def _index_by_sorting(values: FloatArray) -> IndexedTimes:
    order = np.argsort(values)
    ordered = values[order]
    first = np.ones(ordered.size, dtype=np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    distinct = ordered[first]
    kept = _apart(distinct)
    begins = np.zeros(ordered.size, dtype=np.bool_)
    begins[np.flatnonzero(first)[kept]] = True
    index = np.empty(ordered.size, dtype=np.int64)
    index[order] = np.cumsum(begins) - 1
    return IndexedTimes(distinct[kept], index)


def _merge_near_ties(distinct: FloatArray) -> FloatArray:
    return distinct[_apart(distinct)]


def _apart(distinct: FloatArray) -> NDArray[np.bool_]:
    """Which of the ordered distinct times are far enough from the one before."""
    apart = np.ones(distinct.size, dtype=np.bool_)
    gap = np.diff(distinct)
    scale = float(np.mean(np.abs(distinct))) if distinct.size else 0.0
    apart[1:] = (gap > TIE_TOLERANCE) & (gap > TIE_TOLERANCE * scale)
    return apart


def count_events(
    time: FloatArray,
    cause: IntArray,
    n_causes: int,
    *,
    entry: FloatArray | None = None,
    weights: FloatArray | None = None,
) -> EventCounts:
    """Count events by cause, censorings and patients at risk at each distinct time.

    Parameters
    ----------
    time : array (n)
        Time of event or censoring, not negative.
    cause : array (n)
        0 censored, 1..``n_causes`` the cause's place.
    n_causes : int
        Number of causes, whether or not each of them occurs.
    entry : array (n), optional
        Time from which a patient is observed (left truncation). At risk at t means entry < t <=
        time; an entry at 0 means from the origin, events at time 0 included. Entry times are then
        part of ``time``, so that the number at risk is exact everywhere.
    weights : array (n), optional
        Case weights, above zero.
    """
    n = time.size
    everything = time if entry is None else np.concatenate((time, entry))
    indexed = index_times(everything)
    places = indexed.time.size
    cells = np.bincount(
        indexed.index[:n] * (n_causes + 1) + cause,
        weights=weights,
        minlength=places * (n_causes + 1),
    )
    table = cells.reshape(places, n_causes + 1).astype(np.float64)
    leaving = table.sum(axis=1)
    at_risk = np.cumsum(leaving[::-1])[::-1].copy()
    if entry is not None:
        late = entry > 0.0
        late_weights = None if weights is None else weights[late]
        entering = np.bincount(indexed.index[n:][late], weights=late_weights, minlength=places)
        at_risk -= np.cumsum(entering[::-1])[::-1]
        _zero_where_nobody(at_risk, indexed.index, late, n)
    events = np.ascontiguousarray(table[:, 1:].T)
    return EventCounts(indexed.time, at_risk, events, table[:, 0].copy(), n)


def _zero_where_nobody(
    at_risk: FloatArray, index: IntArray, late: NDArray[np.bool_], n: int
) -> None:
    """Weights that do not sum exactly leave dust where nobody is at risk; whole counts do not."""
    places = at_risk.size
    leaving = np.bincount(index[:n], minlength=places)
    entering = np.bincount(index[n:][late], minlength=places)
    people = np.cumsum((leaving - entering)[::-1])[::-1]
    at_risk[people == 0] = 0.0
