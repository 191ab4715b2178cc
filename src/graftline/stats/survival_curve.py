"""A survival curve and what is read off it: values at chosen times, quantiles, a table, a print."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from graftline.stats.event_counts import FloatArray
from graftline.stats.inputs import check_rows, number_array, raise_problems
from graftline.stats.result_text import text_number, text_table

# S(t) this close to a quantile is that quantile; the value is that of R's quantile.survfit.
QUANTILE_TOLERANCE = float(np.sqrt(np.finfo(np.float64).eps))
_PRINTED_ROWS = 40


@dataclass(frozen=True, slots=True)
class SurvivalAt:
    """A curve read at chosen times, one value per time in every field.

    ``at_risk`` is the number at risk just before the time (of start-stop data: before the next
    time of the curve), ``events`` the number of events up to and including it.
    """

    time: FloatArray
    survival: FloatArray
    std_error: FloatArray
    lower: FloatArray
    upper: FloatArray
    at_risk: FloatArray
    events: FloatArray

    def to_frame(self) -> pl.DataFrame:
        """One row per time."""
        names = ("time", "at_risk", "events", "survival", "std_error", "lower", "upper")
        return pl.DataFrame({name: getattr(self, name) for name in names})

    def __str__(self) -> str:
        """The table as text."""
        frame = self.to_frame()
        return text_table([name.replace("_", " ") for name in frame.columns], frame.rows())


@dataclass(frozen=True, slots=True)
class Quantile:
    """Time by which a share ``p`` has had the event, with its interval; NaN where not reached."""

    p: float
    value: float
    lower: float
    upper: float
    level: float

    def to_frame(self) -> pl.DataFrame:
        """One row."""
        names = ("p", "value", "lower", "upper", "level")
        return pl.DataFrame({name: [getattr(self, name)] for name in names})

    def __str__(self) -> str:
        """The time and its interval, ``NR`` for what is not reached."""
        value, lower, upper = (_reached(x) for x in (self.value, self.lower, self.upper))
        return f"{value} ({text_number(100 * self.level)}% interval {lower} to {upper})"


@dataclass(frozen=True, slots=True)
class KaplanMeier:
    """A survival curve at the distinct times at which rows end; ``estimator`` names its kind.

    ``std_error`` is that of S(t). ``survival`` holds from its time up to the next one; before the
    first time it is 1. Where an interval has no value on its scale (S = 0, and S = 1 for log-log,
    logit and arcsin) its limits are NaN, as R has NA. ``n`` counts rows, ``n_events`` adds weights.
    """

    time: FloatArray
    at_risk: FloatArray
    events: FloatArray
    censored: FloatArray
    survival: FloatArray
    std_error: FloatArray
    lower: FloatArray
    upper: FloatArray
    n: float
    n_events: float
    interval: str
    level: float
    start_time: float = 0.0
    estimator: str = "Kaplan-Meier"

    def at(self, times: ArrayLike) -> SurvivalAt:
        """The curve at ``times`` (any order), beyond its last time too.

        Equals ``summary(fit, times=times, extend=TRUE)`` of R.
        """
        problems: list[str] = []
        wanted = number_array("times", np.atleast_1d(np.asarray(times)), problems)
        check_rows("times", np.isnan(wanted), wanted, "a number", problems)
        raise_problems(problems)
        place = np.searchsorted(self.time, wanted, side="right")
        following = np.searchsorted(self.time, wanted, side="left")
        return SurvivalAt(
            wanted,
            np.concatenate(([1.0], self.survival))[place],
            np.concatenate(([0.0], self.std_error))[place],
            np.concatenate(([1.0], self.lower))[place],
            np.concatenate(([1.0], self.upper))[place],
            np.concatenate((self.at_risk, [0.0]))[following],
            np.concatenate(([0.0], np.cumsum(self.events)))[place],
        )

    def quantile(self, p: float = 0.5) -> Quantile:
        """Smallest time with S(t) <= 1 - p and its interval, read off the limits of the curve.

        Where S(t) equals 1 - p over a stretch, its middle is taken (its end is the next event, or
        the last time of the curve), as ``quantile(fit, p)`` of R does.

        Raises
        ------
        StatsInputError
            ``p`` not between 0 and 1.
        """
        problems: list[str] = []
        share = number_array("p", [p], problems)
        check_rows("p", ~((share >= 0.0) & (share <= 1.0)), share, "a share, 0 to 1", problems)
        raise_problems(problems)
        value, lower, upper = (
            _crossing(self.time, 1.0 - curve, p, self.start_time)
            for curve in (self.survival, self.lower, self.upper)
        )
        return Quantile(p, value, lower, upper, self.level)

    def to_frame(self) -> pl.DataFrame:
        """One row per distinct time."""
        names = (
            "time",
            "at_risk",
            "events",
            "censored",
            "survival",
            "std_error",
            "lower",
            "upper",
        )
        return pl.DataFrame({name: getattr(self, name) for name in names})

    def __str__(self) -> str:
        """Counts, the median, and the rows at which events happened."""
        head = (
            f"{self.estimator}, {text_number(float(self.n))} rows, "
            f"{text_number(float(self.n_events))} events\n"
            f"median {self.quantile()}, {self.interval}"
        )
        shown = self.to_frame().filter(pl.col("events") > 0)
        if shown.height == 0:
            return f"{head}\nno events"
        names = [name.replace("_", " ") for name in shown.columns]
        table = text_table(names, shown.head(_PRINTED_ROWS).rows())
        left = shown.height - _PRINTED_ROWS
        return f"{head}\n\n{table}" + (f"\n... and {left} more event times" if left > 0 else "")


def _reached(value: float) -> str:
    return "NR" if np.isnan(value) else text_number(float(value))


def _crossing(time: FloatArray, rise: FloatArray, p: float, start: float) -> float:
    """Time at which a curve rising from 0 at ``start`` reaches ``p``."""
    times = np.concatenate(([start], time))
    heights = np.concatenate(([0.0], rise))
    # Each height counts at the first time it is reached, so a flat stretch ends at the next rise.
    known = np.flatnonzero(~np.isnan(heights))
    levels, first = np.unique(heights[known], return_index=True)
    if p == 0.0:
        return start if levels.size > 1 else float("nan")
    reached_at = times[known][first]
    begin = np.searchsorted(levels, p - QUANTILE_TOLERANCE, side="left")
    if begin == levels.size:
        return float("nan")
    if not np.isnan(heights[-1]) and abs(heights[-1] - p) < QUANTILE_TOLERANCE:
        return float(reached_at[begin] + times[-1]) / 2.0
    end = np.searchsorted(levels, p + QUANTILE_TOLERANCE, side="left")
    if end == levels.size:
        return float("nan")
    return float(reached_at[begin] + reached_at[end]) / 2.0
