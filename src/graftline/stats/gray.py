"""Gray's test that groups have the same cumulative incidence of a cause.

The score of group k is the sum of (1 - F0)^rho (d_k - d R_k / R), with R_k = r_k (1 - F_k) / S_k
(left limits) the number at risk for the subdistribution. Its variance is that of the same score
written as an integral against the martingales of both causes, under equal subdistributions: an
event changes its own group's weight then, and F_k and S_k ever after. Source: Gray 1988.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import ArrayLike

from graftline.stats.chi_square import ChiSquare, chi_square, quadratic_form
from graftline.stats.competing_data import CompetingData, competing_data
from graftline.stats.event_counts import FloatArray, IntArray, index_times
from graftline.stats.inputs import StatsInputError
from graftline.stats.result_text import text_table


@dataclass(frozen=True, slots=True)
class GrayTest:
    """Gray's chi-square, with each group's events, and score (observed minus expected, weighted).

    ``variance`` (k x k) is that of the ``score`` (k).
    """

    test: ChiSquare
    cause: int
    rho: float
    groups: tuple[object, ...]
    n: IntArray
    events: IntArray
    score: FloatArray
    variance: FloatArray

    @property
    def statistic(self) -> float:
        """The chi-square statistic."""
        return self.test.statistic

    @property
    def df(self) -> int:
        """Degrees of freedom."""
        return self.test.df

    @property
    def p_value(self) -> float:
        """Upper-tail p-value."""
        return self.test.p_value

    def to_frame(self) -> pl.DataFrame:
        """One row per group."""
        return pl.DataFrame(
            {
                "group": [str(label) for label in self.groups],
                "n": self.n,
                "events": self.events,
                "score": self.score,
            }
        )

    def __str__(self) -> str:
        """Groups and the test."""
        table = text_table(("group", "n", "events", "score"), self.to_frame().rows())
        return f"Gray's test, cause {self.cause}, rho {self.rho:g}\n{table}\nchi-square {self.test}"


def gray_test(
    time: ArrayLike,
    status: ArrayLike,
    group: ArrayLike,
    *,
    cause: int = 1,
    rho: float = 0.0,
    strata: ArrayLike | None = None,
) -> GrayTest:
    """Test that the cumulative incidence of a cause is the same in every group.

    Parameters
    ----------
    time, status : array (n)
        As for `cumulative_incidence`: 0 censored, 1, 2, ... the cause.
    group : array (n) of labels
        Two or more groups, known at time zero.
    cause : int
        The cause tested; all others compete.
    rho : float
        Power of (1 - F0(t-)) in the weight; 0 weighs all times alike.
    strata : array (n) of labels, optional
        Groups are compared within strata; scores and variances are added.

    Returns
    -------
    GrayTest
        The same statistic as cuminc of cmprsk. Directions in which the score cannot vary (a
        group that is never at risk with another) take no degree of freedom.

    Raises
    ------
    StatsInputError
        Unusable arrays, fewer than two groups, a cause nobody has, groups never at risk together.
    """
    data = competing_data(time, status, group=group, strata=strata)
    score, variance = gray_score(data, cause, rho)
    found, directions = quadratic_form(score, variance)
    statistic, df = float(found), int(directions)
    if df == 0:
        raise StatsInputError(
            f"group: no two groups are at risk together at any event of cause {cause}\n  expected "
            "groups whose follow-up overlaps; describe the groups apart instead"
        )
    places = np.zeros(0, dtype=np.int64) if data.group is None else data.group
    sizes = np.bincount(places, minlength=len(data.labels))
    own = np.bincount(places[data.cause == cause], minlength=len(data.labels))
    return GrayTest(chi_square(statistic, df), cause, rho, data.labels, sizes, own, score, variance)


def gray_score(data: CompetingData, cause: int, rho: float) -> tuple[FloatArray, FloatArray]:
    """Score of each group and its variance, summed over strata."""
    if len(data.labels) < 2:
        raise StatsInputError(
            f"group: found {len(data.labels)} group, {list(data.labels)}\n  expected two or more"
        )
    if not np.any(data.cause == cause):
        raise StatsInputError(
            f"cause: nobody has cause {cause}\n  expected at least one such event"
        )
    k = len(data.labels)
    groups = np.zeros(0, dtype=np.int64) if data.group is None else data.group
    n_strata = max(1, len(data.strata_labels))
    indexed = index_times(data.time)
    steps = indexed.time.size
    stratum = np.zeros_like(groups) if data.stratum is None else data.stratum
    kind = np.where(data.cause == cause, 1, np.where(data.cause > 0, 2, 0))
    cell = ((stratum * steps + indexed.index) * k + groups) * 3 + kind
    counts = np.bincount(cell, minlength=n_strata * steps * k * 3).astype(np.float64)
    table = counts.reshape(n_strata, steps, k, 3)
    score, variance = np.zeros(k), np.zeros((k, k))
    for layer in table:
        at_risk = np.cumsum(layer.sum(axis=2)[::-1], axis=0)[::-1]
        busy = layer[:, :, 1:].sum(axis=(1, 2)) > 0.0
        part = gray_pass(at_risk[busy], layer[busy, :, 1], layer[busy, :, 2], rho)
        score += part[0]
        variance += part[1]
    return score, variance


@njit(cache=True)
def gray_pass(
    at_risk: FloatArray, own: FloatArray, other: FloatArray, rho: float
) -> tuple[FloatArray, FloatArray]:
    """Score and variance in one stratum from counts (T x k) at its event times.

    ``a[i, k]`` is what an event of group k does to score i at once, ``later[i, k]`` the integral
    still to come of the same against the common subdistribution hazard.
    """
    steps, k = at_risk.shape
    score, variance = np.zeros(k), np.zeros((k, k))
    free_before, free = np.ones((steps, k)), np.ones(k)
    f0_before, f0 = np.zeros(steps), 0.0
    later = np.zeros((k, k))
    a = np.zeros((k, k))
    incidence = np.zeros(k)
    for t in range(steps):
        f0_before[t] = f0
        free_before[t] = free
        effective, at_risk_sub = 0.0, 0.0
        events = own[t].sum()
        for g in range(k):
            if at_risk[t, g] > 0.0:
                effective += at_risk[t, g] / free[g]
                at_risk_sub += at_risk[t, g] * (1.0 - incidence[g]) / free[g]
        weight = (1.0 - f0) ** rho
        if events > 0.0:
            for g in range(k):
                if at_risk[t, g] > 0.0:
                    mine = at_risk[t, g] * (1.0 - incidence[g]) / free[g]
                    score[g] += weight * (own[t, g] - events * mine / at_risk_sub)
            _weights_at(a, at_risk[t], free, effective, weight)
            later += a * _hazard_of_subdistribution(events, effective, f0)
            f0 += events / effective
        for g in range(k):
            if at_risk[t, g] > 0.0:
                incidence[g] += free[g] * own[t, g] / at_risk[t, g]
                free[g] *= max(at_risk[t, g] - own[t, g] - other[t, g], 0.0) / at_risk[t, g]
    for t in range(steps):
        events = own[t].sum()
        before = free_before[t]
        effective = 0.0
        for g in range(k):
            if at_risk[t, g] > 0.0:
                effective += at_risk[t, g] / before[g]
        f0 = f0_before[t] + events / effective
        if events > 0.0:
            _weights_at(a, at_risk[t], before, effective, (1.0 - f0_before[t]) ** rho)
            later -= a * _hazard_of_subdistribution(events, effective, f0_before[t])
        for g in range(k):
            r = at_risk[t, g]
            if r <= 0.0:
                continue
            after = before[g] * (r - own[t, g] - other[t, g]) / r
            left = (1.0 - f0) / after if after > 0.0 else 0.0
            if events > 0.0:
                tie = 1.0
                if events > 1.0:
                    tie = 1.0 - (events - 1.0) / (effective * before[g] - 1.0)
                scale = tie * before[g] * events / (effective * r)
                change = 1.0 - left if after > 0.0 else 1.0
                for i in range(k):
                    for j in range(k):
                        variance[i, j] += (
                            scale
                            * (a[i, g] + change * later[i, g])
                            * (a[j, g] + change * later[j, g])
                        )
            if other[t, g] > 0.0 and after > 0.0:
                tie = 1.0
                if other[t, g] > 1.0:
                    tie = 1.0 - (other[t, g] - 1.0) / (r - 1.0)
                scale = tie * before[g] * before[g] * other[t, g] / (r * r) * left * left
                for i in range(k):
                    for j in range(k):
                        variance[i, j] += scale * later[i, g] * later[j, g]
    return score, variance


@njit(cache=True)
def _hazard_of_subdistribution(events: float, effective: float, f0: float) -> float:
    free = 1.0 - f0
    # The common incidence can reach 1 once a group is spent. With two groups the weights are 0
    # from then on; cmprsk divides 0 by 0 there, and stops or not as rounding falls.
    return events / (effective * free) if abs(free) > 1e-12 else 0.0


@njit(cache=True)
def _weights_at(
    a: FloatArray, at_risk: FloatArray, free: FloatArray, effective: float, weight: float
) -> None:
    k = at_risk.size
    for i in range(k):
        for g in range(k):
            a[i, g] = 0.0
            if at_risk[i] > 0.0 and at_risk[g] > 0.0:
                share = at_risk[i] / free[i] / effective
                a[i, g] = weight * ((1.0 if i == g else 0.0) - share) * at_risk[g] / free[g]
