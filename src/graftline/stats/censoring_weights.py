"""How likely a patient was to be still observed: the weights of the subdistribution hazard.

A patient who had a competing event stays in the risk set of Fine and Gray with weight A(t) / A(T),
A(t) = G(t-) H(t-): G the chance of being uncensored, H the chance of having entered (late entries).
Sources: Fine and Gray 1999; Geskus 2011.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from graftline.stats.competing_data import CompetingData, competing_data
from graftline.stats.event_counts import FloatArray, IntArray, index_times
from graftline.stats.inputs import StatsInputError, check_choice

# Whether a patient with an event at a time at which another is censored was still at risk of
# being censored then: cmprsk counts the patient, survival's finegray does not.
Convention: TypeAlias = Literal["cmprsk", "survival"]


@dataclass(frozen=True, slots=True)
class CensoringCurve:
    """Observation probability of one group on the common grid of distinct times (T).

    ``before`` is A(t-), ``at_risk`` and ``censored`` are the counts behind G.
    """

    before: FloatArray
    at_risk: FloatArray
    censored: FloatArray


@dataclass(frozen=True, slots=True)
class FineGrayRows:
    """Start-stop rows whose weighted Cox model (Breslow ties) is the Fine-Gray model.

    ``row`` is the patient each row belongs to; ``event`` is 1 for the cause of interest.
    """

    row: IntArray
    start: FloatArray
    stop: FloatArray
    event: NDArray[np.bool_]
    weight: FloatArray

    def to_frame(self) -> pl.DataFrame:
        """One row per interval."""
        return pl.DataFrame({name: getattr(self, name) for name in self.__slots__})


def censoring_curve(
    data: CompetingData,
    place: IntArray,
    entry_place: IntArray | None,
    rows: NDArray[np.bool_],
    n_places: int,
    convention: Convention,
) -> CensoringCurve:
    """A(t-) of the chosen rows at every grid place."""
    weights = None if data.weights is None else data.weights[rows]
    censored = _count(place[rows], weights, data.cause[rows] == 0, n_places)
    failed = _count(place[rows], weights, data.cause[rows] > 0, n_places)
    at_risk = np.cumsum((censored + failed)[::-1])[::-1]
    late = None
    if data.entry is not None and entry_place is not None:
        late = data.entry[rows] > 0.0
        at_risk = at_risk - _later(_count(entry_place[rows], weights, late, n_places))
    exposed = at_risk if convention == "cmprsk" else at_risk - failed
    with np.errstate(divide="ignore", invalid="ignore"):
        stay = np.where(censored > 0.0, 1.0 - censored / exposed, 1.0)
    before = np.concatenate(([1.0], np.cumprod(np.maximum(stay, 0.0))[:-1]))
    if late is not None and entry_place is not None:
        entered = _count(entry_place[rows], weights, late, n_places)
        before = before * _entered_before(at_risk, failed + censored, entered)
    return CensoringCurve(before, at_risk, censored)


def fine_gray_rows(
    time: ArrayLike,
    status: ArrayLike,
    *,
    cause: int = 1,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    convention: Convention = "survival",
) -> FineGrayRows:
    """Long form of the Fine-Gray model: competing patients stay on with falling weights.

    Parameters
    ----------
    time, status, entry, weights
        As for `cumulative_incidence`.
    cause : int
        The cause of interest.
    strata : array (n) of labels, optional
        Censoring is estimated within each stratum.
    convention : {"survival", "cmprsk"}
        Ties between events and censorings, as finegray of survival or crr of cmprsk has them.

    Returns
    -------
    FineGrayRows
        ``cox(rows.stop, rows.event, x[rows.row], start=rows.start, weights=rows.weight,
        ties="breslow")`` fits the model. `fine_gray` does the same in linear time, with the
        variance that knows the weights are estimated.
    """
    check_choice("convention", convention, ("cmprsk", "survival"))
    data = competing_data(time, status, entry=entry, weights=weights, strata=strata)
    if not np.any(data.cause == cause):
        raise StatsInputError(f"cause: nobody has cause {cause}\n  expected at least one")
    everything = data.time if data.entry is None else np.concatenate((data.time, data.entry))
    indexed = index_times(everything)
    place = indexed.index[: data.time.size]
    entry_place = None if data.entry is None else indexed.index[data.time.size :]
    stratum = np.zeros_like(place) if data.stratum is None else data.stratum
    parts = [
        _stratum_rows(data, cause, indexed.time, place, entry_place, stratum == s, convention)
        for s in range(max(1, len(data.strata_labels)))
    ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((columns[1], columns[0]))
    row, start, stop, event, weight = (column[order] for column in columns)
    return FineGrayRows(row.astype(np.int64), start, stop, event.astype(np.bool_), weight)


def _stratum_rows(
    data: CompetingData,
    cause: int,
    grid: FloatArray,
    place: IntArray,
    entry_place: IntArray | None,
    chosen: NDArray[np.bool_],
    convention: Convention,
) -> tuple[FloatArray, ...]:
    """Rows of one stratum: intervals of constant weight that hold an event of the cause."""
    curve = censoring_curve(data, place, entry_place, chosen, grid.size, convention)
    rows = np.flatnonzero(chosen)
    events = grid[np.unique(place[chosen & (data.cause == cause)])]
    falls = np.flatnonzero(np.diff(curve.before) != 0.0)
    cuts = np.append(grid[falls], grid[place[rows].max()])
    level = np.append(curve.before[falls], curve.before[place[rows].max()])
    kept = np.unique(np.searchsorted(cuts, events, side="left"))
    own = np.searchsorted(cuts, data.time[rows], side="left")
    competing = (data.cause[rows] > 0) & (data.cause[rows] != cause)
    case = np.ones(rows.size) if data.weights is None else data.weights[rows]
    first_stop = np.where(competing, cuts[np.minimum(own, cuts.size - 1)], data.time[rows])
    begin = np.zeros(rows.size) if data.entry is None else data.entry[rows]
    after = np.searchsorted(kept, own, side="right")
    extra = np.where(competing, kept.size - after, 0)
    owner = np.repeat(np.arange(rows.size), extra)
    rank = np.arange(owner.size) - np.repeat(np.cumsum(extra) - extra, extra)
    piece = kept[after[owner] + rank]
    return (
        np.concatenate((rows, rows[owner])).astype(np.float64),
        np.concatenate((begin, cuts[piece - 1])),
        np.concatenate((first_stop, cuts[piece])),
        np.concatenate((data.cause[rows] == cause, np.zeros(owner.size, dtype=np.bool_))),
        np.concatenate((case, case[owner] * level[piece] / level[own[owner]])),
    )


def _count(
    place: IntArray, weights: FloatArray | None, which: NDArray[np.bool_], size: int
) -> FloatArray:
    chosen = None if weights is None else weights[which]
    counts = np.bincount(place[which], weights=chosen, minlength=size)
    return np.asarray(counts, dtype=np.float64)


def _later(counts: FloatArray) -> FloatArray:
    return np.cumsum(counts[::-1])[::-1]


def _entered_before(at_risk: FloatArray, leaving: FloatArray, entered: FloatArray) -> FloatArray:
    """H(t-): product over later entry times of the share not entering then, left limit."""
    present = at_risk - leaving + entered
    with np.errstate(divide="ignore", invalid="ignore"):
        stay = np.where(entered > 0.0, 1.0 - entered / present, 1.0)
    return np.asarray(np.cumprod(np.maximum(stay, 0.0)[::-1])[::-1], dtype=np.float64)
