"""Concordance of predicted risk and outcome (Harrell's C), with its standard error.

Of all pairs in which one patient has an event while the other is still at risk (later, or
censored at that time), the share in which the higher risk had the event; equal risks count half.
The standard error is the infinitesimal jackknife. Sources: Harrell 1982; Therneau and Watson 2015.
Counting is by binary indexed trees: n log n.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from graftline.stats.cox import CoxFit
from graftline.stats.event_counts import FloatArray, IntArray, index_times
from graftline.stats.inputs import StatsInputError


@dataclass(frozen=True, slots=True)
class Concordance:
    """C with its standard error, and the (weighted) pairs it comes from."""

    concordance: float
    std_error: float
    concordant: float
    discordant: float
    tied_risk: float

    def to_frame(self) -> pl.DataFrame:
        """One row."""
        return pl.DataFrame({name: [getattr(self, name)] for name in self.__slots__})

    def __str__(self) -> str:
        """C and its standard error."""
        return f"Concordance {self.concordance:.4g} (standard error {self.std_error:.4g})"


def cox_concordance(fit: CoxFit) -> Concordance:
    """Concordance of a fitted Cox model with the data it was fitted on.

    Raises
    ------
    StatsInputError : no pair of patients can be compared.
    """
    data = fit.data
    n = data.n
    both = data.time if data.start is None else np.concatenate((data.time, data.start))
    indexed = index_times(both)
    stop = indexed.index[:n]
    start = np.full(n, -1) if data.start is None else _late_places(indexed.index[n:], data.start)
    weights = np.ones(n) if data.weights is None else data.weights
    rank = np.unique(_rounded(data.design.matrix @ fit.coef), return_inverse=True)[1] + 1
    stratum = np.zeros(n, dtype=np.int64) if data.stratum is None else data.stratum
    width = indexed.time.size + 1
    pairs = _count_pairs(
        rank.astype(np.int64),
        np.argsort(stratum * width + stop, kind="stable"),
        np.argsort(stratum * width + start, kind="stable"),
        stratum * width + stop,
        stratum * width + start,
        stratum,
        data.event,
        weights,
    )
    higher, lower, equal = (float(weights @ column) / 2.0 for column in pairs)
    total = higher + lower + equal
    if total == 0.0:
        raise StatsInputError("event: no two patients can be compared\n  concordance has no value")
    c = (higher + equal / 2.0) / total
    influence = (pairs[0] + pairs[2] / 2.0 - c * (pairs[0] + pairs[1] + pairs[2])) / total
    influence = influence * weights
    if data.cluster is not None:
        influence = np.bincount(data.cluster, weights=influence)
    return Concordance(c, float(np.sqrt(influence @ influence)), higher, lower, equal)


def _late_places(place: IntArray, start: FloatArray) -> IntArray:
    return np.where(start > 0.0, place, -1)


def _rounded(risk: FloatArray) -> FloatArray:
    """Risks equal but for rounding are ties; twelve digits are kept."""
    size = float(np.max(np.abs(risk), initial=0.0))
    if size == 0.0:
        return risk
    digits = 12 - int(np.ceil(np.log10(size)))
    return np.asarray(np.round(risk, min(digits, 300)))


@njit(cache=True)
def _add(tree: FloatArray, place: int, weight: float) -> None:
    while place < tree.size:
        tree[place] += weight
        place += place & -place


@njit(cache=True)
def _below(tree: FloatArray, place: int) -> float:
    total = 0.0
    while place > 0:
        total += tree[place]
        place -= place & -place
    return total


@njit(cache=True)
def _count_pairs(
    rank: NDArray[np.int64],
    by_stop: NDArray[np.int64],
    by_start: NDArray[np.int64],
    stop: NDArray[np.int64],
    start: NDArray[np.int64],
    stratum: NDArray[np.int64],
    event: NDArray[np.bool_],
    weights: FloatArray,
) -> FloatArray:
    """Concordant, discordant and tied pairs (3 x n) that each row is part of, once per row.

    Forward in time: ``there`` holds the patients at risk by rank, ``dead`` the deaths so far. A
    death looks at those there; a patient who leaves looks at the deaths since entering.
    """
    n = rank.size
    pairs = np.zeros((3, n))
    size = rank.max() + 1
    there, dead = np.zeros(size), np.zeros(size)
    at, gone = 0.0, 0.0
    a, b = 0, 0
    while a < n:
        here = stop[by_stop[a]]
        now = stratum[by_stop[a]]
        if a == 0 or stratum[by_stop[a - 1]] != now:
            there[:] = 0.0
            dead[:] = 0.0
            at, gone = 0.0, 0.0
        while b < n and start[by_start[b]] < here:
            i = by_start[b]
            if stratum[i] == now:
                _add(there, rank[i], weights[i])
                at += weights[i]
                _look(pairs, i, dead, gone, rank[i], -1.0, False)
            b += 1
        z = a
        while z < n and stop[by_stop[z]] == here:
            i = by_stop[z]
            if event[i]:
                _add(there, rank[i], -weights[i])
                at -= weights[i]
                _look(pairs, i, dead, gone, rank[i], 1.0, False)
            z += 1
        for q in range(a, z):
            i = by_stop[q]
            if event[i]:
                _look(pairs, i, there, at, rank[i], 1.0, True)
                _add(dead, rank[i], weights[i])
                gone += weights[i]
        for q in range(a, z):
            i = by_stop[q]
            if not event[i]:
                _look(pairs, i, dead, gone, rank[i], 1.0, False)
                _add(there, rank[i], -weights[i])
                at -= weights[i]
        a = z
    return pairs


@njit(cache=True)
def _look(
    pairs: FloatArray,
    i: int,
    tree: FloatArray,
    total: float,
    rank: int,
    sign: float,
    dies: bool,
) -> None:
    under = _below(tree, rank - 1)
    upto = _below(tree, rank)
    over = total - upto
    pairs[0, i] += sign * (under if dies else over)
    pairs[1, i] += sign * (over if dies else under)
    pairs[2, i] += sign * (upto - under)
