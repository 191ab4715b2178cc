"""Regression on the subdistribution hazard of Fine and Gray.

The hazard ratio describes how covariates move the cumulative incidence of one cause. Strata,
censoring that differs between groups, late entries, weights and clusters; the variance is the
robust one of Fine and Gray 1999. Late entries: Geskus 2011. Strata: Zhou and others 2011.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from graftline.stats.censoring_weights import Convention
from graftline.stats.chi_square import ChiSquare, wald_test
from graftline.stats.competing_data import CompetingData, competing_data
from graftline.stats.cox import coefficient_frame, coefficient_text
from graftline.stats.cox_likelihood import (
    Evaluation,
    FitError,
    Maximum,
    maximise,
    refuse_flat_variance,
)
from graftline.stats.design import Covariates, Design, design_like, design_matrix
from graftline.stats.event_counts import FloatArray, IntArray
from graftline.stats.fine_gray_likelihood import (
    FineGrayLayout,
    evaluate_fine_gray,
    fine_gray_layout,
)
from graftline.stats.fine_gray_variance import fine_gray_influence
from graftline.stats.inputs import (
    StatsInputError,
    check_choice,
    check_level,
    label_places,
    raise_problems,
)


@dataclass(frozen=True, slots=True)
class FineGrayFit:
    """A fitted Fine-Gray model; ``coef`` are log subdistribution hazard ratios.

    ``variance`` is robust, ``naive_variance`` the inverse information. ``baseline_time`` and
    ``baseline_hazard`` are the jumps of the subdistribution hazard of a patient with every
    covariate 0, stratum by stratum (``baseline_stratum`` is its place).
    """

    names: tuple[str, ...]
    coef: FloatArray
    std_error: FloatArray
    variance: FloatArray
    naive_variance: FloatArray
    log_likelihood: float
    log_likelihood_null: float
    wald: ChiSquare
    cause: int
    n: int
    events: int
    iterations: int
    level: float
    baseline_time: FloatArray
    baseline_hazard: FloatArray
    baseline_stratum: IntArray
    strata: tuple[object, ...]
    design: Design = field(repr=False)

    @property
    def p_value(self) -> FloatArray:
        """Two-sided p-value of each coefficient."""
        return np.asarray(chdtrc(1.0, (self.coef / self.std_error) ** 2))

    def to_frame(self) -> pl.DataFrame:
        """One row per coefficient with subdistribution hazard ratio, limits and p-value."""
        return coefficient_frame(self.names, self.coef, self.std_error, self.level)

    def __str__(self) -> str:
        """Subdistribution hazard ratios and the Wald test."""
        table = coefficient_text(self.to_frame(), self.level, "sub. hazard ratio")
        return (
            f"Fine-Gray regression of cause {self.cause}, {self.n} patients, "
            f"{self.events} events, robust standard errors\n{table}\nWald {self.wald}"
        )

    def predict(
        self, covariates: Covariates, times: ArrayLike, *, stratum: object = None
    ) -> pl.DataFrame:
        """Cumulative incidence 1 - exp(-Lambda0(t) exp(beta'x)) of patients at chosen times.

        One row per patient (counted from 0) and time.

        Raises
        ------
        StatsInputError : covariates or a stratum that the model does not have.
        """
        x = design_like(covariates, self.design).matrix
        if (stratum is not None or self.strata) and stratum not in self.strata:
            raise StatsInputError(
                f"stratum: found {stratum!r}\n  expected one of {list(self.strata)}"
            )
        chosen = self.baseline_stratum == (self.strata.index(stratum) if self.strata else 0)
        asked = np.atleast_1d(np.asarray(times, dtype=np.float64))
        total = np.concatenate(([0.0], np.cumsum(self.baseline_hazard[chosen])))
        hazard = total[np.searchsorted(self.baseline_time[chosen], asked, side="right")]
        incidence = -np.expm1(-np.exp(x @ self.coef)[:, None] * hazard)
        return pl.DataFrame(
            {
                "patient": np.repeat(np.arange(x.shape[0]), asked.size),
                "time": np.tile(asked, x.shape[0]),
                "incidence": incidence.ravel(),
            }
        )


def fine_gray(
    time: ArrayLike,
    status: ArrayLike,
    covariates: Covariates,
    *,
    cause: int = 1,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    censoring_group: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    convention: Convention = "cmprsk",
    names: Sequence[str] | None = None,
    reference: Mapping[str, object] | None = None,
    level: float = 0.95,
    max_iterations: int = 40,
) -> FineGrayFit:
    """Fit a Fine-Gray model.

    Parameters
    ----------
    time, status : array (n)
        As for `cumulative_incidence`: 0 censored, 1, 2, ... the cause.
    covariates : array (n x p) or polars DataFrame
        See `design_matrix`; fixed at time zero.
    cause : int
        The cause whose cumulative incidence is modelled.
    entry : array (n), optional
        Late entry; the weights then hold the entry distribution too, taken as known in the
        variance.
    weights : array (n), optional
        Case weights.
    strata : array (n), optional
        Own baseline and own censoring in each stratum.
    censoring_group : array (n), optional
        Own censoring in each group with one baseline (cengroup of crr).
    cluster : array (n), optional
        Rows that belong together in the robust variance.
    convention : {"cmprsk", "survival"}
        Ties of events with censorings, as crr or finegray has them.

    Returns
    -------
    FineGrayFit

    Raises
    ------
    StatsInputError, FitError
        As `cox`.
    """
    check_choice("convention", convention, ("cmprsk", "survival"))
    check_level(level)
    groups = strata if censoring_group is None else censoring_group
    data = competing_data(time, status, entry=entry, weights=weights, group=groups, strata=strata)
    clusters, design = _matching(data, time, weights, cluster, covariates, names, reference)
    if not np.any(data.cause == cause):
        raise FitError(f"cause: nobody has cause {cause}\n  expected at least one such event")
    layout = fine_gray_layout(data, design.matrix, cause, convention)

    def evaluate(coef: FloatArray) -> Evaluation:
        return Evaluation(*evaluate_fine_gray(layout, coef)[:3])

    top = maximise(evaluate, len(design.names), design.names, max_iterations=max_iterations)
    return _finish(data, layout, design, top, clusters, cause, level)


def _matching(
    data: CompetingData,
    time: ArrayLike,
    weights: ArrayLike | None,
    cluster: ArrayLike | None,
    covariates: Covariates,
    names: Sequence[str] | None,
    reference: Mapping[str, object] | None,
) -> tuple[IntArray | None, Design]:
    """Clusters and covariates of the rows kept (those of weight zero are out)."""
    problems: list[str] = []
    design = design_matrix(covariates, names=names, reference=reference)
    clusters = None if cluster is None else label_places("cluster", cluster, problems)[0]
    rows = len(np.asarray(time))
    problems.extend(
        f"{name}: found {size} rows\n  expected {rows}, as many as time has"
        for name, size in (
            ("covariates", design.matrix.shape[0]),
            ("cluster", rows if clusters is None else clusters.size),
        )
        if size != rows
    )
    raise_problems(problems)
    if not design.names:
        raise StatsInputError("covariates: found none\n  expected at least one column")
    if weights is not None and data.time.size < rows:
        kept = np.asarray(weights, dtype=np.float64) > 0.0
        design = Design(design.matrix[kept], design.names, design.terms, design.levels)
        clusters = None if clusters is None else clusters[kept]
    return clusters, design


def _finish(
    data: CompetingData,
    layout: FineGrayLayout,
    design: Design,
    top: Maximum,
    cluster: IntArray | None,
    cause: int,
    level: float,
) -> FineGrayFit:
    *_, jump, mean = evaluate_fine_gray(layout, top.coef)
    stratum = np.zeros(layout.order.size, dtype=np.int64)
    if data.stratum is not None:
        stratum = data.stratum[layout.order]
    influence = fine_gray_influence(
        layout, top.coef, jump, mean, stratum, estimated_weights=data.entry is None
    )
    if cluster is not None:
        ordered = cluster[layout.order]
        influence = np.column_stack([np.bincount(ordered, weights=u) for u in influence.T])
    naive = np.linalg.inv(top.at_coef.information)
    change = influence @ naive
    units = np.outer(layout.scale, layout.scale)
    variance = change.T @ change / units
    refuse_flat_variance(variance, naive / units, design.names)
    coef = top.coef / layout.scale
    return FineGrayFit(
        names=design.names,
        coef=coef,
        std_error=np.sqrt(np.diag(variance)),
        variance=variance,
        naive_variance=naive / units,
        log_likelihood=top.at_coef.value,
        log_likelihood_null=top.at_zero.value,
        wald=wald_test(coef, variance),
        cause=cause,
        n=data.time.size,
        events=int(np.count_nonzero(layout.of_interest)),
        iterations=top.iterations,
        level=level,
        baseline_time=layout.cells.time,
        baseline_hazard=jump * np.exp(-float(layout.centre @ coef)),
        baseline_stratum=layout.cells.stratum,
        strata=data.strata_labels,
        design=design,
    )
