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
from numpy.typing import ArrayLike

from graftline.stats.event_counts import FloatArray
from graftline.stats.group_counts import count_by_group
from graftline.stats.inputs import StatsInputError, survival_data
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
    data = survival_data(time, status, group=group, groups_needed=2)
    check_weighting(weighting, rho, gamma)
    assert data.group is not None
    n = data.time.size
    if len(data.labels) != 2:
        raise StatsInputError(f"group: found {len(data.labels)} levels\n  expected two")
    if n > _MOST_PATIENTS:
        raise StatsInputError(
            f"time: found {n} patients\n  expected at most {_MOST_PATIENTS}, whose arrangements "
            "can be counted\n  use logrank"
        )
    counts = next(iter(count_by_group(data)))
    weight = event_time_weights(counts.total_at_risk, counts.total_events, weighting, rho, gamma)
    hazard = np.cumsum(weight * counts.total_events / counts.total_at_risk)
    # A merged near tie is known by its earliest time, so looking from the right finds it.
    place = np.searchsorted(counts.time, data.time, side="right")
    at_event = np.concatenate(([0.0], weight))[place]
    died = data.event == 1
    scores = np.where(died, at_event, 0.0) - np.concatenate(([0.0], hazard))[place]
    members = data.group == 0
    return _count_arrangements(
        data.labels[0], scores, int(members.sum()), float(scores[members].sum())
    )


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
