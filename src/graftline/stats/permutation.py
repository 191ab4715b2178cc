"""The log-rank test of a small trial by counting every allotment of patients to two groups.

Observed minus expected events of a group is a sum over its patients of fixed scores: status minus
the pooled cumulative hazard at the patient's time (each term times the weight of its event time).
With every allotment equally probable that sum has an exact distribution, ties included. Sources:
Peto and Peto 1972; Kalbfleisch and Prentice 2002, 7.3.
"""

from dataclasses import dataclass
from math import comb

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import ArrayLike

from graftline.stats.event_counts import FloatArray, IntArray
from graftline.stats.group_counts import count_by_group
from graftline.stats.inputs import StatsInputError, SurvivalData, survival_data
from graftline.stats.logrank import Weighting, check_weighting, event_time_weights
from graftline.stats.result_text import text_number, text_p_value

# Each half of the patients is enumerated whole: 2^21 sums for 42 patients.
_MOST_PATIENTS = 42
# Sums that differ by rounding are equal.
_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """Exact p-values of ``score``, the weighted observed minus expected events of ``label``.

    ``p_greater`` and ``p_less`` are the shares of the ``arrangements`` with a score at least as
    high and at most as low; ``p_value`` those at least as far from 0.
    """

    label: object
    score: float
    p_value: float
    p_greater: float
    p_less: float
    arrangements: int

    def to_frame(self) -> pl.DataFrame:
        """One row."""
        names = ("score", "p_value", "p_greater", "p_less", "arrangements")
        values = {name: [getattr(self, name)] for name in names}
        return pl.DataFrame({"group": [str(self.label)], **values})

    def __str__(self) -> str:
        """The test on one line."""
        return (
            f"Exact log-rank test over {self.arrangements} arrangements: score of {self.label} "
            f"{text_number(self.score)}, p {text_p_value(self.p_value)} (two-sided)"
        )


@dataclass(frozen=True, slots=True)
class GroupPermutationTest:
    """Exact p-value of a test of k groups; ``scores`` are weighted observed minus expected events.

    ``p_value`` is the share of the ``arrangements`` with a ``statistic`` at least as large.
    """

    labels: tuple[object, ...]
    scores: FloatArray
    statistic: float
    p_value: float
    arrangements: int

    def to_frame(self) -> pl.DataFrame:
        """One row per group, the test's result repeated in each."""
        groups = [str(label) for label in self.labels]
        return pl.DataFrame({"group": groups, "score": self.scores}).with_columns(
            pl.lit(self.statistic).alias("statistic"),
            pl.lit(self.p_value).alias("p_value"),
            pl.lit(self.arrangements).alias("arrangements"),
        )

    def __str__(self) -> str:
        """The test on one line."""
        return (
            f"Exact log-rank test of {len(self.labels)} groups over {self.arrangements} "
            f"arrangements: statistic {text_number(self.statistic)}, p {text_p_value(self.p_value)}"
        )


def exact_logrank(
    time: ArrayLike,
    status: ArrayLike,
    group: ArrayLike,
    *,
    weighting: Weighting = "logrank",
    rho: float = 0.0,
    gamma: float = 0.0,
) -> PermutationTest:
    """Permutation log-rank test of two groups of at most 42 patients in all.

    Parameters
    ----------
    time, status : array (n)
        Time of event or censoring; 1 for the event, 0 for censored.
    group : array (n)
        One of two labels; the score is that of the label sorted first.
    weighting, rho, gamma
        As for `logrank`.

    Raises
    ------
    StatsInputError
        Impossible rows, other than two groups, or more patients than can be enumerated.

    Notes
    -----
    Censoring must not depend on the group. The statistic is ``observed - expected`` of
    ``survdiff(Surv(time, status) ~ group)`` in R, recomputed for every relabelling.
    """
    data, scores = _scored(time, status, group, weighting, rho, gamma)
    n = data.time.size
    if len(data.labels) != 2:
        raise StatsInputError(f"group: found {len(data.labels)} levels\n  expected two")
    if n > _MOST_PATIENTS:
        raise StatsInputError(
            f"time: found {n} patients\n  expected at most {_MOST_PATIENTS}, whose arrangements "
            "can be counted\n  use logrank"
        )
    assert data.group is not None
    members = np.flatnonzero(data.group == 0)
    return _count_arrangements(
        data.labels[0], scores, int(members.size), float(scores[members].sum())
    )


def exact_logrank_groups(
    time: ArrayLike,
    status: ArrayLike,
    group: ArrayLike,
    *,
    weighting: Weighting = "logrank",
    rho: float = 0.0,
    gamma: float = 0.0,
    most_arrangements: int = 5_000_000,
) -> GroupPermutationTest:
    """Permutation log-rank test of k groups, every allotment gone through.

    Parameters
    ----------
    time, status, group
        As for `exact_logrank`, with two labels or more.
    weighting, rho, gamma
        As for `logrank`.
    most_arrangements : int
        Largest number of allotments gone through; three groups of five have 756,756.

    Raises
    ------
    StatsInputError
        Impossible rows, one group, or more allotments than allowed.

    Notes
    -----
    The statistic is (n - 1) sum of S_j^2 / n_j over the sum of squared scores, S_j the score of
    group j: its mean over all allotments is k - 1. With two groups the p-value is that of
    `exact_logrank`.
    """
    data, scores = _scored(time, status, group, weighting, rho, gamma)
    assert data.group is not None
    sizes = np.bincount(data.group, minlength=len(data.labels))
    total, left = 1, data.time.size
    for size in sizes.tolist():
        total, left = total * comb(left, size), left - size
    if total > most_arrangements:
        raise StatsInputError(
            f"time: found {total} arrangements of {data.time.size} patients\n"
            f"  expected at most {most_arrangements}\n  use logrank, or allow more"
        )
    spread = float(scores @ scores)
    sums = np.bincount(data.group, weights=scores, minlength=sizes.size).astype(np.float64)
    observed = float(np.sum(sums * sums / sizes))
    reached = _allotments_at_least(
        np.sort(scores), sizes.astype(np.int64), observed - _EQUAL * max(1.0, spread)
    )
    return GroupPermutationTest(
        labels=data.labels,
        scores=sums,
        statistic=(scores.size - 1) * observed / spread if spread > 0.0 else 0.0,
        p_value=reached / total,
        arrangements=total,
    )


def _scored(
    time: ArrayLike,
    status: ArrayLike,
    group: ArrayLike,
    weighting: Weighting,
    rho: float,
    gamma: float,
) -> tuple[SurvivalData, FloatArray]:
    """The rows checked, and each patient's part in the score of its group."""
    data = survival_data(time, status, group=group, groups_needed=2)
    check_weighting(weighting, rho, gamma)
    counts = next(iter(count_by_group(data)))
    weight = event_time_weights(counts.total_at_risk, counts.total_events, weighting, rho, gamma)
    hazard = np.cumsum(weight * counts.total_events / counts.total_at_risk)
    # A merged near tie is known by its earliest time, so looking from the right finds it.
    place = np.searchsorted(counts.time, data.time, side="right")
    at_event = np.concatenate(([0.0], weight))[place]
    died = data.event == 1
    return data, np.where(died, at_event, 0.0) - np.concatenate(([0.0], hazard))[place]


def _count_arrangements(
    label: object, scores: FloatArray, size: int, observed: float
) -> PermutationTest:
    left, right = scores[: scores.size // 2], scores[scores.size // 2 :]
    left_sums, right_sums = _sums_by_size(left), _sums_by_size(right)
    margin = _EQUAL * max(1.0, float(np.abs(scores).sum()))
    greater = _pairs_at_least(left_sums, right_sums, size, observed - margin)
    not_less = _pairs_at_least(left_sums, right_sums, size, observed + margin)
    total = comb(scores.size, size)
    reach = abs(observed)
    above = _pairs_at_least(left_sums, right_sums, size, reach - margin)
    below = total - _pairs_at_least(left_sums, right_sums, size, -reach + margin)
    return PermutationTest(
        label=label,
        score=float(observed),
        p_value=min(1.0, (above + below) / total),
        p_greater=greater / total,
        p_less=(total - not_less) / total,
        arrangements=total,
    )


def _sums_by_size(scores: FloatArray) -> list[FloatArray]:
    """Sorted sums of all subsets, by number of members."""
    sums, sizes = np.zeros(1), np.zeros(1, dtype=np.int64)
    for score in scores:
        sums = np.concatenate((sums, sums + score))
        sizes = np.concatenate((sizes, sizes + 1))
    return [np.sort(sums[sizes == size]) for size in range(scores.size + 1)]


def _pairs_at_least(
    left: list[FloatArray], right: list[FloatArray], size: int, threshold: float
) -> int:
    """Subsets of ``size`` members, one part from each half, whose sum is at least a threshold."""
    count = 0
    for taken, sums in enumerate(left):
        rest = size - taken
        if 0 <= rest < len(right):
            first = np.searchsorted(right[rest], threshold - sums, side="left")
            count += int(right[rest].size * sums.size - first.sum())
    return count


@njit(cache=True)
def _allotments_at_least(scores: FloatArray, sizes: IntArray, threshold: float) -> int:
    """Allotments of the patients to groups of these sizes with sum of S^2 / size >= threshold."""
    n, k = scores.size, sizes.size
    room, sums = sizes.copy(), np.zeros(k)
    choice = np.full(n, -1, dtype=np.int64)
    reached, patient = 0, 0
    while patient >= 0:
        # Take the patient back from its group, then try the next group with room.
        group = choice[patient]
        if group >= 0:
            room[group] += 1
            sums[group] -= scores[patient]
        group += 1
        while group < k and room[group] == 0:
            group += 1
        if group == k:
            choice[patient] = -1
            patient -= 1
            continue
        choice[patient] = group
        room[group] -= 1
        sums[group] += scores[patient]
        if patient < n - 1:
            patient += 1
            continue
        total = 0.0
        for j in range(k):
            total += sums[j] * sums[j] / sizes[j]
        if total >= threshold:
            reached += 1
    return reached
