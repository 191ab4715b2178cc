"""Comparing survival between groups: the log-rank test, weighted, stratified, for trend.

At each event time the events of group j are held against their share r_j / r of all events; the
weighted differences are added up, their variance is hypergeometric. Sources: Mantel 1966; Gehan
1965; Tarone and Ware 1977; Harrington and Fleming 1982; Tarone 1975 for the trend.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from graftline.stats.end_counts import product_limit
from graftline.stats.event_counts import FloatArray
from graftline.stats.group_counts import GroupCounts, count_by_group
from graftline.stats.inputs import (
    StatsInputError,
    SurvivalData,
    check_choice,
    check_rows,
    has_fractions,
    number_array,
    raise_problems,
    survival_data,
)
from graftline.stats.result_text import text_number, text_p_value, text_table

Weighting: TypeAlias = Literal["logrank", "gehan", "tarone-ware", "fleming-harrington"]
WEIGHTINGS: tuple[str, ...] = ("logrank", "gehan", "tarone-ware", "fleming-harrington")


@dataclass(frozen=True, slots=True)
class LogRank:
    """A k-group test: one value per group in ``labels``; ``variance`` (k x k) is that of ``score``.

    ``events`` and ``expected`` are plain counts; ``score`` is the weighted sum of their differences
    (equal to ``events - expected`` for the log-rank test), ``weighted_events`` its first half.
    Without events there is nothing to compare: ``chi_square`` and ``df`` 0, ``p_value`` NaN.
    """

    labels: tuple[object, ...]
    n: FloatArray
    events: FloatArray
    expected: FloatArray
    weighted_events: FloatArray
    weighted_expected: FloatArray
    score: FloatArray
    variance: FloatArray
    chi_square: float
    df: int
    p_value: float
    name: str

    def to_frame(self) -> pl.DataFrame:
        """One row per group, the test's result repeated in each."""
        names = ("n", "events", "expected", "weighted_events", "weighted_expected", "score")
        return pl.DataFrame(
            {
                "group": [str(label) for label in self.labels],
                **{name: getattr(self, name) for name in names},
                "std_error": np.sqrt(np.diag(self.variance)),
            }
        ).with_columns(
            pl.lit(self.chi_square).alias("chi_square"),
            pl.lit(self.df).alias("df"),
            pl.lit(self.p_value).alias("p_value"),
        )

    def __str__(self) -> str:
        """Observed and expected by group, then the test."""
        rows = [
            [str(label), self.n[j], self.events[j], self.expected[j], self.score[j]]
            for j, label in enumerate(self.labels)
        ]
        table = text_table(["group", "n", "events", "expected", "score"], rows)
        test = (
            f"chi-square {text_number(self.chi_square)} on {self.df} df, "
            f"p {text_p_value(self.p_value)}"
        )
        return f"{self.name}\n\n{table}\n\n{test}"


@dataclass(frozen=True, slots=True)
class TrendTest:
    """A test of trend over ordered groups: ``score`` is the sum of scores times group scores."""

    labels: tuple[object, ...]
    scores: FloatArray
    score: float
    variance: float
    z: float
    p_value: float
    name: str

    def to_frame(self) -> pl.DataFrame:
        """One row."""
        names = ("score", "variance", "z", "p_value")
        return pl.DataFrame({name: [getattr(self, name)] for name in names})

    def __str__(self) -> str:
        """The test on one line."""
        return f"{self.name}: z {text_number(self.z)}, p {text_p_value(self.p_value)} (two-sided)"


def logrank(
    time: ArrayLike,
    status: ArrayLike,
    group: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    subject: ArrayLike | None = None,
    weighting: Weighting = "logrank",
    rho: float = 0.0,
    gamma: float = 0.0,
) -> LogRank:
    """Log-rank test of equal hazards in k groups.

    Parameters
    ----------
    time, status : array (n)
        Time of event or censoring; 1 for the event, 0 for censored.
    group : array (n)
        Group of each row. It must be known at the row's start: for a group that becomes known
        during follow-up see `mantel_byar` and `landmark_analysis`.
    entry : array (n), optional
        Start of observation of the row.
    weights : array (n), optional
        Whole numbers: how many patients the row stands for.
    strata : array (n), optional
        The test compares groups within each stratum and adds up.
    subject : array (n), optional
        Whose row it is, where a subject has several: they must not overlap.
    weighting : {"logrank", "gehan", "tarone-ware", "fleming-harrington"}
        Weight of an event time: 1; the number at risk r; its square root; or
        S(t-)^rho (1 - S(t-))^gamma with S the Kaplan-Meier curve of the stratum's groups together.
    rho, gamma : float
        Exponents, 0 or more, of "fleming-harrington".

    Raises
    ------
    StatsInputError
        Impossible rows, one group only, or exponents without their weighting.

    Notes
    -----
    R: ``survdiff(Surv(time, status) ~ group + strata(strata), rho=rho)``. A group never at risk at
    an event time takes no part; degrees of freedom are the rank of the variance.
    """
    data = _checked(time, status, group, entry, weights, strata, subject)
    check_weighting(weighting, rho, gamma)
    totals = _compare(data, weighting, rho, gamma)
    chi_square, df = _quadratic_form(totals.score, totals.variance, totals.expected)
    return LogRank(
        labels=data.labels,
        n=_group_sizes(data),
        events=totals.events,
        expected=totals.expected,
        weighted_events=totals.weighted_events,
        weighted_expected=totals.weighted_expected,
        score=totals.score,
        variance=totals.variance,
        chi_square=chi_square,
        df=df,
        p_value=float(chdtrc(df, chi_square)) if df > 0 else float("nan"),
        name=_test_name(weighting, rho, gamma, strata is not None),
    )


def logrank_trend(
    time: ArrayLike,
    status: ArrayLike,
    group: ArrayLike,
    *,
    scores: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    weighting: Weighting = "logrank",
    rho: float = 0.0,
    gamma: float = 0.0,
) -> TrendTest:
    """Test of a trend of hazards over ordered groups, with one degree of freedom.

    Parameters
    ----------
    scores : array (k), optional
        Score of each group in sorted order of the labels; 1, 2, ... k by default. The other
        arguments are those of `logrank`.

    Raises
    ------
    StatsInputError
        As `logrank`, or scores that do not fit the groups.

    Notes
    -----
    z is positive where groups with higher scores have more events than expected. R: its square is
    the score test of ``coxph(Surv(time, status) ~ score, ties="exact")``.
    """
    data = _checked(time, status, group, entry, weights, strata)
    check_weighting(weighting, rho, gamma)
    values = _trend_scores(scores, data.labels)
    totals = _compare(data, weighting, rho, gamma)
    score = float(values @ totals.score)
    variance = float(values @ totals.variance @ values)
    z = score / variance**0.5 if variance > 0.0 else float("nan")
    return TrendTest(
        labels=data.labels,
        scores=values,
        score=score,
        variance=variance,
        z=z,
        p_value=float(chdtrc(1, z * z)) if z == z else z,
        name=f"{_test_name(weighting, rho, gamma, strata is not None)} for trend",
    )


@dataclass(frozen=True, slots=True)
class _Totals:
    events: FloatArray
    expected: FloatArray
    weighted_events: FloatArray
    weighted_expected: FloatArray
    variance: FloatArray

    @property
    def score(self) -> FloatArray:
        return self.weighted_events - self.weighted_expected


def event_time_weights(
    at_risk: FloatArray, events: FloatArray, weighting: Weighting, rho: float, gamma: float
) -> FloatArray:
    """Weight of each event time, from the numbers at risk and with the event in all groups."""
    if weighting == "gehan":
        return at_risk
    if weighting == "tarone-ware":
        return np.sqrt(at_risk)
    if weighting == "logrank":
        return np.ones_like(at_risk)
    survival = product_limit(at_risk, events)
    before = np.ones_like(survival)
    before[1:] = survival[:-1]
    return np.asarray(before**rho * (1.0 - before) ** gamma)


def _checked(
    time: ArrayLike,
    status: ArrayLike,
    group: ArrayLike,
    entry: ArrayLike | None,
    weights: ArrayLike | None,
    strata: ArrayLike | None,
    subject: ArrayLike | None = None,
) -> SurvivalData:
    data = survival_data(
        time,
        status,
        entry=entry,
        weights=weights,
        group=group,
        strata=strata,
        subject=subject,
        groups_needed=2,
    )
    if has_fractions(data.weights):
        raise StatsInputError(
            "weights: found fractions\n  expected whole numbers: the test counts patients\n"
            "  for other weights take a Cox model with a robust variance"
        )
    return data


def check_weighting(weighting: str, rho: float, gamma: float) -> None:
    """A weighting is known, and its exponents are 0 or more and belong to it."""
    check_choice("weighting", weighting, WEIGHTINGS)
    problems: list[str] = []
    for name, value in (("rho", rho), ("gamma", gamma)):
        if not 0.0 <= value < float("inf"):
            problems.append(f"{name}: found {value!r}\n  expected 0 or more")
        elif value != 0.0 and weighting != "fleming-harrington":
            problems.append(
                f"{name}: found {value!r} with weighting {weighting!r}\n"
                "  expected weighting 'fleming-harrington'"
            )
    raise_problems(problems)


def _compare(data: SurvivalData, weighting: Weighting, rho: float, gamma: float) -> _Totals:
    """Sums over event times and strata."""
    k = len(data.labels)
    sums = np.zeros((4, k))
    variance = np.zeros((k, k))
    for counts in count_by_group(data):
        weight = event_time_weights(
            counts.total_at_risk, counts.total_events, weighting, rho, gamma
        )
        hazard = counts.total_events / counts.total_at_risk
        sums[0] += counts.events.sum(axis=1)
        sums[1] += counts.at_risk @ hazard
        sums[2] += counts.events @ weight
        sums[3] += counts.at_risk @ (hazard * weight)
        variance += _variance(counts, weight)
    return _Totals(sums[0], sums[1], sums[2], sums[3], variance)


def _variance(counts: GroupCounts, weight: FloatArray) -> FloatArray:
    r, d = counts.total_at_risk, counts.total_events
    # One patient at risk decides nothing: r - 1 = 0 comes with r - d = 0.
    factor = weight * weight * d * (r - d) / np.maximum(r - 1.0, 1.0)
    share = counts.at_risk / r
    mixed = (share * factor) @ share.T
    return np.asarray(np.diag(share @ factor) - mixed)


def _quadratic_form(
    score: FloatArray, variance: FloatArray, expected: FloatArray
) -> tuple[float, int]:
    taking_part = np.flatnonzero(expected > 0.0)[1:]
    part = variance[np.ix_(taking_part, taking_part)]
    if taking_part.size == 0 or not np.any(part):
        return 0.0, 0
    rank = int(np.linalg.matrix_rank(part, hermitian=True))
    if rank == taking_part.size:
        solved = np.linalg.solve(part, score[taking_part])
    else:
        solved = np.linalg.pinv(part, hermitian=True) @ score[taking_part]
    return float(score[taking_part] @ solved), rank


def _group_sizes(data: SurvivalData) -> FloatArray:
    assert data.group is not None
    sizes = np.bincount(data.group, weights=data.weights, minlength=len(data.labels))
    return sizes.astype(np.float64)


def _trend_scores(scores: ArrayLike | None, labels: tuple[object, ...]) -> FloatArray:
    if scores is None:
        return np.arange(1.0, len(labels) + 1.0)
    problems: list[str] = []
    values = number_array("scores", scores, problems)
    raise_problems(problems)
    if values.size != len(labels):
        names = ", ".join(str(label) for label in labels)
        raise StatsInputError(
            f"scores: found {values.size}\n  expected {len(labels)}, one for each of {names}"
        )
    check_rows("scores", ~np.isfinite(values), values, "finite scores", problems)
    if np.all(values == values[0]):
        problems.append("scores: found all the same\n  expected scores that differ")
    raise_problems(problems)
    return values


def _test_name(weighting: str, rho: float, gamma: float, stratified: bool) -> str:
    names = {
        "logrank": "Log-rank test",
        "gehan": "Gehan test",
        "tarone-ware": "Tarone-Ware test",
        "fleming-harrington": f"Fleming-Harrington test (rho {rho:g}, gamma {gamma:g})",
    }
    return names[weighting] + (", stratified" if stratified else "")
