"""The Nelson-Aalen estimate of the cumulative hazard, and the survival curve made from it.

H(t) is the sum over times u <= t of d(u) / r(u). Sources: Nelson 1969; Aalen 1978; Fleming and
Harrington 1984 for survival = exp(-H) and for ties taken one after another.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.special import ndtri

from graftline.stats.end_counts import EndCounts, count_ends, observed_from
from graftline.stats.event_counts import FloatArray
from graftline.stats.inputs import (
    StatsInputError,
    SurvivalData,
    check_choice,
    check_level,
    check_rows,
    has_fractions,
    number_array,
    raise_problems,
    survival_data,
)
from graftline.stats.probability_interval import INTERVALS, IntervalType, probability_interval
from graftline.stats.result_text import text_number, text_table
from graftline.stats.survival_curve import KaplanMeier
from graftline.stats.survival_jackknife import influence_squares

HazardTies: TypeAlias = Literal["together", "in_turn"]
HazardInterval: TypeAlias = Literal["log", "plain"]


@dataclass(frozen=True, slots=True)
class NelsonAalen:
    """Cumulative hazard at the distinct times at which rows end, with standard error and limits.

    Limits on the log scale are NaN while the hazard is 0.
    """

    time: FloatArray
    at_risk: FloatArray
    events: FloatArray
    censored: FloatArray
    cumulative_hazard: FloatArray
    std_error: FloatArray
    lower: FloatArray
    upper: FloatArray
    n: float
    n_events: float
    interval: str
    level: float

    def at(self, times: ArrayLike) -> pl.DataFrame:
        """Rows time, cumulative_hazard, std_error at ``times``; both are 0 before the first."""
        problems: list[str] = []
        wanted = number_array("times", np.atleast_1d(np.asarray(times)), problems)
        check_rows("times", np.isnan(wanted), wanted, "a number", problems)
        raise_problems(problems)
        place = np.searchsorted(self.time, wanted, side="right")
        return pl.DataFrame(
            {
                "time": wanted,
                "cumulative_hazard": np.concatenate(([0.0], self.cumulative_hazard))[place],
                "std_error": np.concatenate(([0.0], self.std_error))[place],
            }
        )

    def to_frame(self) -> pl.DataFrame:
        """One row per distinct time."""
        names = ("time", "at_risk", "events", "censored")
        more = ("cumulative_hazard", "std_error", "lower", "upper")
        return pl.DataFrame({name: getattr(self, name) for name in (*names, *more)})

    def __str__(self) -> str:
        """Counts and the rows at which events happened."""
        head = (
            f"Nelson-Aalen, {text_number(self.n)} rows, {text_number(self.n_events)} events, "
            f"{text_number(100 * self.level)}% {self.interval} interval"
        )
        shown = self.to_frame().filter(pl.col("events") > 0)
        names = [name.replace("_", " ") for name in shown.columns]
        return f"{head}\n\n{text_table(names, shown.rows())}"


def nelson_aalen(
    time: ArrayLike,
    status: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    ties: HazardTies = "together",
    interval: HazardInterval = "log",
    level: float = 0.95,
    start_time: float | None = None,
) -> NelsonAalen:
    """Cumulative hazard with its standard error and pointwise interval.

    Parameters
    ----------
    time, status, entry, weights, start_time
        As for `kaplan_meier`. Whole weights equal repetition.
    ties : {"together", "in_turn"}
        Tied events share one risk set, d / r, or follow one another, 1 / r + 1 / (r - 1) + ...
    interval : {"log", "plain"}
        Scale of the limits of H(t).
    level : float
        Confidence level.

    Raises
    ------
    StatsInputError
        Naming the rows with impossible times, statuses or weights.

    Notes
    -----
    The variance is the sum of d / r^2 (Aalen), term by term for ties in turn; with weights that are
    not whole it is the infinitesimal jackknife, as in R's survfit. R: the ``cumhaz`` and
    ``std.chaz`` of ``survfit(Surv(time, status) ~ 1, ctype=1)``, ``ctype=2`` for ties in turn.
    """
    check_choice("interval", interval, ("log", "plain"))
    check_level(level)
    counts, hazard, std_error, n = _estimate(time, status, entry, weights, ties, start_time)
    z = float(ndtri(0.5 + level / 2.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.exp(z * std_error / hazard)
        lower, upper = (
            (hazard / factor, hazard * factor)
            if interval == "log"
            else (np.maximum(hazard - z * std_error, 0.0), hazard + z * std_error)
        )
    return NelsonAalen(
        time=counts.time,
        at_risk=counts.at_risk,
        events=counts.events,
        censored=counts.censored,
        cumulative_hazard=hazard,
        std_error=std_error,
        lower=lower,
        upper=upper,
        n=float(n),
        n_events=float(counts.events.sum()),
        interval=interval,
        level=level,
    )


def fleming_harrington(
    time: ArrayLike,
    status: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    ties: HazardTies = "together",
    interval: IntervalType = "log-log",
    level: float = 0.95,
    start_time: float | None = None,
) -> KaplanMeier:
    """Survival curve exp(-H) from the cumulative hazard; the arguments are those of `nelson_aalen`.

    ``interval`` is one of those of `kaplan_meier`.

    Raises
    ------
    StatsInputError
        Naming the rows with impossible times, statuses or weights.

    Notes
    -----
    R: ``survfit(Surv(time, status) ~ 1, stype=2, ctype=1)``, ``ctype=2`` for ties in turn.
    """
    check_choice("interval", interval, INTERVALS)
    check_level(level)
    counts, hazard, error, n = _estimate(time, status, entry, weights, ties, start_time)
    survival = np.exp(-hazard)
    lower, upper = probability_interval(survival, survival * error, interval, level)
    return KaplanMeier(
        time=counts.time,
        at_risk=counts.at_risk,
        events=counts.events,
        censored=counts.censored,
        survival=survival,
        std_error=survival * error,
        lower=lower,
        upper=upper,
        n=float(n),
        n_events=float(counts.events.sum()),
        interval=interval,
        level=level,
        start_time=0.0 if start_time is None else float(start_time),
        estimator="Fleming-Harrington",
    )


def _estimate(
    time: ArrayLike,
    status: ArrayLike,
    entry: ArrayLike | None,
    weights: ArrayLike | None,
    ties: HazardTies,
    start_time: float | None,
) -> tuple[EndCounts, FloatArray, FloatArray, int]:
    check_choice("ties", ties, ("together", "in_turn"))
    data = survival_data(time, status, entry=entry, weights=weights)
    data = observed_from(data, start_time)
    counts = count_ends(data)
    if ties == "in_turn":
        steps, squares = _in_turn(data, counts)
        return counts, np.cumsum(steps), np.sqrt(np.cumsum(squares)), data.time.size
    steps = counts.events / counts.at_risk
    if has_fractions(data.weights):
        variance = influence_squares(data, counts.time, steps, 1.0 / counts.at_risk)
    else:
        variance = np.cumsum(counts.events / counts.at_risk**2)
    return counts, np.cumsum(steps), np.sqrt(variance), data.time.size


def _in_turn(data: SurvivalData, counts: EndCounts) -> tuple[FloatArray, FloatArray]:
    """Sums of 1 / (r - j) and its square over the tied events j = 0, 1, ... of each time."""
    if has_fractions(data.weights):
        raise StatsInputError(
            "weights: found fractions with ties taken in turn\n  expected whole weights\n"
            "  take ties together"
        )
    tied = counts.events.astype(np.int64)
    ends = np.cumsum(tied)
    turn = np.arange(tied.sum()) - np.repeat(ends - tied, tied)
    terms = 1.0 / (np.repeat(counts.at_risk, tied) - turn)
    place = np.repeat(np.arange(tied.size), tied)
    steps = np.bincount(place, terms, tied.size)
    squares = np.bincount(place, terms * terms, tied.size)
    return steps.astype(np.float64), squares.astype(np.float64)
