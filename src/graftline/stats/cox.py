"""Cox's proportional-hazards regression.

Strata, start-stop rows and time-dependent covariates, case weights, Efron's, Breslow's and exact
ties, model-based and robust variance. Sources: Cox 1972; Efron 1977; Breslow 1974; Kalbfleisch and
Prentice 2002 (exact, the discrete conditional likelihood); Lin and Wei 1989 (robust variance).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.special import chdtrc, ndtri

from graftline.stats.chi_square import ChiSquare, chi_square, wald_test
from graftline.stats.cox_data import CoxData, cell_rows, cox_data, risk_cells
from graftline.stats.cox_exact import exact_evaluation
from graftline.stats.cox_likelihood import (
    Evaluate,
    Evaluation,
    FitError,
    Maximum,
    evaluate_partial_likelihood,
    likelihood_rows,
    maximise,
    refuse_flat_variance,
)
from graftline.stats.cox_variance import CoxLayout, robust_variance, score_residuals
from graftline.stats.design import Covariates
from graftline.stats.event_counts import FloatArray
from graftline.stats.inputs import StatsInputError, check_choice, check_level
from graftline.stats.result_text import text_p_value, text_table

Ties: TypeAlias = Literal["efron", "breslow", "exact"]


@dataclass(frozen=True, slots=True)
class CoxFit:
    """A fitted Cox model.

    ``coef``, ``std_error`` (p) and ``variance`` (p x p) are of the log hazard ratios; with a robust
    variance, ``variance`` is the sandwich and ``naive_variance`` the inverse information.
    ``likelihood_ratio``, ``wald`` and ``score`` test that every coefficient is zero;
    ``robust_score`` is the score test from the score residuals.
    """

    names: tuple[str, ...]
    coef: FloatArray
    std_error: FloatArray
    variance: FloatArray
    naive_variance: FloatArray | None
    log_likelihood: float
    log_likelihood_null: float
    likelihood_ratio: ChiSquare
    wald: ChiSquare
    score: ChiSquare
    n: int
    events: int
    iterations: int
    ties: Ties
    level: float
    terms: Mapping[str, tuple[int, ...]]
    data: CoxData = field(repr=False)
    layout: CoxLayout = field(repr=False)

    @property
    def efron(self) -> bool:
        """Whether tied deaths share the risk set as Efron has it."""
        return self.ties == "efron"

    @property
    def scaled_coef(self) -> FloatArray:
        """Coefficients of the covariates as centred and scaled in the likelihood."""
        return self.coef * self.layout.rows.scale

    @property
    def z(self) -> FloatArray:
        """Coefficient over standard error."""
        return self.coef / self.std_error

    @property
    def p_value(self) -> FloatArray:
        """Two-sided p-value of each coefficient."""
        return np.asarray(chdtrc(1.0, self.z**2))

    @property
    def linear_predictor(self) -> FloatArray:
        """Log relative hazard of each row against a patient with the mean covariates."""
        x = self.data.design.matrix
        return np.asarray((x - x.mean(axis=0)) @ self.coef)

    def to_frame(self) -> pl.DataFrame:
        """One row per coefficient with hazard ratio, limits and p-value."""
        return coefficient_frame(self.names, self.coef, self.std_error, self.level)

    def __str__(self) -> str:
        """Hazard ratios and the tests of the whole model."""
        kind = "" if self.naive_variance is None else "robust standard errors, "
        return (
            f"Cox regression, {self.n} rows, {self.events} events, {kind}{self.ties} ties\n"
            f"{coefficient_text(self.to_frame(), self.level)}\n"
            f"likelihood ratio {self.likelihood_ratio}; Wald {self.wald}; score {self.score}"
        )


def cox(
    time: ArrayLike,
    event: ArrayLike,
    covariates: Covariates,
    *,
    start: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    subject: ArrayLike | None = None,
    ties: Ties = "efron",
    robust: bool | None = None,
    names: Sequence[str] | None = None,
    reference: Mapping[str, object] | None = None,
    level: float = 0.95,
    max_iterations: int = 40,
) -> CoxFit:
    """Fit a Cox model.

    Parameters
    ----------
    time : array (n)
        End of each row's interval: time of the event or of censoring.
    event : array (n)
        1 event, 0 censored.
    covariates : array (n x p) or polars DataFrame
        See `design_matrix`. A covariate that changes with time has one row per value (``start``).
    start : array (n), optional
        Beginning of each row's interval (start, time]; 0 is "from the origin".
    weights : array (n), optional
        Case weights, 0 or more.
    strata : array (n), optional
        Rows of different strata are never compared.
    cluster : array (n), optional
        Rows that belong together (a patient's) in the robust variance.
    subject : array (n), optional
        Patient of each row: rows of one patient that overlap in time are refused.
    ties : {"efron", "breslow", "exact"}
        ``exact`` is the discrete conditional likelihood, without weights and robust variance.
    robust : bool, optional
        Sandwich variance; by default when there are clusters or fractional weights.
    names, reference
        See `design_matrix`.
    level : float
        Confidence level of the hazard ratios shown.
    max_iterations : int
        Newton steps allowed.

    Returns
    -------
    CoxFit

    Raises
    ------
    StatsInputError
        Unusable arrays, with their rows; no event; no covariate.
    SingularInformationError, SeparationError, NotConvergedError
        No finite unique maximum; the covariates concerned are named, with advice.
    """
    check_choice("ties", ties, ("efron", "breslow", "exact"))
    check_level(level)
    data = cox_data(
        time,
        event,
        covariates,
        start=start,
        weights=weights,
        strata=strata,
        cluster=cluster,
        subject=subject,
        names=None if names is None else tuple(names),
        reference=None if reference is None else dict(reference),
    )
    refuse_empty(data)
    sandwich = wants_robust(data) if robust is None else robust
    if ties == "exact":
        _refuse_with_exact(data, sandwich)
    layout = cox_layout(data)
    top = maximise(
        _evaluation(data, layout, ties),
        len(data.design.names),
        data.design.names,
        max_iterations=max_iterations,
    )
    return _finish(data, layout, top, ties, sandwich, level)


def cox_layout(data: CoxData) -> CoxLayout:
    """Cells and rows of a data set in pass order."""
    strata = max(1, len(data.strata_labels))
    cells = risk_cells(data.time, data.event, data.start, data.stratum, strata)
    rows = likelihood_rows(data.design.matrix, data.event, data.weights, cells, cell_rows(cells))
    return CoxLayout(cells, rows)


def wants_robust(data: CoxData) -> bool:
    """Clusters, or weights that are not counts."""
    fractional = data.weights is not None and bool(np.any(data.weights != np.floor(data.weights)))
    return data.cluster is not None or fractional


def refuse_empty(data: CoxData) -> None:
    """A model needs events and covariates.

    Raises
    ------
    FitError
    """
    if not data.design.names:
        raise StatsInputError("covariates: found none\n  expected at least one column")
    if not np.any(data.event):
        raise FitError(
            f"event: found none in {data.n} rows\n  expected at least one event\n"
            "  a group in which nothing happened has no hazard ratio; describe it with its "
            "follow-up instead"
        )


def coefficient_frame(
    names: Sequence[str], coef: FloatArray, std_error: FloatArray, level: float
) -> pl.DataFrame:
    """Names, coefficients and hazard ratios with Wald limits and p-values."""
    reach = float(ndtri(0.5 + level / 2.0)) * std_error
    with np.errstate(over="ignore"):  # a limit that no number holds is infinite
        ratio, lower, upper = np.exp(coef), np.exp(coef - reach), np.exp(coef + reach)
    return pl.DataFrame(
        {
            "covariate": list(names),
            "coef": coef,
            "std_error": std_error,
            "hazard_ratio": ratio,
            "lower": lower,
            "upper": upper,
            "p_value": chdtrc(1.0, (coef / std_error) ** 2),
        }
    )


def coefficient_text(frame: pl.DataFrame, level: float, ratio: str = "hazard ratio") -> str:
    """The frame as plain text."""
    percent = f"{100 * level:g}%"
    header = ("", "coef", "std. error", ratio, f"lower {percent}", f"upper {percent}", "p")
    rows = [(*row[:-1], text_p_value(row[-1])) for row in frame.iter_rows()]
    return text_table(header, rows)


def _evaluation(data: CoxData, layout: CoxLayout, ties: Ties) -> Evaluate:
    if ties == "exact":
        return exact_evaluation(layout.rows)

    def evaluate(coef: FloatArray) -> Evaluation:
        value, score, information = evaluate_partial_likelihood(layout.rows, coef, ties == "efron")
        return Evaluation(value, score[0], information[0])

    return evaluate


def _finish(
    data: CoxData, layout: CoxLayout, top: Maximum, ties: Ties, sandwich: bool, level: float
) -> CoxFit:
    scale = layout.rows.scale
    coef = top.coef / scale
    naive = np.linalg.inv(top.at_coef.information) / np.outer(scale, scale)
    variance = naive
    if sandwich:
        residual = score_residuals(data, layout, top.coef, ties == "efron")
        variance = robust_variance(naive, residual, data.weights, data.cluster)
        refuse_flat_variance(variance, naive, data.design.names)
    p = coef.size
    null, best = top.at_zero, top.at_coef
    return CoxFit(
        names=data.design.names,
        coef=coef,
        std_error=np.sqrt(np.diag(variance)),
        variance=variance,
        naive_variance=naive if sandwich else None,
        log_likelihood=best.value,
        log_likelihood_null=null.value,
        likelihood_ratio=chi_square(max(0.0, 2.0 * (best.value - null.value)), p),
        wald=wald_test(coef, variance),
        score=chi_square(float(null.score @ np.linalg.solve(null.information, null.score)), p),
        n=data.n,
        events=int(np.count_nonzero(data.event)),
        iterations=top.iterations,
        ties=ties,
        level=level,
        terms=data.design.terms,
        data=data,
        layout=layout,
    )


def _refuse_with_exact(data: CoxData, sandwich: bool) -> None:
    if data.weights is not None or sandwich:
        raise StatsInputError(
            "ties: the exact likelihood has neither weights nor a robust variance\n"
            "  use ties='efron' with them"
        )
