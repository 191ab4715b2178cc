"""What a fitted Cox model has at each event time: hazard jumps and mean covariates."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graftline.stats.cox_likelihood import LikelihoodRows
from graftline.stats.event_counts import FloatArray


@dataclass(frozen=True, slots=True)
class CellTerms:
    """Sums over the l-th death of each tie (one term for Breslow), C cells, p covariates.

    With c_l the risk-set sum and m_l its mean covariate when the l-th of a tie dies:
    ``hazard`` is sum w / c_l, ``hazard_variance`` sum w / c_l^2, ``mean_hazard`` sum w m_l / c_l,
    ``mean_at_event`` the average of m_l. The ``own`` fields are what the tied patients
    themselves have passed through: a patient among l deaths is counted by the share 1 - l / m.
    Covariates are centred and scaled; hazards belong to a patient at their centre.
    """

    hazard: FloatArray
    own_hazard: FloatArray
    hazard_variance: FloatArray
    mean_hazard: FloatArray
    own_mean_hazard: FloatArray
    mean_at_event: FloatArray
    event_weight: FloatArray
    at_risk: FloatArray


def cell_terms(data: LikelihoodRows, coef: FloatArray, efron: bool) -> CellTerms:
    """Terms at given coefficients (of the scaled covariates)."""
    eta = data.x @ coef
    shift = float(eta.max()) if eta.size else 0.0
    arrays = _terms_pass(
        data.x,
        np.exp(eta - shift) * data.weights,
        data.weights,
        data.death,
        data.rows.offset,
        data.rows.late,
        data.rows.late_offset,
        data.last_of_stratum,
        efron,
    )
    unshift = np.exp(-shift)
    return CellTerms(
        hazard=arrays[0] * unshift,
        own_hazard=arrays[1] * unshift,
        hazard_variance=arrays[2] * unshift**2,
        mean_hazard=arrays[3] * unshift,
        own_mean_hazard=arrays[4] * unshift,
        mean_at_event=arrays[5],
        event_weight=arrays[6],
        at_risk=arrays[7],
    )


@njit(cache=True)
def _terms_pass(
    x: FloatArray,
    risk: FloatArray,
    weights: FloatArray,
    death: NDArray[np.bool_],
    offset: NDArray[np.int64],
    late: NDArray[np.int64],
    late_offset: NDArray[np.int64],
    last_of_stratum: NDArray[np.bool_],
    efron: bool,
) -> tuple[
    FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray
]:
    n_cells, p = last_of_stratum.size, x.shape[1]
    hazard, own, variance = np.zeros(n_cells), np.zeros(n_cells), np.zeros(n_cells)
    mean_hazard, own_mean = np.zeros((n_cells, p)), np.zeros((n_cells, p))
    mean_at_event = np.zeros((n_cells, p))
    event_weight, at_risk = np.zeros(n_cells), np.zeros(n_cells)
    s0, at, present = 0.0, 0.0, 0
    s1, d1 = np.zeros(p), np.zeros(p)
    for c in range(n_cells - 1, -1, -1):
        if last_of_stratum[c]:
            s0, at, present = 0.0, 0.0, 0
            s1[:] = 0.0
        else:
            for q in range(late_offset[c + 1], late_offset[c + 2]):
                i = late[q]
                present -= 1
                s0 -= risk[i]
                at -= weights[i]
                for a in range(p):
                    s1[a] -= risk[i] * x[i, a]
            if present == 0:
                s0, at = 0.0, 0.0
                s1[:] = 0.0
        d0, d_weight, ties = 0.0, 0.0, 0
        d1[:] = 0.0
        for i in range(offset[c], offset[c + 1]):
            present += 1
            s0 += risk[i]
            at += weights[i]
            for a in range(p):
                s1[a] += risk[i] * x[i, a]
            if death[i]:
                ties += 1
                d_weight += weights[i]
                if efron:
                    d0 += risk[i]
                    for a in range(p):
                        d1[a] += risk[i] * x[i, a]
        event_weight[c] = d_weight
        at_risk[c] = at
        steps = ties if efron else 1
        share = d_weight / steps
        for k in range(steps):
            f = k / steps
            denominator = s0 - f * d0
            jump = share / denominator
            hazard[c] += jump
            own[c] += (1.0 - f) * jump
            variance[c] += jump / denominator
            for a in range(p):
                mean = (s1[a] - f * d1[a]) / denominator
                mean_hazard[c, a] += mean * jump
                own_mean[c, a] += mean * (1.0 - f) * jump
                mean_at_event[c, a] += mean / steps
    return hazard, own, variance, mean_hazard, own_mean, mean_at_event, event_weight, at_risk
