"""Rows at risk and events of each group at each event time, stratum by stratum."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from graftline.stats.event_counts import FloatArray, IntArray, index_times
from graftline.stats.inputs import SurvivalData


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """Event times ``time`` (T) of a stratum, and ``at_risk`` and ``events`` (k x T) at them."""

    time: FloatArray
    at_risk: FloatArray
    events: FloatArray

    @property
    def total_at_risk(self) -> FloatArray:
        """At risk in all groups together."""
        return np.asarray(self.at_risk.sum(axis=0))

    @property
    def total_events(self) -> FloatArray:
        """Events in all groups together."""
        return np.asarray(self.events.sum(axis=0))


def count_by_group(data: SurvivalData) -> Iterator[GroupCounts]:
    """The counts of each stratum in turn; of everybody where there are no strata."""
    if data.stratum is None:
        yield _count(data)
        return
    order = np.argsort(data.stratum, kind="stable")
    sizes = np.bincount(data.stratum, minlength=len(data.strata_labels))
    for rows in np.split(order, np.cumsum(sizes)[:-1]):
        if rows.size:
            yield _count(data.only(rows))


def _count(data: SurvivalData) -> GroupCounts:
    assert data.group is not None
    n, k = data.time.size, len(data.labels)
    everything = data.time if data.entry is None else np.concatenate((data.time, data.entry))
    indexed = index_times(everything)
    size = indexed.time.size
    # One pass over the rows counts ends by group, time and status together.
    cells = (data.group * size + indexed.index[:n]) * 2 + data.event
    table = np.bincount(cells, weights=data.weights, minlength=k * size * 2)
    ends = table.reshape(k, size, 2).astype(np.float64)
    changes = ends.sum(axis=2)
    if data.entry is not None:
        changes -= _entering(data, indexed.index[n:], k, size)
    at_risk = np.cumsum(changes[:, ::-1], axis=1)[:, ::-1]
    events = ends[:, :, 1]
    happens = np.flatnonzero(events.any(axis=0))
    return GroupCounts(indexed.time[happens], at_risk[:, happens], events[:, happens])


def _entering(data: SurvivalData, index: IntArray, k: int, size: int) -> FloatArray:
    # An entry at 0 is the origin: those rows are at risk at time 0 too, and never subtracted.
    assert data.entry is not None
    assert data.group is not None
    late = data.entry > 0.0
    weights = None if data.weights is None else data.weights[late]
    cells = data.group[late] * size + index[late]
    entering = np.bincount(cells, weights=weights, minlength=k * size)
    return entering.reshape(k, size).astype(np.float64)
