"""Each row's part in a fitted Cox model, and the robust (sandwich) variance built from it.

Sources: Lin and Wei 1989 (score residuals); Binder 1992 (weights). The integrals over time that
define the residuals are differences of running sums, so the sandwich costs n p^2, not n T p.
"""

from dataclasses import dataclass

import numpy as np

from graftline.stats.cox_cells import CellTerms, cell_terms
from graftline.stats.cox_data import CoxData, RiskCells
from graftline.stats.cox_likelihood import LikelihoodRows
from graftline.stats.event_counts import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class CoxLayout:
    """Cells of a data set and its rows in pass order."""

    cells: RiskCells
    rows: LikelihoodRows


@dataclass(frozen=True, slots=True)
class PatientTerms:
    """Expected events (n), the integral of the mean covariate (n x p), means at events (C x p).

    Covariates in their own units.
    """

    expected: FloatArray
    expected_mean: FloatArray
    mean_at_event: FloatArray


def patient_terms(
    data: CoxData, layout: CoxLayout, scaled_coef: FloatArray, efron: bool
) -> PatientTerms:
    """Hazard passed through by each row, times its relative risk."""
    cells, rows = layout.cells, layout.rows
    terms = cell_terms(rows, scaled_coef, efron)
    relative = np.exp(((data.design.matrix - rows.centre) / rows.scale) @ scaled_coef)
    passed = _passed(cells, terms.hazard[:, None], terms.own_hazard[:, None], data)[:, 0]
    mean = _passed(cells, terms.mean_hazard, terms.own_mean_hazard, data)
    expected = relative * passed
    expected_mean = relative[:, None] * mean * rows.scale + expected[:, None] * rows.centre
    return PatientTerms(expected, expected_mean, own_units(terms, rows))


def own_units(terms: CellTerms, rows: LikelihoodRows) -> FloatArray:
    """Mean covariates at events in the units in which they were given."""
    return terms.mean_at_event * rows.scale + rows.centre


def score_residuals(
    data: CoxData, layout: CoxLayout, scaled_coef: FloatArray, efron: bool
) -> FloatArray:
    """Rows' parts of the score: (x - mean) at the event minus the same over the hazard passed."""
    terms = patient_terms(data, layout, scaled_coef, efron)
    x = data.design.matrix
    residual = terms.expected_mean - terms.expected[:, None] * x
    events = np.flatnonzero(data.event)
    residual[events] += x[events] - terms.mean_at_event[layout.cells.last[events]]
    return residual


def robust_variance(
    naive: FloatArray, residual: FloatArray, weights: FloatArray | None, cluster: IntArray | None
) -> FloatArray:
    """Sandwich of the weighted score residuals, summed within clusters first."""
    weighted = residual if weights is None else residual * weights[:, None]
    if cluster is not None:
        weighted = np.column_stack([np.bincount(cluster, weights=column) for column in weighted.T])
    change = weighted @ naive
    return np.asarray(change.T @ change)


def _passed(cells: RiskCells, jump: FloatArray, own_jump: FloatArray, data: CoxData) -> FloatArray:
    """Sum of jumps over the cells of each row; at its own event only its share of the tie."""
    total = np.vstack((np.zeros(jump.shape[1]), np.cumsum(jump, axis=0)))
    last = np.maximum(cells.last, cells.first - 1)
    passed = total[last + 1] - total[cells.first]
    events = np.flatnonzero(data.event)
    place = cells.last[events]
    passed[events] += own_jump[place] - jump[place]
    return np.asarray(passed)
