"""Residuals of a Cox model: martingale, deviance, score and Schoenfeld, each in linear time."""

from dataclasses import dataclass

import numpy as np

from graftline.stats.cox import CoxFit
from graftline.stats.cox_variance import patient_terms, score_residuals
from graftline.stats.event_counts import FloatArray, IntArray
from graftline.stats.inputs import StatsInputError


def martingale_residuals(fit: CoxFit) -> FloatArray:
    """Events minus expected events of each row (n), unweighted, in the order given.

    Sources: Barlow and Prentice 1988; Therneau, Grambsch and Fleming 1990. With Efron's ties the
    patients of a tie share its hazard as in the likelihood.
    """
    _refuse_exact(fit, "martingale residuals")
    return fit.data.event - patient_terms(fit.data, fit.layout, fit.scaled_coef, fit.efron).expected


def deviance_residuals(fit: CoxFit) -> FloatArray:
    """Martingale residuals made symmetric: sign(M) sqrt(-2 (M + d log(d - M)))."""
    martingale = martingale_residuals(fit)
    event = fit.data.event.astype(np.float64)
    expected = np.where(event > 0.0, event - martingale, 1.0)
    inside = -2.0 * (martingale + event * np.log(expected))
    return np.asarray(np.sign(martingale) * np.sqrt(np.maximum(inside, 0.0)))


def cox_score_residuals(fit: CoxFit) -> FloatArray:
    """Each row's part (n x p) of the score, unweighted; with weights they sum to zero."""
    _refuse_exact(fit, "score residuals")
    return score_residuals(fit.data, fit.layout, fit.scaled_coef, fit.efron)


def dfbeta_residuals(fit: CoxFit) -> FloatArray:
    """Approximate change (n x p) of the coefficients by each row with its weight."""
    model = fit.variance if fit.naive_variance is None else fit.naive_variance
    change = cox_score_residuals(fit) @ model
    if fit.data.weights is not None:
        change = change * fit.data.weights[:, None]
    return np.asarray(change)


@dataclass(frozen=True, slots=True)
class SchoenfeldResiduals:
    """Covariates at each event minus their mean over those at risk (d x p)."""

    row: IntArray
    time: FloatArray
    residual: FloatArray


def schoenfeld_residuals(fit: CoxFit) -> SchoenfeldResiduals:
    """One row per event, in the order of stratum and time (Schoenfeld 1982)."""
    _refuse_exact(fit, "Schoenfeld residuals")
    terms = patient_terms(fit.data, fit.layout, fit.scaled_coef, fit.efron)
    rows = np.flatnonzero(fit.data.event)
    place = fit.layout.cells.last[rows]
    rows = rows[np.argsort(place, kind="stable")]
    place = fit.layout.cells.last[rows]
    residual = fit.data.design.matrix[rows] - terms.mean_at_event[place]
    return SchoenfeldResiduals(rows, fit.layout.cells.time[place], residual)


def _refuse_exact(fit: CoxFit, what: str) -> None:
    if fit.ties == "exact":
        raise StatsInputError(
            f"ties: {what} are not defined for the exact likelihood\n  fit with ties='efron'"
        )
