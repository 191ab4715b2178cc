"""Gray's test of a small trial by its distribution over relabellings of the patients.

The chi-square of Gray's test is a large-sample approximation. Where groups do not differ and
censoring does not depend on them every relabelling of the patients, within strata, is equally
probable: the p-value is the share of relabellings whose statistic is at least as large. Sources:
Gray 1988 (the statistic); Fisher 1935; Phipson and Smyth 2010 (drawn relabellings).
"""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import ArrayLike

from graftline.stats.chi_square import quadratic_form
from graftline.stats.competing_data import competing_data
from graftline.stats.event_counts import FloatArray, IntArray, index_times
from graftline.stats.gray import GrayTest, gray_pass, gray_test
from graftline.stats.inputs import StatsInputError
from graftline.stats.proportion import clopper_pearson
from graftline.stats.result_text import text_number, text_p_value

# Statistics that differ by rounding are equal.
_EQUAL = 1e-9
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class GrayPermutationTest:
    """Share of relabellings with a statistic at least that of ``test``.

    ``exact``: all ``arrangements`` were gone through, and ``lower`` and ``upper`` are the p-value
    itself. Otherwise that many were drawn, the observed one counted among them, and the limits
    are a 95% interval of the exact p-value.
    """

    test: GrayTest
    p_value: float
    lower: float
    upper: float
    arrangements: int
    exact: bool

    def to_frame(self) -> pl.DataFrame:
        """One row."""
        names = ("p_value", "lower", "upper", "arrangements", "exact")
        values = {name: [getattr(self, name)] for name in names}
        return pl.DataFrame({"statistic": [self.test.statistic], **values})

    def __str__(self) -> str:
        """The test on one line."""
        how = f"over all {self.arrangements} arrangements"
        if not self.exact:
            limits = f"{text_p_value(self.lower)} to {text_p_value(self.upper)}"
            how = f"over {self.arrangements} drawn arrangements (exact p: {limits})"
        return (
            f"Gray's test, cause {self.test.cause}, {how}: statistic "
            f"{text_number(self.test.statistic)}, p {text_p_value(self.p_value)}"
        )


def permuted_gray_test(
    time: ArrayLike,
    status: ArrayLike,
    group: ArrayLike,
    *,
    cause: int = 1,
    rho: float = 0.0,
    strata: ArrayLike | None = None,
    most_arrangements: int = 500_000,
    draws: int = 20_000,
    seed: int = 1,
) -> GrayPermutationTest:
    """Permutation version of `gray_test`, exact where all relabellings can be gone through.

    Parameters
    ----------
    time, status, group, cause, rho, strata
        As for `gray_test`. Patients change labels within their stratum.
    most_arrangements : int
        Up to so many relabellings are all gone through: 9 against 10 patients have 92,378.
    draws, seed : int
        Above that, relabellings drawn, from this seed.

    Raises
    ------
    StatsInputError
        As for `gray_test`; no draws.

    Notes
    -----
    Censoring must not depend on the group. Ties count as reaching the observed statistic.
    """
    if draws < 1 or most_arrangements < 0:
        raise StatsInputError(
            f"draws, most_arrangements: found {draws!r}, {most_arrangements!r}\n"
            "  expected at least 1 draw, and 0 arrangements or more"
        )
    test = gray_test(time, status, group, cause=cause, rho=rho, strata=strata)
    data = competing_data(time, status, group=group, strata=strata)
    assert data.group is not None
    stratum = np.zeros_like(data.group) if data.stratum is None else data.stratum
    # Rows by stratum, labels ascending in each: the first arrangement of the enumeration.
    order = np.lexsort((data.group, stratum))
    starts = np.flatnonzero(np.diff(stratum[order], prepend=-1, append=-1)).astype(np.int64)
    indexed = index_times(data.time)
    kind = np.where(data.cause == cause, 1, np.where(data.cause > 0, 2, 0))
    rows = _Rows(indexed.index[order], kind[order], starts, indexed.time.size, len(data.labels))
    labels = data.group[order].astype(np.int64)
    least = test.statistic - _EQUAL * max(1.0, test.statistic)
    total = _arrangements(labels, starts, len(data.labels))
    if total <= most_arrangements:
        share = _reached_of_all(rows, labels, rho, least) / total
        return GrayPermutationTest(test, share, share, share, total, exact=True)
    reached = _reached_of_drawn(rows, labels, rho, least, draws, seed)
    interval = clopper_pearson(reached, draws)
    share = (reached + 1) / (draws + 1)
    return GrayPermutationTest(test, share, interval.lower, interval.upper, draws, exact=False)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What relabelling leaves alone: place in time, kind of end, where strata start and end."""

    step: IntArray
    kind: IntArray
    starts: IntArray
    steps: int
    groups: int

    def reached(self, labels: IntArray, rho: float, least: float) -> int:
        """Rows of labels (arrangements x patients) with a statistic of at least ``least``."""
        score, variance = _scores(
            labels, self.step, self.kind, self.starts, self.steps, self.groups, rho
        )
        return int((quadratic_form(score, variance)[0] >= least).sum())


def _arrangements(labels: IntArray, starts: IntArray, groups: int) -> int:
    total = 1
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        sizes = np.bincount(labels[start:end], minlength=groups).tolist()
        total *= math.factorial(end - start) // math.prod(math.factorial(size) for size in sizes)
    return total


def _reached_of_all(rows: _Rows, labels: IntArray, rho: float, least: float) -> int:
    reached, left = 0, True
    current = labels.copy()
    block = np.empty((_BLOCK, labels.size), dtype=np.int64)
    while left:
        filled, left = _fill(block, current, rows.starts)
        reached += rows.reached(block[:filled], rho, least)
    return reached


def _reached_of_drawn(
    rows: _Rows, labels: IntArray, rho: float, least: float, draws: int, seed: int
) -> int:
    random = np.random.default_rng(seed)
    reached = 0
    for first in range(0, draws, _BLOCK):
        block = np.tile(labels, (min(_BLOCK, draws - first), 1))
        for start, end in zip(rows.starts[:-1].tolist(), rows.starts[1:].tolist(), strict=True):
            block[:, start:end] = random.permuted(block[:, start:end], axis=1)
        reached += rows.reached(block, rho, least)
    return reached


@njit(cache=True)
def _scores(
    labels: IntArray,
    step: IntArray,
    kind: IntArray,
    starts: IntArray,
    steps: int,
    groups: int,
    rho: float,
) -> tuple[FloatArray, FloatArray]:
    """Score (k) and variance (k x k) of each row of labels, added over strata."""
    arrangements = labels.shape[0]
    score, variance = np.zeros((arrangements, groups)), np.zeros((arrangements, groups, groups))
    for row in range(arrangements):
        for s in range(starts.size - 1):
            ends = np.zeros((steps, groups, 3))
            for i in range(starts[s], starts[s + 1]):
                ends[step[i], labels[row, i], kind[i]] += 1.0
            own, other, at_risk = _busy_steps(ends)
            part = gray_pass(at_risk, own, other, rho)
            score[row] += part[0]
            variance[row] += part[1]
    return score, variance


@njit(cache=True)
def _busy_steps(ends: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Events of the cause, other events and numbers at risk by group, where anything happened."""
    steps, groups = ends.shape[0], ends.shape[1]
    own, other = np.zeros((steps, groups)), np.zeros((steps, groups))
    at_risk, here = np.zeros((steps, groups)), np.zeros(groups)
    busy = steps
    for t in range(steps - 1, -1, -1):
        happened = 0.0
        for g in range(groups):
            here[g] += ends[t, g, 0] + ends[t, g, 1] + ends[t, g, 2]
            happened += ends[t, g, 1] + ends[t, g, 2]
        if happened > 0.0:
            busy -= 1
            own[busy], other[busy], at_risk[busy] = ends[t, :, 1], ends[t, :, 2], here
    return own[busy:], other[busy:], at_risk[busy:]


@njit(cache=True)
def _fill(block: IntArray, labels: IntArray, starts: IntArray) -> tuple[int, bool]:
    """Arrangements from ``labels`` on into the block; how many, and whether there are more.

    ``labels`` is left at the first arrangement that no longer fitted.
    """
    for row in range(block.shape[0]):
        block[row] = labels
        stratum = starts.size - 2
        while stratum >= 0 and not _next_arrangement(labels[starts[stratum] : starts[stratum + 1]]):
            stratum -= 1  # all of this stratum are done, and it stands at its first one again
        if stratum < 0:
            return row + 1, False
    return block.shape[0], True


@njit(cache=True)
def _next_arrangement(labels: IntArray) -> bool:
    """The next arrangement in lexicographic order; after the last one the first, and False."""
    rise = labels.size - 2
    while rise >= 0 and labels[rise] >= labels[rise + 1]:
        rise -= 1
    if rise >= 0:
        other = labels.size - 1
        while labels[other] <= labels[rise]:
            other -= 1
        labels[rise], labels[other] = labels[other], labels[rise]
    low, high = rise + 1, labels.size - 1
    while low < high:
        labels[low], labels[high] = labels[high], labels[low]
        low, high = low + 1, high - 1
    return rise >= 0
