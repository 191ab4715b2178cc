"""Cumulative incidence with competing causes (Aalen and Johansen), and its variance.

The estimate is F_k(t) = sum over u <= t of S(u-) d_k(u) / r(u), with S the Kaplan-Meier curve of
being free of every cause. Sources: Aalen and Johansen 1978; Gray 1988; Betensky and Schoenfeld
2001 for the Greenwood-type variance; Therneau and Grambsch 2000 for the infinitesimal jackknife.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import ArrayLike

from graftline.stats.competing_data import CompetingData, competing_data
from graftline.stats.event_counts import EventCounts, FloatArray, IntArray, count_events
from graftline.stats.influence import incidence_jackknife
from graftline.stats.inputs import StatsInputError, check_choice, check_level
from graftline.stats.probability_interval import (
    INTERVALS,
    IntervalType,
    probability_interval,
)
from graftline.stats.result_text import text_table

VarianceType: TypeAlias = Literal["gray", "greenwood", "jackknife"]


@dataclass(frozen=True, slots=True)
class IncidenceAt:
    """Cumulative incidence of one cause at chosen times (one value per time in every field)."""

    time: FloatArray
    incidence: FloatArray
    std_error: FloatArray
    lower: FloatArray
    upper: FloatArray
    at_risk: FloatArray

    def to_frame(self) -> pl.DataFrame:
        """One row per time."""
        return pl.DataFrame({name: getattr(self, name) for name in self.__slots__})


@dataclass(frozen=True, slots=True)
class CumulativeIncidence:
    """Cumulative incidence of every cause at every distinct time.

    ``time``, ``at_risk`` and the ``event_free`` fields have one value per distinct time (T);
    ``events``, ``incidence``, ``std_error``, ``lower`` and ``upper`` have one row per cause
    (k x T), in the order of ``causes``. Limits are NaN where the scale has none: at an incidence
    of 0 or 1 on the log, log-log and logit scales, as in R.
    """

    time: FloatArray
    at_risk: FloatArray
    causes: tuple[int, ...]
    events: FloatArray
    incidence: FloatArray
    std_error: FloatArray
    lower: FloatArray
    upper: FloatArray
    event_free: FloatArray
    event_free_std_error: FloatArray
    event_free_lower: FloatArray
    event_free_upper: FloatArray
    n: int
    variance: VarianceType
    interval: IntervalType
    level: float

    def at(self, times: ArrayLike, cause: int) -> IncidenceAt:
        """Values at the given times; a step holds until the next.

        The number at risk is that just before each time, 0 after the last.

        Raises
        ------
        StatsInputError : a cause that was not estimated.
        """
        row = self._row(cause)
        asked = np.atleast_1d(np.asarray(times, dtype=np.float64))
        step = np.searchsorted(self.time, asked, side="right")
        waiting = np.searchsorted(self.time, asked, side="left")
        undefined = np.nan if self.interval not in ("plain", "arcsin") else 0.0
        return IncidenceAt(
            time=asked,
            incidence=_step(self.incidence[row], step, 0.0),
            std_error=_step(self.std_error[row], step, 0.0),
            lower=_step(self.lower[row], step, undefined),
            upper=_step(self.upper[row], step, undefined),
            at_risk=np.append(self.at_risk, 0.0)[waiting],
        )

    def to_frame(self) -> pl.DataFrame:
        """One row per cause and distinct time."""
        steps = self.time.size
        return pl.DataFrame(
            {
                "cause": np.repeat(np.array(self.causes, dtype=np.int64), steps),
                "time": np.tile(self.time, len(self.causes)),
                "at_risk": np.tile(self.at_risk, len(self.causes)),
                "events": self.events.ravel(),
                "incidence": self.incidence.ravel(),
                "std_error": self.std_error.ravel(),
                "lower": self.lower.ravel(),
                "upper": self.upper.ravel(),
                "event_free": np.tile(self.event_free, len(self.causes)),
            }
        )

    def __str__(self) -> str:
        """Events and the last value of each cause."""
        rows = [
            (
                cause,
                float(self.events[row].sum()),
                float(self.incidence[row, -1]),
                float(self.std_error[row, -1]),
                float(self.lower[row, -1]),
                float(self.upper[row, -1]),
            )
            for row, cause in enumerate(self.causes)
        ]
        percent = f"{100 * self.level:g}%"
        header = (
            "cause",
            "events",
            "incidence",
            "std. error",
            f"lower {percent}",
            f"upper {percent}",
        )
        return (
            f"Cumulative incidence (Aalen-Johansen), {self.n} patients, at time {self.time[-1]:g}\n"
            f"{text_table(header, rows)}\n"
            f"event-free: {self.event_free[-1]:.4g}; variance: {self.variance}; "
            f"interval: {self.interval}"
        )

    def _row(self, cause: int) -> int:
        if cause not in self.causes:
            raise StatsInputError(
                f"cause: found {cause!r}\n  expected one of {', '.join(map(str, self.causes))}\n"
                "  name the cause in `causes` when estimating, if no patient has it"
            )
        return self.causes.index(cause)


def cumulative_incidence(
    time: ArrayLike,
    status: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    variance: VarianceType = "gray",
    interval: IntervalType = "log-log",
    level: float = 0.95,
    causes: Sequence[int] | None = None,
) -> CumulativeIncidence:
    """Aalen-Johansen cumulative incidence of every competing cause.

    Parameters
    ----------
    time : array (n)
        Time of the first event or of censoring, 0 or later.
    status : array (n) of whole numbers
        0 censored, 1, 2, ... the cause.
    entry : array (n), optional
        Time from which a patient is observed (left truncation); 0 is "from the origin".
    weights : array (n), optional
        Case weights, 0 or more. A weight of 3 is three equal patients, except for ``jackknife``,
        where it is one patient who counts three times.
    variance : {"gray", "greenwood", "jackknife"}
        ``gray`` is the delta-method variance of Gray 1988 (cuminc of cmprsk); ``greenwood`` the
        multinomial one (Cuminc of mstate, etm, prodlim); ``jackknife`` the infinitesimal jackknife
        (survfit of survival), equal to Greenwood's without weights and late entries.
    interval : {"log-log", "log", "plain", "logit", "arcsin", "cloglog"}
        Scale of the pointwise limits.
    level : float
        Confidence level.
    causes : sequence of int, optional
        The causes that can occur, in the order wanted; by default 1 up to the largest status.

    Returns
    -------
    CumulativeIncidence

    Raises
    ------
    StatsInputError
        Times that are negative, missing or before entry, unknown status codes, unusable weights:
        all of them at once, with their rows.

    Notes
    -----
    At a tied time, censored patients and those with events are all still at risk.
    """
    data = competing_data(time, status, entry=entry, weights=weights, causes=causes)
    check_choice("variance", variance, ("gray", "greenwood", "jackknife"))
    check_choice("interval", interval, INTERVALS)
    check_level(level)
    return _estimate(data, variance, interval, level)


def incidence_by_group(
    time: ArrayLike,
    status: ArrayLike,
    group: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    variance: VarianceType = "gray",
    interval: IntervalType = "log-log",
    level: float = 0.95,
    causes: Sequence[int] | None = None,
) -> dict[object, CumulativeIncidence]:
    """Cumulative incidence in each group, by label in sorted order.

    Every group has the same causes, also those that none of its patients had. The other arguments
    and errors are those of `cumulative_incidence`.
    """
    data = competing_data(time, status, entry=entry, weights=weights, causes=causes, group=group)
    check_choice("variance", variance, ("gray", "greenwood", "jackknife"))
    check_choice("interval", interval, INTERVALS)
    check_level(level)
    places = np.zeros(0) if data.group is None else data.group
    return {
        label: _estimate(data.only(np.equal(places, place)), variance, interval, level)
        for place, label in enumerate(data.labels)
    }


def _estimate(
    data: CompetingData, variance: VarianceType, interval: IntervalType, level: float
) -> CumulativeIncidence:
    counts = count_events(
        data.time, data.cause, len(data.causes), entry=data.entry, weights=data.weights
    )
    incidence, free, var, free_var = aalen_johansen_steps(
        counts.at_risk, counts.events, variance == "gray"
    )
    if variance == "jackknife":
        var, free_var = _jackknife(data, counts, incidence, free)
    std_error, free_se = np.sqrt(var), np.sqrt(free_var)
    lower, upper = probability_interval(incidence, std_error, interval, level)
    free_lower, free_upper = probability_interval(free, free_se, interval, level)
    return CumulativeIncidence(
        time=counts.time,
        at_risk=counts.at_risk,
        causes=data.causes,
        events=counts.events,
        incidence=incidence,
        std_error=std_error,
        lower=lower,
        upper=upper,
        event_free=free,
        event_free_std_error=free_se,
        event_free_lower=free_lower,
        event_free_upper=free_upper,
        n=counts.n,
        variance=variance,
        interval=interval,
        level=level,
    )


def _jackknife(
    data: CompetingData, counts: EventCounts, incidence: FloatArray, free: FloatArray
) -> tuple[FloatArray, FloatArray]:
    exits = np.searchsorted(counts.time, data.time, side="right") - 1
    entries = None
    if data.entry is not None:
        place = np.searchsorted(counts.time, data.entry, side="right") - 1
        entries = np.where(data.entry > 0.0, place, -1)
    return incidence_jackknife(counts, incidence, free, exits, data.cause, entries, data.weights)


@njit(cache=True)
def aalen_johansen_steps(
    at_risk: FloatArray, events: FloatArray, independent_causes: bool
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Incidence (k x T), event-free (T) and their variances, carried forward in one pass.

    For each cause the covariance of (F, S) goes through B V B' + S^2 Cov(dA). With
    ``independent_causes`` the cause and the rest have separate variances d (r - d) / (r - 1) / r^2
    (Gray), otherwise the multinomial ones d (r - d) / r^3 with covariance - d_j d_l / r^3.
    """
    n_causes, steps = events.shape
    incidence = np.zeros((n_causes, steps))
    free = np.ones(steps)
    var = np.zeros((n_causes, steps))
    free_var = np.zeros(steps)
    v_f, v_fs, v_s = np.zeros(n_causes), np.zeros(n_causes), np.zeros(n_causes)
    f = np.zeros(n_causes)
    s, v_free = 1.0, 0.0
    for j in range(steps):
        r = at_risk[j]
        d = 0.0
        for k in range(n_causes):
            d += events[k, j]
        if r > 0.0 and d > 0.0:
            after = max(s * (r - d) / r, 0.0)
            if after < 1e-15 * s:
                after = 0.0
            stay = after / s if s > 0.0 else 0.0
            s2 = s * s
            v_free = stay * stay * v_free + s2 * d * max(r - d, 0.0) / (r * r * r)
            for k in range(n_causes):
                own = events[k, j]
                rest = d - own
                a = own / r
                if independent_causes:
                    q_own = own / (r * r)
                    if own > 1.0 and r > 1.0:
                        q_own *= (r - own) / (r - 1.0)
                    q_rest = 0.0
                    if after > 0.0:
                        q_rest = rest / (r * r)
                        if rest > 1.0 and r > 1.0:
                            q_rest *= (r - rest) / (r - 1.0)
                    c_f, c_fs, c_s = q_own, -q_own, q_own + q_rest
                else:
                    c_f = own * (r - own) / (r * r * r)
                    c_fs = -own * (r - d) / (r * r * r)
                    c_s = d * (r - d) / (r * r * r)
                v_f[k] += 2.0 * a * v_fs[k] + a * a * v_s[k] + s2 * c_f
                v_fs[k] = stay * (v_fs[k] + a * v_s[k]) + s2 * c_fs
                v_s[k] = stay * stay * v_s[k] + s2 * c_s
                if after == 0.0:
                    v_fs[k] = 0.0
                    v_s[k] = 0.0
                f[k] += s * a
            s = after
        free[j] = s
        free_var[j] = v_free
        for k in range(n_causes):
            incidence[k, j] = f[k]
            var[k, j] = max(v_f[k], 0.0)
    return incidence, free, var, free_var


def _step(values: FloatArray, place: IntArray, before: float) -> FloatArray:
    return np.asarray(np.concatenate(([before], values))[place])
