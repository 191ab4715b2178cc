"""The exact partial likelihood of tied deaths: the discrete conditional one.

At a time with d deaths among r at risk, the deaths' product of relative risks is divided by the
sum of such products over all subsets of size d. The sum is an elementary symmetric polynomial,
built up one patient at a time with its first and second derivatives (Gail, Lubin and Rubinstein
1981): r d p^2 per tie.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graftline.stats.cox_likelihood import Evaluate, Evaluation, LikelihoodRows
from graftline.stats.event_counts import FloatArray


def exact_evaluation(rows: LikelihoodRows) -> Evaluate:
    """Function that evaluates the exact likelihood at a coefficient vector."""

    def evaluate(coef: FloatArray) -> Evaluation:
        eta = rows.x @ coef
        value, score, information = _exact_pass(
            rows.x,
            eta,
            rows.death,
            rows.rows.offset,
            rows.rows.late,
            rows.rows.late_offset,
            rows.last_of_stratum,
        )
        return Evaluation(value, score, information)

    return evaluate


@njit(cache=True)
def _exact_pass(
    x: FloatArray,
    eta: FloatArray,
    death: NDArray[np.bool_],
    offset: NDArray[np.int64],
    late: NDArray[np.int64],
    late_offset: NDArray[np.int64],
    last_of_stratum: NDArray[np.bool_],
) -> tuple[float, FloatArray, FloatArray]:
    p = x.shape[1]
    value, score, info = 0.0, np.zeros(p), np.zeros((p, p))
    present = np.zeros(x.shape[0], dtype=np.bool_)
    for c in range(last_of_stratum.size - 1, -1, -1):
        if last_of_stratum[c]:
            present[:] = False
        else:
            for q in range(late_offset[c + 1], late_offset[c + 2]):
                present[late[q]] = False
        ties = 0
        for i in range(offset[c], offset[c + 1]):
            present[i] = True
            if death[i]:
                ties += 1
                value += eta[i]
                for a in range(p):
                    score[a] += x[i, a]
        members = np.flatnonzero(present[offset[c] :]) + offset[c]
        log_sum, first, second = _log_subsets(x, eta, members, ties)
        value -= log_sum
        for a in range(p):
            score[a] -= first[a]
            for b in range(p):
                info[a, b] += second[a, b] - first[a] * first[b]
    return value, score, info


@njit(cache=True)
def _log_subsets(
    x: FloatArray, eta: FloatArray, members: NDArray[np.int64], size: int
) -> tuple[float, FloatArray, FloatArray]:
    """Log of the sum over subsets, and the mean and mean square of the subsets' covariate sums."""
    p = x.shape[1]
    top = -np.inf
    for i in members:
        top = max(top, eta[i])
    total = 0.0
    for i in members:
        total += np.exp(eta[i] - top)
    # Stirling: with this unit, the polynomial of the size wanted stays near 1 however large it is.
    unit = total * np.e / size
    sums = np.zeros(size + 1)
    sums[0] = 1.0
    first = np.zeros((size + 1, p))
    second = np.zeros((size + 1, p, p))
    for seen in range(members.size):
        i = members[seen]
        u = np.exp(eta[i] - top) / unit
        for k in range(min(seen + 1, size), 0, -1):
            below = sums[k - 1]
            for a in range(p):
                for b in range(a + 1):
                    second[k, a, b] += u * (
                        second[k - 1, a, b]
                        + x[i, a] * first[k - 1, b]
                        + first[k - 1, a] * x[i, b]
                        + x[i, a] * x[i, b] * below
                    )
            for a in range(p):
                first[k, a] += u * (first[k - 1, a] + x[i, a] * below)
            sums[k] += u * below
    mean, square = np.zeros(p), np.zeros((p, p))
    if not sums[size] > 0.0:  # coefficients so large that every product is below any number
        return np.inf, mean, square
    for a in range(p):
        mean[a] = first[size, a] / sums[size]
        for b in range(a + 1):
            square[a, b] = second[size, a, b] / sums[size]
            square[b, a] = square[a, b]
    return np.log(sums[size]) + size * (top + np.log(unit)), mean, square
