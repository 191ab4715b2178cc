"""State probabilities, their covariance and the areas under them, carried over event times."""

import numpy as np
from numba import njit

from graftline.stats.event_counts import FloatArray, IntArray


@njit(cache=True)
def propagate(
    time: FloatArray,
    at_risk: FloatArray,
    events: FloatArray,
    sources: IntArray,
    targets: IntArray,
    begin: FloatArray,
    start: float,
    horizon: float,
    greenwood: bool,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Probabilities and variances (T + 1 x S) from ``begin``; mean times to ``horizon`` and theirs.

    ``at_risk`` is S x T, ``events`` K x T for the transitions ``sources`` to ``targets``.
    """
    k, steps = begin.size, time.size
    probability, variance = np.zeros((steps + 1, k)), np.zeros((steps + 1, k))
    p, before, cov, work = np.zeros(k), np.zeros(k), np.zeros((k, k)), np.zeros((k, k))
    area, area_cov, cross = np.zeros(k), np.zeros((k, k)), np.zeros((k, k))
    step = np.zeros((k, k))
    for i in range(k):
        p[i] = begin[i]
        probability[0, i] = begin[i]
    then = start
    for t in range(steps + 1):
        now = time[t] if t < steps else horizon
        width = min(now, horizon) - then
        if 0.0 < width < np.inf:
            # cross[i, j] is Cov(p_i, area_j); p holds still while the area grows.
            for i in range(k):
                area[i] += width * p[i]
                for j in range(k):
                    area_cov[i, j] += width * (cross[i, j] + cross[j, i]) + width**2 * cov[i, j]
            for i in range(k):
                for j in range(k):
                    cross[i, j] += width * cov[i, j]
        if t == steps:
            break
        then = now
        _transition_step(step, at_risk, events, sources, targets, t)
        for j in range(k):
            before[j] = p[j]
        for j in range(k):
            p[j] = 0.0
            for i in range(k):
                p[j] += before[i] * step[i, j]
        _multiply(work, step, cov)
        _multiply_right(cov, work, step)
        _multiply(work, step, cross)
        for i in range(k):
            for j in range(k):
                cross[i, j] = work[i, j]
        for g in range(k):
            if step[g, g] != 1.0:
                # De Wreede and others: Greenwood's convention takes the states just before the
                # jump, Aalen's those just after.
                weight = before[g] if greenwood else p[g]
                _add_spread(cov, step[g], g, at_risk[g, t], weight * weight, greenwood)
        for i in range(k):
            probability[t + 1, i] = p[i]
            variance[t + 1, i] = max(cov[i, i], 0.0)
    spread = np.zeros(k)
    for i in range(k):
        spread[i] = max(area_cov[i, i], 0.0)
    return probability, variance, area, spread


@njit(cache=True)
def _transition_step(
    step: FloatArray,
    at_risk: FloatArray,
    events: FloatArray,
    sources: IntArray,
    targets: IntArray,
    t: int,
) -> None:
    """I + dA at one time."""
    for i in range(step.shape[0]):
        for j in range(step.shape[0]):
            step[i, j] = 1.0 if i == j else 0.0
    for a in range(sources.size):
        if events[a, t] > 0.0:
            jump = events[a, t] / at_risk[sources[a], t]
            step[sources[a], targets[a]] += jump
            step[sources[a], sources[a]] -= jump


@njit(cache=True)
def _multiply(result: FloatArray, step: FloatArray, matrix: FloatArray) -> None:
    """Transposed step times matrix."""
    k = step.shape[0]
    for i in range(k):
        for j in range(k):
            result[i, j] = 0.0
            for m in range(k):
                result[i, j] += step[m, i] * matrix[m, j]


@njit(cache=True)
def _multiply_right(result: FloatArray, matrix: FloatArray, step: FloatArray) -> None:
    k = step.shape[0]
    for i in range(k):
        for j in range(k):
            result[i, j] = 0.0
            for m in range(k):
                result[i, j] += matrix[i, m] * step[m, j]


@njit(cache=True)
def _add_spread(
    cov: FloatArray, row: FloatArray, g: int, r: float, factor: float, greenwood: bool
) -> None:
    """Covariance of the jumps out of one state; the diagonal jump is minus their sum."""
    k = row.size
    total = 0.0
    for j in range(k):
        if j != g:
            total += row[j]
    for i in range(k):
        for j in range(k):
            if i == g and j == g:
                value = total - (total * total if greenwood else 0.0)
            elif i == g or j == g:
                other = row[j] if i == g else row[i]
                value = -other + (other * total if greenwood else 0.0)
            else:
                value = (row[i] if i == j else 0.0) - (row[i] * row[j] if greenwood else 0.0)
            cov[i, j] += factor * value / r
