"""Robust variance of a Fine-Gray model, including that its weights are estimated; linear time.

Each patient's influence is the weighted score residual plus, for the estimated censoring curve,
the integral of q(u) / Y(u) against the patient's censoring martingale. Here q(u) is the pull of
the patients who had a competing event before u, on the score from u on: with C0, C1 their running
sums, q(u) = C1 [H - H(u-)] - C0 [M - M(u-)], H and M the integrals of A dLambda and A mean dLambda.
Source: Fine and Gray 1999, section 3; where times tie, T < u <= t as printed there.
"""

import numpy as np

from graftline.stats.event_counts import FloatArray, IntArray
from graftline.stats.fine_gray_likelihood import FineGrayLayout


def fine_gray_influence(
    layout: FineGrayLayout,
    coef: FloatArray,
    jump: FloatArray,
    mean: FloatArray,
    stratum: IntArray,
    *,
    estimated_weights: bool,
) -> FloatArray:
    """Influence (n x p, rows in pass order, weighted) on the score; scaled covariates.

    ``stratum`` is each row's stratum in pass order.
    """
    cells = layout.cells
    relative = np.exp(layout.x @ coef)
    first, last = cells.first[layout.order], cells.last[layout.order]
    last = np.maximum(last, first - 1)
    hazard, mean_hazard = _running(jump[:, None])[:, 0], _running(jump[:, None] * mean)
    influence = relative[:, None] * (
        (mean_hazard[last + 1] - mean_hazard[first])
        - layout.x * (hazard[last + 1] - hazard[first])[:, None]
    )
    own = layout.of_interest
    influence[own] += layout.x[own] - mean[last[own]]
    influence += _carried_part(layout, relative, jump, mean, stratum)
    if estimated_weights:
        influence += _censoring_part(layout, relative, jump, mean, stratum)
    return influence * layout.weights[:, None]


def _carried_part(
    layout: FineGrayLayout,
    relative: FloatArray,
    jump: FloatArray,
    mean: FloatArray,
    stratum: IntArray,
) -> FloatArray:
    """Hazard that patients with a competing event keep passing through, with falling weight."""
    part = np.zeros_like(layout.x)
    begins = layout.cells.begins
    for g in range(layout.cell_weight.shape[1]):
        rows = np.flatnonzero((layout.carried > 0.0) & (layout.group == g))
        a_jump = (jump * layout.cell_weight[:, g])[:, None]
        hazard, mean_hazard = _running(a_jump)[:, 0], _running(a_jump * mean)
        since = np.maximum(layout.cells.last[layout.order[rows]] + 1, begins[stratum[rows]])
        end = begins[stratum[rows] + 1]
        rate = (relative[rows] * layout.carried[rows])[:, None]
        part[rows] = rate * (
            (mean_hazard[end] - mean_hazard[since])
            - layout.x[rows] * (hazard[end] - hazard[since])[:, None]
        )
    return part


def _censoring_part(
    layout: FineGrayLayout,
    relative: FloatArray,
    jump: FloatArray,
    mean: FloatArray,
    stratum: IntArray,
) -> FloatArray:
    """Influence through the estimated censoring curve of the patient's group."""
    part = np.zeros_like(layout.x)
    place = layout.place[layout.order]
    censored = ~layout.of_interest & (layout.carried == 0.0)
    for g in range(layout.cell_weight.shape[1]):
        pull = np.zeros((layout.grid.size, layout.x.shape[1]))
        mine = layout.group == g
        for s in np.unique(stratum[mine]):
            rows = np.flatnonzero(mine & (stratum == s) & (layout.carried > 0.0))
            pull += _pull(layout, rows, relative, jump, mean, int(s), g)
        at_risk, leaving = layout.curve_at_risk[:, g], layout.curve_censored[:, g]
        with np.errstate(divide="ignore", invalid="ignore"):
            per_patient = np.where(at_risk[:, None] > 0.0, pull / at_risk[:, None], 0.0)
            rate = np.where(at_risk > 0.0, leaving / at_risk, 0.0)
        compensator = np.cumsum(per_patient * rate[:, None], axis=0)
        members = np.flatnonzero(mine)
        part[members] = -compensator[place[members]]
        gone = members[censored[members]]
        part[gone] += per_patient[place[gone]]
    return part


def _pull(
    layout: FineGrayLayout,
    rows: IntArray,
    relative: FloatArray,
    jump: FloatArray,
    mean: FloatArray,
    s: int,
    g: int,
) -> FloatArray:
    """q(u) at every grid time: what carried patients of one stratum still add to the score."""
    cells = slice(*layout.cells.begins[s : s + 2].tolist())
    a_jump = (jump[cells] * layout.cell_weight[cells, g])[:, None]
    hazard, mean_hazard = _running(a_jump)[:, 0], _running(a_jump * mean[cells])
    passed = np.searchsorted(layout.cells.time[cells], layout.grid, side="left")
    rate = relative[rows] * layout.carried[rows] * layout.weights[rows]
    place = layout.place[layout.order[rows]]
    size = layout.grid.size
    sums = [np.bincount(place, weights=rate, minlength=size)]
    sums += [
        np.bincount(place, weights=rate * column, minlength=size) for column in layout.x[rows].T
    ]
    earlier = _running(np.column_stack(sums))[:-1]
    c0, c1 = earlier[:, 0], earlier[:, 1:]
    ahead = (hazard[-1] - hazard[passed])[:, None]
    return np.asarray(c1 * ahead - c0[:, None] * (mean_hazard[-1] - mean_hazard[passed]))


def _running(jumps: FloatArray) -> FloatArray:
    """Sum of the jumps before each place, and of all."""
    return np.vstack((np.zeros(jumps.shape[1]), np.cumsum(jumps, axis=0)))
