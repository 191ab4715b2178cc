"""Cox regression with Firth's penalty: finite estimates for small trials and separated data.

The log likelihood is penalised by half the log determinant of the information, which removes the
first-order bias and keeps every coefficient finite. Limits and p-values are those of the profile
penalised likelihood. Sources: Firth 1993; Heinze and Schemper 2001.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import chdtrc, chdtri

from graftline.stats.chi_square import ChiSquare, chi_square
from graftline.stats.cox import coefficient_text, cox_layout, refuse_empty
from graftline.stats.cox_data import cox_data
from graftline.stats.cox_likelihood import (
    LikelihoodRows,
    NotConvergedError,
    evaluate_partial_likelihood,
    refuse_singular,
)
from graftline.stats.design import Covariates
from graftline.stats.event_counts import FloatArray
from graftline.stats.inputs import check_choice, check_level


@dataclass(frozen=True, slots=True)
class FirthCoxFit:
    """A Cox model fitted by penalised likelihood.

    ``coef`` and ``std_error`` (p) are of log hazard ratios; ``lower`` and ``upper`` (p) are profile
    limits of the coefficients, infinite when the profile never falls far enough.
    """

    names: tuple[str, ...]
    coef: FloatArray
    std_error: FloatArray
    lower: FloatArray
    upper: FloatArray
    p_value: FloatArray
    variance: FloatArray
    penalised_log_likelihood: float
    penalised_log_likelihood_null: float
    likelihood_ratio: ChiSquare
    n: int
    events: int
    ties: str
    level: float

    def to_frame(self) -> pl.DataFrame:
        """One row per coefficient; limits are of the hazard ratio."""
        with np.errstate(over="ignore"):  # a limit that no number holds is infinite
            ratio, lower, upper = (np.exp(v) for v in (self.coef, self.lower, self.upper))
        return pl.DataFrame(
            {
                "covariate": list(self.names),
                "coef": self.coef,
                "std_error": self.std_error,
                "hazard_ratio": ratio,
                "lower": lower,
                "upper": upper,
                "p_value": self.p_value,
            }
        )

    def __str__(self) -> str:
        """Hazard ratios with profile limits."""
        return (
            f"Cox regression with Firth's penalty, {self.n} rows, {self.events} events, "
            f"{self.ties} ties, profile limits\n"
            f"{coefficient_text(self.to_frame(), self.level)}\n"
            f"penalised likelihood ratio {self.likelihood_ratio}"
        )


@dataclass(frozen=True, slots=True)
class _Penalised:
    value: float
    score: FloatArray
    information: FloatArray


def firth_cox(
    time: ArrayLike,
    event: ArrayLike,
    covariates: Covariates,
    *,
    start: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    ties: Literal["efron", "breslow"] = "efron",
    names: Sequence[str] | None = None,
    reference: Mapping[str, object] | None = None,
    level: float = 0.95,
) -> FirthCoxFit:
    """Fit a Cox model with Firth's penalty.

    Parameters are those of `cox`; Breslow's ties give the estimates of coxphf.

    Raises
    ------
    StatsInputError, SingularInformationError, NotConvergedError
    """
    check_choice("ties", ties, ("efron", "breslow"))
    check_level(level)
    data = cox_data(
        time,
        event,
        covariates,
        start=start,
        weights=weights,
        strata=strata,
        names=None if names is None else tuple(names),
        reference=None if reference is None else dict(reference),
    )
    refuse_empty(data)
    rows = cox_layout(data).rows
    p = len(data.design.names)
    everything = np.arange(p)
    zero = np.zeros(p)
    null = _evaluate(rows, zero, ties == "efron")
    refuse_singular(null.information, data.design.names)
    try:
        coef, best = _climb(rows, zero, everything, ties == "efron")
        variance = np.asarray(np.linalg.inv(best.information), dtype=np.float64)
        profile = [
            _profile(rows, coef, best, variance, j, ties == "efron", level) for j in range(p)
        ]
    except np.linalg.LinAlgError as error:
        raise NotConvergedError(_NOT_REACHED) from error
    lower, upper, p_value = (np.array(column) for column in zip(*profile, strict=True))
    units = rows.scale
    return FirthCoxFit(
        names=data.design.names,
        coef=coef / units,
        std_error=np.sqrt(np.diag(variance)) / units,
        lower=lower / units,
        upper=upper / units,
        p_value=p_value,
        variance=variance / np.outer(units, units),
        penalised_log_likelihood=best.value + float(np.sum(np.log(units))),
        penalised_log_likelihood_null=null.value + float(np.sum(np.log(units))),
        likelihood_ratio=chi_square(max(0.0, 2.0 * (best.value - null.value)), p),
        n=data.n,
        events=int(np.count_nonzero(data.event)),
        ties=ties,
        level=level,
    )


def _evaluate(rows: LikelihoodRows, coef: FloatArray, efron: bool) -> _Penalised:
    value, score, information = evaluate_partial_likelihood(rows, coef, efron)
    sign, log_determinant = np.linalg.slogdet(information[0])
    if not sign > 0.0 or not np.isfinite(value):
        return _Penalised(-np.inf, score[0], information[0])
    inverse = np.linalg.inv(information[0])
    eta = rows.x @ coef
    pull = _penalty_gradient(
        rows.x,
        np.exp(eta - eta.max()) * rows.weights,
        rows.weights,
        np.einsum("ia,ab,ib->i", rows.x, inverse, rows.x),
        inverse,
        rows.death,
        rows.rows.offset,
        rows.rows.late,
        rows.rows.late_offset,
        rows.last_of_stratum,
        efron,
    )
    return _Penalised(value + 0.5 * log_determinant, score[0] + pull, information[0])


def _climb(
    rows: LikelihoodRows, begin: FloatArray, free: NDArray[np.intp], efron: bool
) -> tuple[FloatArray, _Penalised]:
    """Newton steps over the free coefficients.

    The second derivative is that of the penalised score, by differences: with the unpenalised
    information in its place the steps can be twice too long and never settle.
    """
    coef, here = begin.copy(), _evaluate(rows, begin, efron)
    if free.size == 0:
        return coef, here
    for _ in range(500):
        step = np.zeros_like(coef)
        step[free] = np.linalg.solve(_curvature(rows, coef, here, free, efron), here.score[free])
        longest = float(np.max(np.abs(step)))
        step *= min(1.0, 2.0 / max(longest, 1e-300))
        there = _evaluate(rows, coef + step, efron)
        while there.value < here.value - 1e-11 * (1.0 + abs(here.value)):
            step *= 0.5
            if np.max(np.abs(step)) < 1e-13:
                return coef, here
            there = _evaluate(rows, coef + step, efron)
        coef, here = coef + step, there
        if longest < 1e-9:
            return coef, here
    raise NotConvergedError(_NOT_REACHED)


_NOT_REACHED = (
    "the maximum of the penalised likelihood was not reached in 500 iterations\n  look for "
    "covariates with extreme values or nearly equal columns, or too many for the events; rescale "
    "or leave them out"
)


def _curvature(
    rows: LikelihoodRows, coef: FloatArray, here: _Penalised, free: NDArray[np.intp], efron: bool
) -> FloatArray:
    """Minus the second derivative where it is positive definite, else the information."""
    reach = 1e-5
    columns = []
    for j in free:
        shift = np.zeros_like(coef)
        shift[j] = reach
        ahead = _evaluate(rows, coef + shift, efron).score
        behind = _evaluate(rows, coef - shift, efron).score
        columns.append((behind - ahead)[free] / (2.0 * reach))
    found = np.array(columns)
    found = 0.5 * (found + found.T)
    information = here.information[np.ix_(free, free)]
    if not np.all(np.isfinite(found)) or np.linalg.eigvalsh(found)[0] <= 1e-3 * float(
        np.linalg.eigvalsh(information)[0]
    ):
        return information
    return np.asarray(found)


def _profile(
    rows: LikelihoodRows,
    coef: FloatArray,
    best: _Penalised,
    variance: FloatArray,
    j: int,
    efron: bool,
    level: float,
) -> tuple[float, float, float]:
    """Profile limits and p-value of one coefficient."""
    others = np.delete(np.arange(coef.size), j)
    drop = 0.5 * float(chdtri(1.0, 1.0 - level))

    def fall(at: float) -> float:
        begin = coef.copy()
        begin[j] = at
        return best.value - _climb(rows, begin, others, efron)[1].value

    def limit(direction: float) -> float:
        reach = float(np.sqrt(variance[j, j])) * direction
        for stretch in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0):
            far = float(coef[j]) + stretch * 2.0 * reach
            if fall(far) > drop:
                return float(brentq(lambda b: fall(b) - drop, coef[j], far, xtol=1e-10))
        return direction * np.inf

    p_value = float(chdtrc(1.0, max(0.0, 2.0 * fall(0.0))))
    return limit(-1.0), limit(1.0), p_value


@njit(cache=True)
def _penalty_gradient(
    x: FloatArray,
    risk: FloatArray,
    weights: FloatArray,
    z: FloatArray,
    inverse: FloatArray,
    death: NDArray[np.bool_],
    offset: NDArray[np.int64],
    late: NDArray[np.int64],
    late_offset: NDArray[np.int64],
    last_of_stratum: NDArray[np.bool_],
    efron: bool,
) -> FloatArray:
    """Half the trace of I^-1 dI/dbeta: third moments of x, contracted, so n p^2.

    With z = x' I^-1 x and m, V the mean and variance over the risk set, the contraction is
    E[z x] - m E[z] - 2 V I^-1 m. ``sums`` holds S0, S1, E-sums of z and z x, then S2.
    """
    p = x.shape[1]
    gradient = np.zeros(p)
    size = 2 + 2 * p + p * p
    sums, tied = np.zeros(size), np.zeros(size)
    for c in range(last_of_stratum.size - 1, -1, -1):
        if last_of_stratum[c]:
            sums[:] = 0.0
        else:
            for q in range(late_offset[c + 1], late_offset[c + 2]):
                _add_moments(sums, x[late[q]], z[late[q]], -risk[late[q]])
        tied[:] = 0.0
        d_weight, ties = 0.0, 0
        for i in range(offset[c], offset[c + 1]):
            _add_moments(sums, x[i], z[i], risk[i])
            if death[i]:
                ties += 1
                d_weight += weights[i]
                if efron:
                    _add_moments(tied, x[i], z[i], risk[i])
        steps = ties if efron else 1
        for k in range(steps):
            mean_sums = sums - (k / steps) * tied
            mean_sums = mean_sums / mean_sums[0]
            m = mean_sums[2 : 2 + p]
            second = mean_sums[2 + 2 * p :].copy().reshape(p, p) - np.outer(m, m)
            turned = second @ (inverse @ m)
            for a in range(p):
                third = mean_sums[2 + p + a] - m[a] * mean_sums[1] - 2.0 * turned[a]
                gradient[a] += 0.5 * d_weight / steps * third
    return gradient


@njit(cache=True)
def _add_moments(sums: FloatArray, row: FloatArray, z: float, r: float) -> None:
    p = row.size
    sums[0] += r
    sums[1] += r * z
    for a in range(p):
        rx = r * row[a]
        sums[2 + a] += rx
        sums[2 + p + a] += rx * z
        for b in range(p):
            sums[2 + 2 * p + a * p + b] += rx * row[b]
