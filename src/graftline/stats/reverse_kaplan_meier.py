"""How long patients were followed: the Kaplan-Meier curve of being censored."""

from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from graftline.stats.end_counts import count_ends
from graftline.stats.event_counts import FloatArray
from graftline.stats.inputs import check_choice, check_level, survival_data
from graftline.stats.kaplan_meier import estimate_survival
from graftline.stats.probability_interval import INTERVALS, IntervalType, probability_interval
from graftline.stats.survival_curve import KaplanMeier

ReverseTies: TypeAlias = Literal["censorings_first", "deaths_first"]
_ESTIMATOR = "reverse Kaplan-Meier"


def reverse_kaplan_meier(
    time: ArrayLike,
    status: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    interval: IntervalType = "log-log",
    level: float = 0.95,
    ties: ReverseTies = "censorings_first",
) -> KaplanMeier:
    """Kaplan-Meier curve in which the censoring is the event: potential follow-up.

    Parameters
    ----------
    time, status, entry, weights, interval, level
        As for `kaplan_meier`; ``status`` is that of the original endpoint, 1 for the event.
    ties : {"censorings_first", "deaths_first"}
        Where a death and a censoring share a time. "censorings_first" is the status flipped:
        the dead of that time are still at risk of being censored. "deaths_first" says that they
        died before they could be: they have left the risk set, as in prodlim.

    Raises
    ------
    StatsInputError
        Naming the rows with impossible times, statuses or weights.

    Notes
    -----
    Source: Schemper and Smith 1996. R: ``survfit(Surv(time, 1 - status) ~ 1)`` for the first rule,
    ``prodlim(Hist(time, status) ~ 1, reverse = TRUE)`` for the second. ``events`` of the result
    counts censorings, ``censored`` deaths.
    """
    check_choice("interval", interval, INTERVALS)
    check_level(level)
    check_choice("ties", ties, ("censorings_first", "deaths_first"))
    data = survival_data(time, status, entry=entry, weights=weights)
    if ties == "censorings_first":
        flipped = replace(data, event=1 - data.event)
        curve = estimate_survival(flipped, interval=interval, level=level)
        return replace(curve, estimator=_ESTIMATOR)
    counts = count_ends(data)
    deaths, censorings = counts.events, counts.censored
    at_risk = counts.at_risk - deaths
    survival, std_error = _product_limit(at_risk, censorings)
    lower, upper = probability_interval(survival, std_error, interval, level)
    return KaplanMeier(
        time=counts.time,
        at_risk=at_risk,
        events=censorings,
        censored=deaths,
        survival=survival,
        std_error=std_error,
        lower=lower,
        upper=upper,
        n=float(data.time.size),
        n_events=float(censorings.sum()),
        interval=interval,
        level=level,
        estimator=_ESTIMATOR,
    )


def _product_limit(at_risk: FloatArray, events: FloatArray) -> tuple[FloatArray, FloatArray]:
    # Where only deaths end the curve nobody is left to be censored: 0 of 0 changes nothing.
    nobody = events == 0.0
    safe = np.where(nobody, 1.0, at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(1.0 - events / safe)
        terms = np.where(nobody, 0.0, events / (safe * (safe - events)))
        return np.asarray(survival), np.asarray(survival * np.sqrt(np.cumsum(terms)))
