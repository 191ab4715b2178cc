"""The Fine-Gray pseudo-likelihood with its derivatives, in one backward pass: n p^2.

At an event time t of the cause, the risk-set sum is S(t) + A(t) C(t): S over patients still at
risk, C over patients who had a competing event before, each divided by the A(T) of that time. So
neither the weights nor the risk sets are ever written out per patient and time.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graftline.stats.censoring_weights import Convention, censoring_curve
from graftline.stats.competing_data import CompetingData
from graftline.stats.cox_data import RiskCells, risk_cells
from graftline.stats.cox_likelihood import centre_and_scale, standardised
from graftline.stats.event_counts import FloatArray, IntArray, index_times


@dataclass(frozen=True, slots=True)
class FineGrayLayout:
    """Rows in pass order, the cells of the cause, and the censoring curve of each group.

    ``slot`` places: each stratum has one slot before its first cell, then one per cell. ``offset``
    (slots + 1) delimits the rows (``order``) whose last cell is that slot's. ``carried`` is
    1 / A(T) of competing patients, 0 of others; ``cell_weight`` (C x G) is A(t) at each cell.
    """

    cells: RiskCells
    order: IntArray
    offset: IntArray
    late: IntArray
    late_offset: IntArray
    x: FloatArray
    centre: FloatArray
    scale: FloatArray
    weights: FloatArray
    of_interest: NDArray[np.bool_]
    carried: FloatArray
    group: IntArray
    cell_weight: FloatArray
    grid: FloatArray
    place: IntArray
    curve_at_risk: FloatArray
    curve_censored: FloatArray


def fine_gray_layout(
    data: CompetingData, matrix: FloatArray, cause: int, convention: Convention
) -> FineGrayLayout:
    """Everything about a data set that does not depend on the coefficients.

    ``data.group`` is the censoring group of each patient (None: one group).
    """
    n = data.time.size
    event = data.cause == cause
    n_strata = max(1, len(data.strata_labels))
    cells = risk_cells(data.time, event, data.entry, data.stratum, n_strata)
    indexed = index_times(
        data.time if data.entry is None else np.concatenate((data.time, data.entry))
    )
    place = indexed.index[:n]
    entry_place = None if data.entry is None else indexed.index[n:]
    group = np.zeros(n, dtype=np.int64) if data.group is None else data.group
    n_groups = max(1, len(data.labels))
    curves = [
        censoring_curve(data, place, entry_place, group == g, indexed.time.size, convention)
        for g in range(n_groups)
    ]
    before = np.column_stack([curve.before for curve in curves])
    for g in range(n_groups):
        # Nobody of a group is known to be uncensored after its last follow-up: A is 0 there.
        before[place[group == g].max() + 1 :, g] = 0.0
    stratum = np.zeros(n, dtype=np.int64) if data.stratum is None else data.stratum
    slot = np.maximum(cells.last, cells.begins[stratum] - 1) + 1 + stratum
    n_slots = cells.time.size + n_strata
    order = np.argsort(slot.astype(np.int16) if n_slots < 2**15 else slot, kind="stable")
    offset = np.concatenate(([0], np.cumsum(np.bincount(slot, minlength=n_slots))))
    late, late_offset = _late_rows(cells, order, stratum)
    centre, scale = centre_and_scale(matrix)
    x = standardised(matrix, order, centre, scale)
    competing = (data.cause > 0) & ~event
    at_own_time = before[place, group]
    carried = np.where(competing, 1.0 / np.where(competing, at_own_time, 1.0), 0.0)
    return FineGrayLayout(
        cells=cells,
        order=order,
        offset=offset,
        late=late,
        late_offset=late_offset,
        x=x,
        centre=centre,
        scale=scale,
        weights=np.ones(n) if data.weights is None else data.weights[order],
        of_interest=event[order],
        carried=carried[order],
        group=group[order],
        cell_weight=np.ascontiguousarray(
            before[np.searchsorted(indexed.time, cells.time, side="right") - 1]
        ),
        grid=indexed.time,
        place=place,
        curve_at_risk=np.column_stack([curve.at_risk for curve in curves]),
        curve_censored=np.column_stack([curve.censored for curve in curves]),
    )


def _late_rows(cells: RiskCells, order: IntArray, stratum: IntArray) -> tuple[IntArray, IntArray]:
    """Rows that enter after the first cell of their stratum, by the cell at which they enter."""
    n_cells = cells.time.size
    used = cells.last[order] >= cells.first[order]
    rows = np.flatnonzero(used & (cells.first[order] > cells.begins[stratum[order]]))
    first = cells.first[order][rows]
    late = rows[np.argsort(first, kind="stable")]
    return late, np.concatenate(([0], np.cumsum(np.bincount(first, minlength=n_cells))))


def evaluate_fine_gray(
    layout: FineGrayLayout, coef: FloatArray
) -> tuple[float, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Value, score, information, and at each cell the hazard jump and the mean covariate."""
    eta = layout.x @ coef
    shift = float(eta.max())
    risk = np.exp(eta - shift) * layout.weights
    value, score, information, jump, mean = _backward_pass(
        layout.x,
        risk,
        layout.weights,
        layout.of_interest,
        layout.carried,
        layout.group,
        layout.offset,
        layout.late,
        layout.late_offset,
        layout.cells.begins,
        layout.cells.first[layout.order],
        layout.cell_weight,
    )
    own = layout.of_interest
    value += float(layout.weights[own] @ (eta[own] - shift))
    return value, score, information, jump * np.exp(-shift), mean


@njit(cache=True)
def _backward_pass(
    x: FloatArray,
    risk: FloatArray,
    weights: FloatArray,
    of_interest: NDArray[np.bool_],
    carried: FloatArray,
    group: NDArray[np.int64],
    offset: NDArray[np.int64],
    late: NDArray[np.int64],
    late_offset: NDArray[np.int64],
    begins: NDArray[np.int64],
    first: NDArray[np.int64],
    cell_weight: FloatArray,
) -> tuple[float, FloatArray, FloatArray, FloatArray, FloatArray]:
    p = x.shape[1]
    n_cells, n_groups = cell_weight.shape
    value, score, info = 0.0, np.zeros(p), np.zeros((p, p))
    jump, mean = np.zeros(n_cells), np.zeros((n_cells, p))
    size = 1 + p + p * (p + 1) // 2
    carry, total = np.zeros((n_groups, size)), np.zeros(size)
    at, dx = np.zeros(size), np.zeros(p)
    for s in range(begins.size - 1):
        carry[:] = 0.0
        at[:] = 0.0
        present = 0
        for i in range(offset[begins[s] + s], offset[begins[s + 1] + s + 1]):
            if carried[i] > 0.0:
                _accumulate(carry[group[i]], x[i], risk[i] * carried[i])
        for c in range(begins[s + 1] - 1, begins[s] - 1, -1):
            if c + 1 < begins[s + 1]:
                for q in range(late_offset[c + 1], late_offset[c + 2]):
                    present -= 1
                    _accumulate(at, x[late[q]], -risk[late[q]])
                if present == 0:
                    at[:] = 0.0
            deaths = 0.0
            dx[:] = 0.0
            for i in range(offset[c + s + 1], offset[c + s + 2]):
                if first[i] <= c:
                    present += 1
                    _accumulate(at, x[i], risk[i])
                if carried[i] > 0.0:
                    _accumulate(carry[group[i]], x[i], -risk[i] * carried[i])
                if of_interest[i]:
                    deaths += weights[i]
                    for a in range(p):
                        dx[a] += weights[i] * x[i, a]
            for k in range(size):
                total[k] = at[k]
            for g in range(n_groups):
                if cell_weight[c, g] > 0.0:
                    for k in range(size):
                        total[k] += cell_weight[c, g] * carry[g, k]
            if not total[0] > 0.0:
                return -np.inf, score, info, jump, mean
            value -= deaths * np.log(total[0])
            jump[c] = deaths / total[0]
            k = 1 + p
            for a in range(p):
                mean[c, a] = total[1 + a] / total[0]
                score[a] += dx[a] - deaths * mean[c, a]
                for b in range(a + 1):
                    info[a, b] += deaths * (total[k] / total[0] - mean[c, a] * mean[c, b])
                    k += 1
    for a in range(p):
        for b in range(a):
            info[b, a] = info[a, b]
    return value, score, info, jump, mean


@njit(cache=True, inline="always")
def _accumulate(sums: FloatArray, row: FloatArray, r: float) -> None:
    """Add r, r x and the lower triangle of r x x' to the sums."""
    sums[0] += r
    k = 1 + row.size
    for a in range(row.size):
        rx = r * row[a]
        sums[1 + a] += rx
        for b in range(a + 1):
            sums[k] += rx * row[b]
            k += 1
