"""Cumulative incidence with competing causes (Aalen and Johansen), and its variance.

The estimate is F_k(t) = sum over u <= t of S(u-) d_k(u) / r(u), with S the Kaplan-Meier curve of
being free of every cause. Sources: Aalen and Johansen 1978; Gray 1988; Betensky and Schoenfeld
2001 for the Greenwood-type variance; Therneau and Grambsch 2000 for the infinitesimal jackknife.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import ArrayLike

from graftline.stats.competing_data import CompetingData, competing_data
from graftline.stats.event_counts import EventCounts, FloatArray, count_events
from graftline.stats.influence import incidence_jackknife
from graftline.stats.probability_interval import IntervalType, probability_interval
from graftline.stats.result_text import text_table

type VarianceType = Literal["gray", "greenwood", "jackknife"]


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

    ``time`` and ``at_risk`` and ``event_free`` have one value per distinct time (T); ``events``,
    ``incidence``, ``std_error``, ``lower`` and ``upper`` have one row per cause (k x T), in the
    order of ``causes``. Limits are NaN where the scale has none: at an incidence of 0 or 1 on the
    log, log-log and logit scales, as in R.
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
    n: int
    variance: VarianceType
    interval: IntervalType
    level: float

    def at(self, times: ArrayLike, cause: int) -> IncidenceAt:
        """Values at the given times: steps hold until the next one, and the number at risk is that
        just before the time (0 after the last).

        Raises
        ------
        StatsInputError : a cause that was not estimated.
        """  # noqa: D205 - the claim needs two lines
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
