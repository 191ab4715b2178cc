"""Survival predicted by a Cox model, with the uncertainty of hazard and coefficients.

Sources: Breslow 1972 and, with Efron's ties, the matching hazard; variance of Tsiatis 1981 and
Link 1984, as survfit of a coxph object has it.
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from graftline.stats.cox import CoxFit
from graftline.stats.cox_cells import cell_terms
from graftline.stats.design import Covariates, design_like
from graftline.stats.event_counts import EventCounts, FloatArray, IntArray, count_events
from graftline.stats.inputs import StatsInputError, check_choice, check_level
from graftline.stats.probability_interval import INTERVALS, IntervalType, probability_interval
from graftline.stats.result_text import text_table


@dataclass(frozen=True, slots=True)
class PredictedSurvival:
    """Survival of m patients at the T distinct times of one stratum.

    ``survival``, ``std_error``, ``lower``, ``upper``, ``cumulative_hazard`` and
    ``hazard_std_error`` are m x T; ``at_risk`` and ``events`` (T) are those of the data fitted.
    """

    time: FloatArray
    at_risk: FloatArray
    events: FloatArray
    survival: FloatArray
    std_error: FloatArray
    lower: FloatArray
    upper: FloatArray
    cumulative_hazard: FloatArray
    hazard_std_error: FloatArray
    stratum: object
    interval: IntervalType
    level: float
    patients: int = field(default=1)

    def at(self, times: ArrayLike) -> pl.DataFrame:
        """Predictions at chosen times: a row per patient (counted from 0) and time."""
        asked = np.atleast_1d(np.asarray(times, dtype=np.float64))
        place = np.searchsorted(self.time, asked, side="right")
        columns = {
            "survival": (self.survival, 1.0),
            "std_error": (self.std_error, 0.0),
            "lower": (self.lower, 1.0),
            "upper": (self.upper, 1.0),
            "cumulative_hazard": (self.cumulative_hazard, 0.0),
            "hazard_std_error": (self.hazard_std_error, 0.0),
        }
        frame: dict[str, FloatArray] = {
            "patient": np.repeat(np.arange(self.patients), asked.size),
            "time": np.tile(asked, self.patients),
        }
        for name, (values, before) in columns.items():
            first = np.full((self.patients, 1), before)
            frame[name] = np.hstack((first, values))[:, place].ravel()
        waiting = np.searchsorted(self.time, asked, side="left")
        frame["at_risk"] = np.tile(np.append(self.at_risk, 0.0)[waiting], self.patients)
        return pl.DataFrame(frame)

    def to_frame(self) -> pl.DataFrame:
        """One row per patient and event time."""
        return self.at(self.time)

    def __str__(self) -> str:
        """Survival of each patient at the last event time."""
        last = self.at(self.time[-1:])
        percent = f"{100 * self.level:g}%"
        header = ("patient", "survival", "std. error", f"lower {percent}", f"upper {percent}")
        rows = last.select("patient", "survival", "std_error", "lower", "upper").rows()
        where = "" if self.stratum is None else f", stratum {self.stratum}"
        return f"Predicted survival at time {self.time[-1]:g}{where}\n{text_table(header, rows)}"


def predict_survival(
    fit: CoxFit,
    covariates: Covariates,
    *,
    stratum: object = None,
    interval: IntervalType = "log-log",
    level: float = 0.95,
) -> PredictedSurvival:
    """Survival exp(-Lambda0(t) exp(beta'x)) of patients with the given covariates.

    Parameters
    ----------
    fit : CoxFit
        Efron or Breslow ties.
    covariates : array (m x p) or polars DataFrame
        As given to `cox`: an array has the model's columns, a frame the columns it was fitted on.
    stratum : label, optional
        Which baseline hazard; needed when the model has strata.
    interval, level
        Scale and level of the pointwise limits.

    Raises
    ------
    StatsInputError
        Covariates that do not match the model, an unknown or missing stratum, exact ties.
    """
    check_choice("interval", interval, INTERVALS)
    check_level(level)
    _refuse_exact(fit)
    rows = fit.layout.rows
    x = (design_like(covariates, fit.data.design).matrix - rows.centre) / rows.scale
    chosen = _stratum_place(fit, stratum)
    cells = slice(*fit.layout.cells.begins[chosen : chosen + 2].tolist())
    terms = cell_terms(rows, fit.scaled_coef, fit.efron)
    counts = _counts(fit, chosen)
    step = np.searchsorted(fit.layout.cells.time[cells], counts.time, side="right")
    relative = np.exp(x @ fit.scaled_coef)[:, None]
    base = _running(terms.hazard[cells][:, None], step)[:, 0]
    mean = _running(terms.mean_hazard[cells], step)
    hazard = relative * base
    scaled_variance = fit.variance * np.outer(rows.scale, rows.scale)
    slope = relative[:, :, None] * (x[:, None, :] * base[None, :, None] - mean[None, :, :])
    variance = relative**2 * _running(terms.hazard_variance[cells][:, None], step)[:, 0]
    variance += np.einsum("mta,ab,mtb->mt", slope, scaled_variance, slope)
    std_error = np.sqrt(variance)
    survival = np.exp(-hazard)
    lower, upper = probability_interval(survival, survival * std_error, interval, level)
    return PredictedSurvival(
        time=counts.time,
        at_risk=counts.at_risk,
        events=counts.events[0],
        survival=survival,
        std_error=survival * std_error,
        lower=lower,
        upper=upper,
        cumulative_hazard=hazard,
        hazard_std_error=std_error,
        stratum=stratum,
        interval=interval,
        level=level,
        patients=x.shape[0],
    )


def hazard_jumps(
    fit: CoxFit, covariates: Covariates, *, stratum: object = None
) -> tuple[FloatArray, FloatArray]:
    """Event times (C) of one stratum, and each patient's hazard jumps at them (m x C)."""
    _refuse_exact(fit)
    rows = fit.layout.rows
    x = (design_like(covariates, fit.data.design).matrix - rows.centre) / rows.scale
    chosen = _stratum_place(fit, stratum)
    cells = slice(*fit.layout.cells.begins[chosen : chosen + 2].tolist())
    jumps = cell_terms(rows, fit.scaled_coef, fit.efron).hazard[cells]
    return fit.layout.cells.time[cells], np.exp(x @ fit.scaled_coef)[:, None] * jumps


def _refuse_exact(fit: CoxFit) -> None:
    if fit.ties == "exact":
        raise StatsInputError(
            "ties: prediction needs Efron's or Breslow's\n  fit with ties='efron'"
        )


def _running(jumps: FloatArray, step: IntArray) -> FloatArray:
    """Sum of the jumps up to each place."""
    return np.vstack((np.zeros(jumps.shape[1]), np.cumsum(jumps, axis=0)))[step]


def _counts(fit: CoxFit, stratum: int) -> EventCounts:
    data = fit.data
    rows = slice(None) if data.stratum is None else np.flatnonzero(data.stratum == stratum)
    return count_events(
        data.time[rows],
        data.event[rows].astype(np.int64),
        1,
        entry=None if data.start is None else data.start[rows],
        weights=None if data.weights is None else data.weights[rows],
    )


def _stratum_place(fit: CoxFit, stratum: object) -> int:
    labels = fit.data.strata_labels
    if not labels:
        if stratum is not None:
            raise StatsInputError(f"stratum: found {stratum!r}\n  the model has no strata")
        return 0
    if stratum not in labels:
        known = ", ".join(repr(label) for label in labels)
        raise StatsInputError(f"stratum: found {stratum!r}\n  expected one of {known}")
    return labels.index(stratum)
