"""The Kaplan-Meier estimate: survival from times that may be censored, truncated or weighted.

S(t) is the product over times u <= t of 1 - d(u) / r(u), with d events among r at risk. Sources:
Kaplan and Meier 1958; Greenwood 1926 for the variance; Dorey and Korn 1987 for the modified lower
limit, Peto et al. 1977 for the other; Therneau and Grambsch 2000 for the robust variance.
"""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from graftline.stats.end_counts import count_ends, observed_from, product_limit
from graftline.stats.event_counts import FloatArray
from graftline.stats.inputs import (
    SurvivalData,
    check_choice,
    check_level,
    has_fractions,
    survival_data,
)
from graftline.stats.probability_interval import INTERVALS, IntervalType, probability_interval
from graftline.stats.subject_rows import joined
from graftline.stats.survival_curve import KaplanMeier
from graftline.stats.survival_jackknife import survival_jackknife

LowerLimit: TypeAlias = Literal["usual", "modified", "peto"]
SurvivalVariance: TypeAlias = Literal["greenwood", "robust"]


def kaplan_meier(
    time: ArrayLike,
    status: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    subject: ArrayLike | None = None,
    interval: IntervalType = "log-log",
    level: float = 0.95,
    variance: SurvivalVariance | None = None,
    lower_limit: LowerLimit = "usual",
    start_time: float | None = None,
) -> KaplanMeier:
    """Kaplan-Meier curve with its standard error and pointwise interval.

    Parameters
    ----------
    time, status : array (n)
        Time of event or censoring (any unit, not negative); 1 for the event, 0 for censored. An
        event precedes a censoring at the same time.
    entry : array (n), optional
        Time from which the row is observed (left truncation, or start of a start-stop row): at
        risk at t means entry < t <= time.
    weights : array (n), optional
        Case weights; whole weights equal repetition.
    subject : array (n), optional
        Whose row it is, where a subject has several: they must not overlap, and a row that is gone
        on with is not counted as censored.
    interval : {"log-log", "log", "plain", "logit", "arcsin", "cloglog"}
        Scale of the pointwise interval.
    level : float
        Confidence level.
    variance : {"greenwood", "robust"}, optional
        Greenwood's, or the infinitesimal jackknife over subjects (rows, without them). By default
        robust if a weight is not whole, as R's survfit decides.
    lower_limit : {"usual", "modified", "peto"}
        Lower limits that admit how few are left: "modified" uses the number at risk now instead of
        that at the last event, "peto" the effective number of Peto.
    start_time : float, optional
        The curve given being event-free just before this time: rows that end earlier are left out.

    Raises
    ------
    StatsInputError
        Naming the rows with impossible times, statuses or weights.

    Notes
    -----
    R: ``survfit(Surv(time, status) ~ 1, conf.type=interval, conf.int=level)``, with
    ``Surv(entry, time, status)`` where there is an ``entry``.
    """
    data = survival_data(time, status, entry=entry, weights=weights, subject=subject)
    return estimate_survival(
        data,
        interval=interval,
        level=level,
        variance=variance,
        lower_limit=lower_limit,
        start_time=start_time,
    )


def km_by_group(
    time: ArrayLike,
    status: ArrayLike,
    group: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    subject: ArrayLike | None = None,
    interval: IntervalType = "log-log",
    level: float = 0.95,
    variance: SurvivalVariance | None = None,
    lower_limit: LowerLimit = "usual",
    start_time: float | None = None,
) -> dict[object, KaplanMeier]:
    """One Kaplan-Meier curve per group, by label in sorted order.

    The arguments are those of `kaplan_meier`. R: ``survfit(Surv(time, status) ~ group)``.

    Raises
    ------
    StatsInputError
        As `kaplan_meier`, and where a group label is missing.
    """
    data = survival_data(time, status, entry=entry, weights=weights, group=group, subject=subject)
    assert data.group is not None
    if variance is None:
        variance = _default_variance(data)
    curves: dict[object, KaplanMeier] = {}
    for place, label in enumerate(data.labels):
        members = data.group == place
        curves[label] = estimate_survival(
            data.only(members),
            interval=interval,
            level=level,
            variance=variance,
            lower_limit=lower_limit,
            start_time=start_time,
        )
    return curves


def estimate_survival(
    data: SurvivalData,
    *,
    interval: IntervalType,
    level: float,
    variance: SurvivalVariance | None = None,
    lower_limit: LowerLimit = "usual",
    start_time: float | None = None,
) -> KaplanMeier:
    """`kaplan_meier` of rows already checked."""
    _check_options(interval, level, variance, lower_limit)
    data = observed_from(data, start_time)
    counts = count_ends(data)
    at_risk, events = counts.at_risk, counts.events
    survival = product_limit(at_risk, events)
    if (variance or _default_variance(data)) == "robust":
        std_error = survival_jackknife(joined(data), counts.time, at_risk, events, survival)
    else:
        std_error = _greenwood(at_risk, events, survival)
    lower, upper = probability_interval(survival, std_error, interval, level)
    if lower_limit != "usual":
        reduced = _reduced_error(lower_limit, at_risk, events, survival, std_error)
        lower, _ = probability_interval(survival, reduced, interval, level)
    return KaplanMeier(
        time=counts.time,
        at_risk=at_risk,
        events=events,
        censored=counts.censored,
        survival=survival,
        std_error=std_error,
        lower=lower,
        upper=upper,
        n=float(data.time.size),
        n_events=float(events.sum()),
        interval=interval,
        level=level,
        start_time=0.0 if start_time is None else float(start_time),
    )


def _check_options(interval: str, level: float, variance: str | None, lower_limit: str) -> None:
    check_choice("interval", interval, INTERVALS)
    check_level(level)
    check_choice("variance", variance, ("greenwood", "robust", None))
    check_choice("lower_limit", lower_limit, ("usual", "modified", "peto"))


def _default_variance(data: SurvivalData) -> SurvivalVariance:
    return "robust" if has_fractions(data.weights) else "greenwood"


def _greenwood(at_risk: FloatArray, events: FloatArray, survival: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = events / (at_risk * (at_risk - events))
        return np.asarray(survival * np.sqrt(np.cumsum(terms)))


def _reduced_error(
    lower_limit: LowerLimit,
    at_risk: FloatArray,
    events: FloatArray,
    survival: FloatArray,
    std_error: FloatArray,
) -> FloatArray:
    if lower_limit == "peto":
        error = survival * np.sqrt((1.0 - survival) / at_risk)
        return np.where(survival > 0.0, error, np.nan)
    places = np.where(events > 0.0, np.arange(at_risk.size), 0)
    at_last_event = at_risk[np.maximum.accumulate(places)]
    return np.asarray(std_error * np.sqrt(at_last_event / at_risk))
