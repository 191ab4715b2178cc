"""Robust standard error of a survival curve: the infinitesimal jackknife, row by row.

The influence of row i on log S(t) is -(dN_i - h Y_i) / (r - d) summed over times up to t. Its
square splits into sums over rows that have left and rows still at risk, so that no rows-by-times
table is needed. Source: Therneau and Grambsch 2000; Dabrowska 1987.
"""

import numpy as np

from graftline.stats.event_counts import FloatArray, IntArray
from graftline.stats.inputs import SurvivalData


def survival_jackknife(
    data: SurvivalData,
    time: FloatArray,
    at_risk: FloatArray,
    events: FloatArray,
    survival: FloatArray,
) -> FloatArray:
    """Standard error of S at each distinct end ``time`` of the rows of ``data``; 0 where S is 0."""
    staying = at_risk - events
    inverse = np.divide(1.0, staying, out=np.zeros_like(staying), where=staying > 0.0)
    return np.asarray(survival * np.sqrt(influence_squares(data, time, events / at_risk, inverse)))


def influence_squares(
    data: SurvivalData, time: FloatArray, hazard: FloatArray, scale: FloatArray
) -> FloatArray:
    """Sum over rows of (weight x influence)^2 at each time.

    A row's influence is ``scale`` at its event minus the sum of ``hazard * scale`` while at risk.
    """
    drift = np.cumsum(hazard * scale)
    weights = np.ones(data.time.size) if data.weights is None else data.weights
    squares = weights * weights
    leaving = np.searchsorted(time, data.time, side="right") - 1
    if data.entry is None:
        before = np.zeros(data.time.size)
        entering = np.zeros(data.time.size, dtype=np.int64)
    else:
        # At risk from the first time after entry; an entry at 0 is the origin, time 0 included.
        entering = np.searchsorted(time, data.entry, side="right")
        entering[data.entry == 0.0] = 0
        before = np.concatenate(([0.0], drift))[entering]
    final = np.where(data.event == 1, scale[leaving], 0.0) - (drift[leaving] - before)
    left = np.cumsum(np.bincount(leaving, squares * final * final, time.size))
    constant = _still_at_risk(squares, entering, leaving, time.size)
    linear = _still_at_risk(squares * before, entering, leaving, time.size)
    quadratic = _still_at_risk(squares * before * before, entering, leaving, time.size)
    people = _still_at_risk(np.ones(data.time.size), entering, leaving, time.size)
    # Where nobody stays the three sums cancel but for dust, whose root would show.
    staying = drift * drift * constant - 2.0 * drift * linear + quadratic
    staying = np.where(people > 0.0, np.maximum(staying, 0.0), 0.0)
    return np.asarray(left + staying)


def _still_at_risk(
    values: FloatArray, entering: IntArray, leaving: IntArray, size: int
) -> FloatArray:
    """Sum of ``values`` of the rows that have entered by each time and end after it."""
    joined = np.bincount(entering, values, size + 1)[:size]
    gone = np.bincount(leaving, values, size)
    return np.asarray(np.cumsum(joined - gone))
