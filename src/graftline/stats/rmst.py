"""Restricted mean survival time: the area under the survival curve up to a horizon.

Sources: Irwin 1949; Klein and Moeschberger 2003, 4.5, for the standard error; Royston and Parmar
2013 for the difference.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from graftline.stats.end_counts import EndCounts, count_ends, product_limit
from graftline.stats.event_counts import FloatArray
from graftline.stats.inputs import (
    StatsInputError,
    SurvivalData,
    check_level,
    survival_data,
)
from graftline.stats.result_text import text_number, text_p_value, text_table


@dataclass(frozen=True, slots=True)
class RestrictedMean:
    """Mean time without the event up to ``horizon``, its standard error and limits.

    ``extended`` is true where follow-up ends before the horizon with patients event-free, so that
    the curve had to be drawn on flat.
    """

    horizon: float
    mean: float
    std_error: float
    lower: float
    upper: float
    n: float
    n_events: float
    level: float
    extended: bool

    def to_frame(self) -> pl.DataFrame:
        """One row."""
        return pl.DataFrame({name: [getattr(self, name)] for name in self.__slots__})

    def __str__(self) -> str:
        """Mean, standard error and limits on one line."""
        line = (
            f"restricted mean up to {text_number(float(self.horizon))}: {text_number(self.mean)} "
            f"(std. error {text_number(self.std_error)}, {text_number(100 * self.level)}% interval "
            f"{text_number(self.lower)} to {text_number(self.upper)})"
        )
        return line + ("; follow-up ends before the horizon" if self.extended else "")


@dataclass(frozen=True, slots=True)
class RestrictedMeanDifference:
    """Each group's restricted mean, and its difference from that of the first group.

    ``difference``, ``std_error``, ``lower``, ``upper``, ``z`` and ``p_value`` have one value per
    group after the first.
    """

    labels: tuple[object, ...]
    means: tuple[RestrictedMean, ...]
    difference: FloatArray
    std_error: FloatArray
    lower: FloatArray
    upper: FloatArray
    z: FloatArray
    p_value: FloatArray
    level: float

    def to_frame(self) -> pl.DataFrame:
        """One row per comparison."""
        names = ("difference", "std_error", "lower", "upper", "z", "p_value")
        return pl.DataFrame(
            {
                "group": [str(label) for label in self.labels[1:]],
                "reference": [str(self.labels[0])] * len(self.difference),
                **{name: getattr(self, name) for name in names},
            }
        )

    def __str__(self) -> str:
        """The groups' means, then the differences."""
        lines = [f"{label}: {mean}" for label, mean in zip(self.labels, self.means, strict=True)]
        rows = [[*row[:6], text_p_value(row[7])] for row in self.to_frame().iter_rows()]
        header = ["group", "reference", "difference", "std. error", "lower", "upper", "p"]
        return "\n".join(lines) + "\n\n" + text_table(header, rows)


def restricted_mean(
    time: ArrayLike,
    status: ArrayLike,
    *,
    horizon: float,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> RestrictedMean:
    """Area under the Kaplan-Meier curve from 0 to ``horizon``.

    Parameters
    ----------
    time, status, entry, weights
        As for `kaplan_meier`; whole weights equal repetition.
    horizon : float
        End of the area, above 0. Beyond the last observed time the curve is drawn on flat, and
        the result says so.
    level : float
        Confidence level.

    Raises
    ------
    StatsInputError
        Impossible rows, or a horizon that is not above 0.

    Notes
    -----
    The variance is the sum over event times of A(t)^2 d / (r (r - d)), A the area from t to the
    horizon. R: ``summary(survfit(Surv(time, status) ~ 1), rmean=horizon)$table``.
    """
    _check_horizon(horizon, level)
    data = survival_data(time, status, entry=entry, weights=weights)
    return _restricted_mean(data, float(horizon), level)


def restricted_mean_difference(
    time: ArrayLike,
    status: ArrayLike,
    group: ArrayLike,
    *,
    horizon: float,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> RestrictedMeanDifference:
    """Differences of restricted means from that of the first group, with z-tests.

    Parameters
    ----------
    group : array (n)
        Group of each row, known at time zero; groups are sorted, the first is the reference.
    time, status, horizon, entry, weights, level
        As for `restricted_mean`.

    Raises
    ------
    StatsInputError
        Impossible rows, a missing label, or one group only.
    """
    _check_horizon(horizon, level)
    data = survival_data(time, status, entry=entry, weights=weights, group=group, groups_needed=2)
    assert data.group is not None
    members = [data.group == place for place in range(len(data.labels))]
    means = tuple(_restricted_mean(data.only(rows), float(horizon), level) for rows in members)
    values = np.array([mean.mean for mean in means])
    variances = np.array([mean.std_error for mean in means]) ** 2
    difference = values[1:] - values[0]
    error = np.sqrt(variances[1:] + variances[0])
    reach = float(ndtri(0.5 + level / 2.0)) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        z = difference / error
    return RestrictedMeanDifference(
        labels=data.labels,
        means=means,
        difference=difference,
        std_error=error,
        lower=difference - reach,
        upper=difference + reach,
        z=z,
        p_value=2.0 * ndtr(-np.abs(z)),
        level=level,
    )


def _check_horizon(horizon: float, level: float) -> None:
    check_level(level)
    if not 0.0 < horizon < float("inf"):
        raise StatsInputError(f"horizon: found {horizon!r}\n  expected a time above 0")


def _restricted_mean(data: SurvivalData, horizon: float, level: float) -> RestrictedMean:
    counts = count_ends(data)
    mean, std_error = _area(counts, horizon)
    reach = float(ndtri(0.5 + level / 2.0)) * std_error
    last = counts.time[-1]
    still_free = bool(np.all(counts.at_risk > counts.events))
    return RestrictedMean(
        horizon=horizon,
        mean=mean,
        std_error=std_error,
        lower=max(mean - reach, 0.0),
        upper=min(mean + reach, horizon),
        n=float(data.time.size),
        n_events=float(counts.events.sum()),
        level=level,
        extended=bool(last < horizon) and still_free,
    )


def _area(counts: EndCounts, horizon: float) -> tuple[float, float]:
    within = counts.time <= horizon
    time, at_risk, events = (a[within] for a in (counts.time, counts.at_risk, counts.events))
    survival = product_limit(at_risk, events)
    widths = np.diff(np.concatenate((time, [horizon])))
    areas = survival * widths
    first = time[0] if time.size else horizon
    after = np.cumsum(areas[::-1])[::-1]
    # Once S is 0 there is no area after it, whatever the (infinite) term of Greenwood.
    staying = at_risk - events
    terms = np.divide(events, at_risk * staying, out=np.zeros_like(events), where=staying > 0.0)
    return float(first + areas.sum()), float(np.sqrt(np.sum(after * after * terms)))
