"""Rows of a Cox model laid out for one pass: by stratum and event time, latest first.

Only the times at which something happens matter to a partial likelihood, so each row is turned
into the range of event times at which it is at risk.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graftline.stats.design import Covariates, Design, design_matrix
from graftline.stats.event_counts import FloatArray, IntArray, index_times
from graftline.stats.inputs import (
    check_lengths,
    check_overlaps,
    check_rows,
    check_times,
    label_places,
    number_array,
    raise_problems,
)


@dataclass(frozen=True, slots=True)
class CoxData:
    """Checked input of a Cox model, row by row as given (rows of weight zero left out)."""

    design: Design
    time: FloatArray
    event: NDArray[np.bool_]
    start: FloatArray | None
    weights: FloatArray | None
    stratum: IntArray | None
    strata_labels: tuple[object, ...]
    cluster: IntArray | None

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.time.size)


@dataclass(frozen=True, slots=True)
class RiskCells:
    """Distinct (stratum, event time) cells in order, and the cells at which each row is at risk.

    ``time`` and ``stratum`` (C); row i is at risk from cell ``first[i]`` to ``last[i]``, none when
    ``last`` < ``first``; ``begins`` (S + 1) says where the cells of each stratum begin.
    """

    time: FloatArray
    stratum: IntArray
    begins: IntArray
    first: IntArray
    last: IntArray


@dataclass(frozen=True, slots=True)
class CellRows:
    """Rows ordered by their last cell, and late rows ordered by their first.

    ``order`` are row numbers; rows ``offset[c]`` to ``offset[c + 1]`` of it have last cell c. Of
    ``late`` (places within ``order``), ``late_offset[c]`` to ``late_offset[c + 1]`` enter at c.
    """

    order: IntArray
    offset: IntArray
    late: IntArray
    late_offset: IntArray


def cox_data(
    time: ArrayLike,
    event: ArrayLike,
    covariates: Covariates,
    *,
    start: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    subject: ArrayLike | None = None,
    names: tuple[str, ...] | None = None,
    reference: dict[str, object] | None = None,
) -> CoxData:
    """Check and convert; problems of all arrays are reported together.

    Raises
    ------
    StatsInputError
    """
    problems: list[str] = []
    design = design_matrix(covariates, names=names, reference=reference)
    times = number_array("time", time, problems)
    status = number_array("event", event, problems)
    starts = None if start is None else number_array("start", start, problems)
    case = None if weights is None else number_array("weights", weights, problems)
    stratum, labels = (None, ()) if strata is None else label_places("strata", strata, problems)
    clusters = None if cluster is None else label_places("cluster", cluster, problems)[0]
    subjects = None if subject is None else label_places("subject", subject, problems)[0]
    lengths: dict[str, NDArray[np.generic] | None] = {
        "time": times,
        "event": status,
        "covariates": design.matrix,
        "start": starts,
        "weights": case,
        "strata": stratum,
        "cluster": clusters,
        "subject": subjects,
    }
    check_lengths(lengths, problems)
    raise_problems(problems)
    check_times(times, starts, problems, entry_name="start")
    if subjects is not None and starts is not None:
        check_overlaps(subjects, starts, times, problems)
    check_rows("event", (status != 0.0) & (status != 1.0), status, "0 or 1", problems)
    if case is not None:
        wrong = ~(case >= 0.0) | np.isinf(case)
        check_rows("weights", wrong, case, "a finite weight, 0 or more", problems)
    raise_problems(problems)
    keep = None if case is None or np.all(case > 0.0) else case > 0.0
    return _keep(
        CoxData(design, times, status == 1.0, starts, case, stratum, labels, clusters), keep
    )


def _keep(data: CoxData, rows: NDArray[np.bool_] | None) -> CoxData:
    if rows is None:
        return data
    design = replace(data.design, matrix=data.design.matrix[rows])
    return CoxData(
        design,
        data.time[rows],
        data.event[rows],
        None if data.start is None else data.start[rows],
        None if data.weights is None else data.weights[rows],
        None if data.stratum is None else data.stratum[rows],
        data.strata_labels,
        None if data.cluster is None else data.cluster[rows],
    )


def risk_cells(
    time: FloatArray,
    event: NDArray[np.bool_],
    start: FloatArray | None,
    stratum: IntArray | None,
    n_strata: int,
) -> RiskCells:
    """Cells of a data set; a start of 0 is "from the origin", events at time 0 included."""
    n = time.size
    indexed = index_times(time if start is None else np.concatenate((time, start)))
    places = indexed.time.size
    if start is not None:
        short = (indexed.index[n:] >= indexed.index[:n]) & (start > 0.0)
        problems: list[str] = []
        check_rows(
            "start", short, start, "a start before the row's time, not within rounding", problems
        )
        raise_problems(problems)
    stop_key = indexed.index[:n]
    base = np.zeros(n, dtype=np.int64) if stratum is None else stratum * places
    if stratum is not None:
        stop_key = stop_key + base
    keys = np.unique(stop_key[event])
    begins = np.searchsorted(keys, np.arange(n_strata + 1) * places)
    passed = _counter(keys, n_strata * places, n)
    last = passed(stop_key) - 1
    own_first = np.zeros(n, dtype=np.int64) if stratum is None else begins[stratum]
    first = own_first
    if start is not None:
        first = np.where(start > 0.0, passed(indexed.index[n:] + base), own_first)
    return RiskCells(indexed.time[keys % places], keys // places, begins, first, last)


def _counter(keys: IntArray, size: int, n: int) -> Callable[[IntArray], IntArray]:
    """Number of cells at or before a key: looked up where a table is small, searched otherwise."""
    if size > 4 * n + 4096:
        return lambda key: np.searchsorted(keys, key, side="right")
    present = np.zeros(size, dtype=np.int64)
    present[keys] = 1
    table = np.cumsum(present)
    return lambda key: np.asarray(table[key])


def cell_rows(cells: RiskCells) -> CellRows:
    """Orders in which one backward pass meets the rows; rows never at risk are left out."""
    n_cells = cells.time.size
    used = np.flatnonzero(cells.last >= cells.first)
    last = cells.last[used]
    order = used[_order_of(last, n_cells)]
    offset = _offsets(last, n_cells)
    first = cells.first[order]
    late_rows = np.flatnonzero(first > cells.begins[:-1][cells.stratum[cells.last[order]]])
    late_first = first[late_rows]
    late = late_rows[_order_of(late_first, n_cells)]
    return CellRows(order, offset, late, _offsets(late_first, n_cells))


def _order_of(place: IntArray, n_places: int) -> IntArray:
    if n_places < 2**15:
        return np.argsort(place.astype(np.int16), kind="stable")
    return np.argsort(place, kind="stable")


def _offsets(place: IntArray, n_places: int) -> IntArray:
    return np.concatenate(([0], np.cumsum(np.bincount(place, minlength=n_places))))
