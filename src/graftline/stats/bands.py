"""Simultaneous confidence bands: the whole survival curve lies inside with the stated confidence.

Pointwise intervals cover the curve at one time; these cover it over a range of times at once.
Sources: Hall and Wellner 1980; Nair 1984; Borgan and Liestol 1990 for the scales; Klein and
Moeschberger 2003, 4.4.
"""

from dataclasses import dataclass
from math import log
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import norm

from graftline.stats.bridge import constant_boundary, scaled_boundary
from graftline.stats.event_counts import FloatArray
from graftline.stats.inputs import StatsInputError, check_choice, check_level
from graftline.stats.probability_interval import IntervalType, probability_interval
from graftline.stats.result_text import text_number, text_table
from graftline.stats.survival_curve import KaplanMeier

BandKind: TypeAlias = Literal["hall-wellner", "equal-precision"]
CriticalValue: TypeAlias = Literal["exact", "asymptotic"]
_SCALES = ("log-log", "plain", "arcsin", "log", "logit")


@dataclass(frozen=True, slots=True)
class SurvivalBand:
    """Limits of a band at the curve's times from ``start`` to ``end``, and its critical value.

    ``low`` and ``high`` are n s / (1 + n s) at the ends, s the variance of log S: they decide the
    critical value.
    """

    time: FloatArray
    survival: FloatArray
    lower: FloatArray
    upper: FloatArray
    kind: str
    critical_value: float
    low: float
    high: float
    start: float
    end: float
    interval: str
    level: float

    def to_frame(self) -> pl.DataFrame:
        """One row per time."""
        names = ("time", "survival", "lower", "upper")
        return pl.DataFrame({name: getattr(self, name) for name in names})

    def __str__(self) -> str:
        """What band it is, then its rows."""
        head = (
            f"{self.kind} band, {text_number(100 * self.level)}%, {self.interval}, from "
            f"{text_number(self.start)} to {text_number(self.end)}, critical value "
            f"{self.critical_value:.4f}"
        )
        frame = self.to_frame()
        return f"{head}\n\n{text_table(frame.columns, frame.rows())}"


def survival_band(
    curve: KaplanMeier,
    *,
    kind: BandKind = "hall-wellner",
    start: float | None = None,
    end: float | None = None,
    interval: IntervalType = "log-log",
    level: float = 0.95,
    critical: CriticalValue = "exact",
) -> SurvivalBand:
    """Band around a Kaplan-Meier curve of patients observed from time zero.

    Parameters
    ----------
    curve : KaplanMeier
        From `kaplan_meier` without entries, with Greenwood's variance.
    kind : {"hall-wellner", "equal-precision"}
        Wider where few are left, or proportional to the pointwise interval.
    start, end : float, optional
        Range of times of the band: by default from the first event to the last event before which
        S is above 0.
    interval : {"log-log", "plain", "arcsin", "log", "logit"}
        Scale of the limits.
    level : float
        Confidence level of the whole band.
    critical : {"exact", "asymptotic"}
        Critical value of the equal-precision band: exact, or by the tail approximation of Miller
        and Siegmund that printed tables have (0.2% smaller at 0.1 to 0.6).

    Raises
    ------
    StatsInputError
        A range without events, or in which S reaches 0.
    """
    check_choice("kind", kind, ("hall-wellner", "equal-precision"))
    check_choice("interval", interval, _SCALES)
    check_choice("critical", critical, ("exact", "asymptotic"))
    check_level(level)
    first, last = _range(curve, start, end)
    survival = curve.survival[first : last + 1]
    variance = (curve.std_error[first : last + 1] / survival) ** 2
    scaled = curve.n * variance
    low, high = float(scaled[0] / (1.0 + scaled[0])), float(scaled[-1] / (1.0 + scaled[-1]))
    if kind == "hall-wellner":
        value = constant_boundary(low, high, level)
        reach = value * (1.0 + scaled) / np.sqrt(curve.n)
    else:
        value = _equal_precision(low, high, level, critical)
        reach = value * np.sqrt(variance)
    z = float(ndtri(0.5 + level / 2.0))
    lower, upper = probability_interval(survival, survival * reach / z, interval, level)
    return SurvivalBand(
        time=curve.time[first : last + 1],
        survival=survival,
        lower=lower,
        upper=upper,
        kind="Hall-Wellner" if kind == "hall-wellner" else "Equal precision",
        critical_value=value,
        low=low,
        high=high,
        start=float(curve.time[first]) if start is None else float(start),
        end=float(curve.time[last]) if end is None else float(end),
        interval=interval,
        level=level,
    )


def _range(curve: KaplanMeier, start: float | None, end: float | None) -> tuple[int, int]:
    """Places of the curve's rows at the two ends; the first has had an event."""
    usable = np.flatnonzero((curve.survival > 0.0) & (curve.survival < 1.0))
    if usable.size == 0:
        raise StatsInputError(
            "curve: S is 1 or 0 at every time\n  expected a curve with values between"
        )
    first, last = int(usable[0]), int(usable[-1])
    if start is not None:
        first = int(np.searchsorted(curve.time, start, side="right")) - 1
    if end is not None:
        last = int(np.searchsorted(curve.time, end, side="right")) - 1
    if first not in usable or last not in usable or last <= first:
        low, high = curve.time[usable[0]], curve.time[usable[-1]]
        raise StatsInputError(
            f"start, end: found {start!r} to {end!r}\n"
            f"  expected a range within {low:g} to {high:g}, with events in it"
        )
    if curve.std_error[first] == curve.std_error[last] and (
        curve.survival[first] == curve.survival[last]
    ):
        raise StatsInputError(
            f"start, end: no event between {start!r} and {end!r}\n  expected events in the range"
        )
    return first, last


def _equal_precision(low: float, high: float, level: float, critical: str) -> float:
    if critical == "exact":
        return scaled_boundary(low, high, level)
    stretch = log(high * (1.0 - low) / (low * (1.0 - high)))

    def excess(c: float) -> float:
        tail = float(norm.pdf(c)) * (4.0 / c + (c - 1.0 / c) * stretch)
        return tail - (1.0 - level)

    return float(brentq(excess, 1.5, 9.0, xtol=1e-12))
