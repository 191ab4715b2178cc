"""The partial likelihood of Cox with its derivatives, in one backward pass, and its maximum.

Cost: n p^2 for the whole pass. Each tie of m deaths adds m scalars and one p x p update: with
f = l / m (Efron) or 0 (Breslow) and c = S0 - f D0, the sums over l of 1/c, f/c, 1/c^2, f/c^2 and
f^2/c^2 are all that the mean and the variance over the risk set need. Sources: Cox 1972,
Breslow 1974, Efron 1977.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graftline.stats.cox_data import CellRows, RiskCells
from graftline.stats.event_counts import FloatArray
from graftline.stats.inputs import StatsInputError

# A coefficient that still moves by this much (in standard deviations of its covariate) when the
# likelihood no longer gains anything is running to infinity.
_RUNAWAY_STEP = 0.05
_STILL = 1e-6
_SINGULAR = 1e-11


class FitError(StatsInputError):
    """A regression that has no finite, unique answer; says why and what to do."""


class SeparationError(FitError):
    """The likelihood keeps growing as a coefficient goes to infinity."""


class SingularInformationError(FitError):
    """The data cannot tell some covariates apart."""


class NotConvergedError(FitError):
    """The maximum was not reached in the iterations allowed."""


@dataclass(frozen=True, slots=True)
class LikelihoodRows:
    """What the pass reads: rows in the order of `CellRows`, covariates centred and scaled."""

    x: FloatArray
    weights: FloatArray
    death: NDArray[np.bool_]
    rows: CellRows
    last_of_stratum: NDArray[np.bool_]
    centre: FloatArray
    scale: FloatArray


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Log likelihood, score (p) and information (p x p) at a coefficient vector."""

    value: float
    score: FloatArray
    information: FloatArray


Evaluate: TypeAlias = Callable[[FloatArray], Evaluation]


@dataclass(frozen=True, slots=True)
class Maximum:
    """Where the likelihood is largest, and what it was at zero."""

    coef: FloatArray
    at_coef: Evaluation
    at_zero: Evaluation
    iterations: int


def likelihood_rows(
    matrix: FloatArray,
    event: NDArray[np.bool_],
    weights: FloatArray | None,
    cells: RiskCells,
    rows: CellRows,
) -> LikelihoodRows:
    """Gather rows in pass order; centring and scaling keep the sums well conditioned."""
    centre, scale = centre_and_scale(matrix)
    x = standardised(matrix, rows.order, centre, scale)
    case = np.ones(x.shape[0]) if weights is None else weights[rows.order]
    ends = np.zeros(cells.time.size, dtype=np.bool_)
    ends[cells.begins[1:][np.diff(cells.begins) > 0] - 1] = True
    return LikelihoodRows(x, case, event[rows.order], rows, ends, centre, scale)


@njit(cache=True)
def centre_and_scale(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each column; 1 for a column that does not vary."""
    n, p = matrix.shape
    centre, scale = np.zeros(p), np.zeros(p)
    for i in range(n):
        for a in range(p):
            centre[a] += matrix[i, a]
    for a in range(p):
        centre[a] /= n
    for i in range(n):
        for a in range(p):
            scale[a] += (matrix[i, a] - centre[a]) ** 2
    for a in range(p):
        scale[a] = np.sqrt(scale[a] / n)
        if not scale[a] > 1e-12 * abs(centre[a]):
            scale[a] = 1.0
    return centre, scale


@njit(cache=True)
def standardised(
    matrix: FloatArray, order: NDArray[np.int64], centre: FloatArray, scale: FloatArray
) -> FloatArray:
    """Rows of a matrix in the order given, centred and scaled: one pass over the memory."""
    x = np.empty((order.size, matrix.shape[1]))
    for i in range(order.size):
        for a in range(matrix.shape[1]):
            x[i, a] = (matrix[order[i], a] - centre[a]) / scale[a]
    return x


def evaluate_partial_likelihood(
    data: LikelihoodRows, coef: FloatArray, efron: bool, moments: FloatArray | None = None
) -> tuple[float, FloatArray, FloatArray]:
    """Value, score and information on the scaled covariates.

    ``moments`` (m x C) weights each cell's score and information: the first row is usually ones;
    score is (m x p) and information (m x p x p).
    """
    weighting = np.ones((1, data.last_of_stratum.size)) if moments is None else moments
    eta = data.x @ coef
    shift = float(eta.max()) if eta.size else 0.0
    risk = np.exp(eta - shift) * data.weights
    value, score, information = _backward_pass(
        data.x,
        risk,
        data.weights,
        data.death,
        data.rows.offset,
        data.rows.late,
        data.rows.late_offset,
        data.last_of_stratum,
        efron,
        weighting,
    )
    at_deaths = data.death
    value += float(data.weights[at_deaths] @ (eta[at_deaths] - shift))
    return value, score, information


@njit(cache=True, fastmath=False)
def _backward_pass(
    x: FloatArray,
    risk: FloatArray,
    weights: FloatArray,
    death: NDArray[np.bool_],
    offset: NDArray[np.int64],
    late: NDArray[np.int64],
    late_offset: NDArray[np.int64],
    last_of_stratum: NDArray[np.bool_],
    efron: bool,
    moments: FloatArray,
) -> tuple[float, FloatArray, FloatArray]:
    p = x.shape[1]
    m = moments.shape[0]
    value = 0.0
    score = np.zeros((m, p))
    info = np.zeros((m, p, p))
    s0, present = 0.0, 0
    s1, s2 = np.zeros(p), np.zeros((p, p))
    d1, d2, dx = np.zeros(p), np.zeros((p, p)), np.zeros(p)
    for c in range(last_of_stratum.size - 1, -1, -1):
        if last_of_stratum[c]:
            s0, present = 0.0, 0
            s1[:] = 0.0
            s2[:] = 0.0
        else:
            for q in range(late_offset[c + 1], late_offset[c + 2]):
                i = late[q]
                present -= 1
                s0 -= risk[i]
                for a in range(p):
                    rx = risk[i] * x[i, a]
                    s1[a] -= rx
                    for b in range(a + 1):
                        s2[a, b] -= rx * x[i, b]
            if present == 0:
                s0 = 0.0
                s1[:] = 0.0
                s2[:] = 0.0
        d0, d_weight, ties = 0.0, 0.0, 0
        d1[:] = 0.0
        d2[:] = 0.0
        dx[:] = 0.0
        for i in range(offset[c], offset[c + 1]):
            r = risk[i]
            if death[i]:
                ties += 1
                d_weight += weights[i]
                d0 += r
                for a in range(p):
                    dx[a] += weights[i] * x[i, a]
                    rx = r * x[i, a]
                    d1[a] += rx
                    for b in range(a + 1):
                        d2[a, b] += rx * x[i, b]
            else:
                s0 += r
                for a in range(p):
                    rx = r * x[i, a]
                    s1[a] += rx
                    for b in range(a + 1):
                        s2[a, b] += rx * x[i, b]
        # Each row is added up once: those who die here apart, for Efron, then with the rest.
        present += offset[c + 1] - offset[c]
        s0 += d0
        for a in range(p):
            s1[a] += d1[a]
            for b in range(a + 1):
                s2[a, b] += d2[a, b]
        steps = ties if efron else 1
        share = d_weight / steps
        logs, a0, a1, b0, b1, b2 = _tie_sums(s0, d0, share, steps)
        if not np.isfinite(logs):
            return -np.inf, score, info
        value -= logs
        for g in range(m):
            factor = moments[g, c]
            if factor == 0.0:
                continue
            for a in range(p):
                score[g, a] += factor * (dx[a] - a0 * s1[a] + a1 * d1[a])
                for b in range(a + 1):
                    info[g, a, b] += factor * (
                        a0 * s2[a, b]
                        - a1 * d2[a, b]
                        - b0 * s1[a] * s1[b]
                        + b1 * (s1[a] * d1[b] + d1[a] * s1[b])
                        - b2 * d1[a] * d1[b]
                    )
    for g in range(m):
        for a in range(p):
            for b in range(a):
                info[g, b, a] = info[g, a, b]
    return value, score, info


@njit(cache=True)
def _tie_sums(
    s0: float, d0: float, share: float, steps: int
) -> tuple[float, float, float, float, float, float]:
    """Sums over a tie of share times log c, 1/c, f/c, 1/c^2, f/c^2 and f^2/c^2."""
    logs, a0, a1, b0, b1, b2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(steps):
        f = k / steps
        denominator = s0 - f * d0
        if not denominator > 0.0:
            return np.inf, a0, a1, b0, b1, b2
        logs += share * np.log(denominator)
        one = share / denominator
        a0 += one
        a1 += f * one
        one /= denominator
        b0 += one
        b1 += f * one
        b2 += f * f * one
    return logs, a0, a1, b0, b1, b2


def maximise(
    evaluate: Evaluate, p: int, names: tuple[str, ...], *, max_iterations: int = 40
) -> Maximum:
    """Newton's method from zero, halving a step that loses likelihood.

    The covariates are on a common scale. One evaluation follows the first step shorter than 1e-6,
    so the error left is of the order of 1e-12.

    Raises
    ------
    SingularInformationError, SeparationError, NotConvergedError
    """
    coef = np.zeros(p)
    here = at_zero = evaluate(coef)
    refuse_singular(at_zero.information, names)
    for iteration in range(1, max_iterations + 1):
        step = _newton_step(here, names)
        newton = float(np.max(np.abs(step)))
        there = evaluate(coef + step)
        while not there.value >= here.value - 1e-9 * (1.0 + abs(here.value)):
            if np.max(np.abs(step)) < 1e-14:
                raise NotConvergedError(_NOT_CONVERGED.format(iteration))
            step *= 0.5
            there = evaluate(coef + step)
        coef = coef + step
        gain = there.value - here.value
        here = there
        longest = float(np.max(np.abs(step)))
        if newton < _STILL:  # a step made this short by halving is no sign of a maximum
            flat = np.diag(here.information) <= _SINGULAR * np.diag(at_zero.information)
            if np.any(flat):  # so far out that the likelihood no longer bends
                raise SeparationError(_separation(flat.astype(np.float64), names))
            return Maximum(coef, here, at_zero, iteration)
        if longest > _RUNAWAY_STEP and abs(gain) < 1e-7 * max(1.0, 1e-3 * abs(here.value)):
            raise SeparationError(_separation(step, names))
    if np.max(np.abs(coef)) > 10.0:
        raise SeparationError(_separation(coef, names))
    raise NotConvergedError(_NOT_CONVERGED.format(max_iterations))


def _newton_step(here: Evaluation, names: tuple[str, ...]) -> FloatArray:
    try:
        step = np.linalg.solve(here.information, here.score)
    except np.linalg.LinAlgError as error:
        raise SeparationError(_separation(np.ones(len(names)), names)) from error
    if not np.all(np.isfinite(step)):
        raise SeparationError(_separation(np.ones(len(names)), names))
    # Four standard deviations in one step is never the quadratic's own idea of a maximum.
    return np.asarray(step * min(1.0, 4.0 / max(float(np.max(np.abs(step))), 1e-300)))


def refuse_singular(information: FloatArray, names: tuple[str, ...]) -> None:
    """Name the covariates that the risk sets cannot tell apart, or that never vary in them.

    Raises
    ------
    SingularInformationError
    """
    diagonal = np.diag(information)
    # Columns have unit spread, so that a sum this small is rounding and no information.
    flat = diagonal <= _SINGULAR * max(float(diagonal.max(initial=0.0)), 1e-4)
    if np.any(flat):
        which = ", ".join(name for name, bad in zip(names, flat, strict=True) if bad)
        raise SingularInformationError(
            f"covariates: {which} never differs between a patient with an event and the others at "
            "risk\n  expected variation in at least one risk set\n  leave it out (a covariate that "
            "is constant, or constant within every stratum, has no coefficient)"
        )
    root = np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(information / np.outer(root, root))
    if values[0] < _SINGULAR * values[-1]:
        heavy = np.abs(vectors[:, 0]) > 0.1
        which = ", ".join(name for name, bad in zip(names, heavy, strict=True) if bad)
        raise SingularInformationError(
            f"covariates: {which} are a linear combination of each other\n"
            "  expected columns of which none follows from the others\n  leave one of them out"
        )


def refuse_flat_variance(variance: FloatArray, naive: FloatArray, names: tuple[str, ...]) -> None:
    """Name the covariates to which no patient contributes: a standard error of 0 is none.

    Raises
    ------
    SingularInformationError
    """
    flat = np.diag(variance) <= 1e-20 * np.diag(naive)
    if np.any(flat):
        which = ", ".join(name for name, bad in zip(names, flat, strict=True) if bad)
        raise SingularInformationError(
            f"covariates: the robust variance of {which} is 0\n  expected events at two times or "
            "more, in more than one patient or cluster\n  describe the groups apart instead"
        )


def _separation(step: FloatArray, names: tuple[str, ...]) -> str:
    longest = float(np.max(np.abs(step)))
    which = ", ".join(
        name for name, size in zip(names, np.abs(step), strict=True) if size > 0.25 * longest
    )
    return (
        f"covariates: the coefficient of {which} runs to infinity (separation: every event falls "
        "on one side of it)\n  expected events on both sides\n  merge or leave out the category, "
        "or use firth_cox, whose estimate is always finite"
    )


_NOT_CONVERGED = (
    "the maximum of the likelihood was not reached in {} iterations\n  look for covariates with "
    "extreme values or nearly equal columns; rescale or leave them out"
)
