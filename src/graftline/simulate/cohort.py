"""Virtual patients: covariates and parameters from one joint distribution, or given covariates."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graftline.model.events import Body, set_product
from graftline.model.parameters import column, individual_parameters, model
from graftline.problems import InputError, Problem
from graftline.simulate.covariates import (
    CHOICES,
    COVARIATES,
    NUMBERS,
    choice_from_score,
    number_from_score,
    scores_of,
)
from graftline.simulate.strategy import MODEL_PRODUCT, Plan
from graftline.simulate.streams import Streams, normals, uniforms

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Correlations = Mapping[tuple[str, str], float]

_FULL_MARROW_1E9 = 900.0
_TYPICAL_CLEARANCE = 8.35
_TAKEN = ("age_years", "height_cm", "weight_kg", "marrow_blasts_percent", "cd7_percent_of_blasts")
_TAKEN_TOO = ("prior_lines", "ecog", "hct_ci")
_TAKEN_CHOICES = ("disease", "sex", "cmv_serostatus", "abo")


@dataclass(frozen=True, slots=True)
class Cohort:
    """Virtual patients before treatment.

    ``numbers`` are the patients' numbers in the whole simulation, ``table`` has one row per patient
    (columns of ``patients`` and what else the clinic needs), ``product`` the place of the
    patient's product in the plan; ``parameters`` [n, parameter], ``leukaemia_1e9`` [n].
    """

    numbers: Integers
    table: pl.DataFrame
    product: Integers
    parameters: Floats
    leukaemia_1e9: Floats
    body: Body


def score_names() -> tuple[str, ...]:
    """Names of the joint normal scores: covariates, then random effects of the model."""
    return (*COVARIATES, *model().etas)


def correlation_matrix(correlations: Correlations) -> Floats:
    """Correlation of the normal scores; pairs that are not given are independent.

    Raises
    ------
    ValueError : an unknown name, a correlation outside (-1, 1), or no joint distribution has them.
    """
    names = score_names()
    place = {name: i for i, name in enumerate(names)}
    unknown = sorted({n for pair in correlations for n in pair if n not in place})
    if unknown:
        raise ValueError(f"correlations of {unknown}: expected names among {', '.join(names)}")
    matrix = np.eye(len(names))
    for (a, b), value in correlations.items():
        if a == b or not -1.0 < value < 1.0:
            raise ValueError(f"correlation of {a} and {b}: found {value}, expected inside (-1, 1)")
        matrix[place[a], place[b]] = matrix[place[b], place[a]] = value
    if np.linalg.eigvalsh(matrix).min() <= 0.0:
        raise ValueError("correlations: no joint distribution has them all; make them smaller")
    return matrix


def sample_cohort(
    plan: Plan,
    streams: Streams,
    numbers: Integers,
    *,
    correlations: Correlations | None = None,
    rows: pl.DataFrame | None = None,
) -> Cohort:
    """Virtual patients of these numbers.

    Parameters
    ----------
    numbers : integer array [n]
        Patient numbers; the same number is the same patient in any cohort.
    correlations : mapping of (name, name) to correlation, optional
        Gaussian copula over ``score_names``.
    rows : DataFrame of the table ``patients``, optional
        Real patients to imitate: patient number i takes row i modulo the number of rows; what that
        row does not state is drawn given what it states.

    Raises
    ------
    InputError : ``rows`` is empty.
    """
    names = score_names()
    z = normals(streams, numbers, "person", count=len(names))
    given = None if rows is None else _given(rows, numbers)
    matrix = correlation_matrix(correlations or {})
    known = np.full((len(numbers), len(names)), np.nan)
    if given is not None:
        for name in (*_TAKEN, *_TAKEN_TOO):
            values = given[name].cast(pl.Float64).to_numpy()
            stated = np.isfinite(values)
            known[stated, names.index(name)] = scores_of(name, values[stated])
    z = _joint(z, known, matrix)
    table = _table(plan, z, given)
    product = _products(plan, streams, numbers, table)
    table = _identified(table, numbers, given).with_columns(_prior_allo(plan, product, table))
    parameters = individual_parameters(np.ascontiguousarray(z[:, len(COVARIATES) :]))
    parameters = _with_covariates(parameters, table)
    column(parameters, "fn")[:] = np.minimum(
        column(parameters, "fn") * plan.negative_share_factor, 1e-2
    )
    kinds = [MODEL_PRODUCT[plan.product_types[k]] for k in product]
    weight, height = table["weight_kg"].to_numpy(), table["height_cm"].to_numpy()
    return Cohort(
        numbers=numbers,
        table=table,
        product=product,
        parameters=set_product(parameters, kinds),
        leukaemia_1e9=table["marrow_blasts_percent"].to_numpy() / 100.0 * _FULL_MARROW_1E9,
        body=Body(weight.astype(np.float64), np.sqrt(weight * height / 3600.0)),
    )


def _given(rows: pl.DataFrame, numbers: Integers) -> pl.DataFrame:
    if rows.height == 0:
        raise InputError(
            [Problem("patients.csv", "at least one patient to imitate", "fill in the table")]
        )
    chosen: pl.DataFrame = rows[pl.Series(numbers % rows.height)]
    return chosen


def _joint(z: Floats, known: Floats, matrix: Floats) -> Floats:
    """Correlate independent scores, given the known ones (conditional normal, by pattern)."""
    stated = np.isfinite(known)
    if not stated.any():
        identity = np.array_equal(matrix, np.eye(len(matrix)))
        return z if identity else z @ np.linalg.cholesky(matrix).T
    result = z.copy()
    for pattern in np.unique(stated, axis=0):
        who = np.flatnonzero((stated == pattern).all(axis=1))
        free = ~pattern
        cross = matrix[np.ix_(free, pattern)]
        weights = np.linalg.solve(matrix[np.ix_(pattern, pattern)], cross.T).T
        spread = matrix[np.ix_(free, free)] - weights @ cross.T
        fixed = known[np.ix_(who, pattern)]
        result[np.ix_(who, pattern)] = fixed
        drawn = z[np.ix_(who, free)] @ np.linalg.cholesky(spread).T
        result[np.ix_(who, free)] = fixed @ weights.T + drawn
    return result


def _table(plan: Plan, z: Floats, given: pl.DataFrame | None) -> pl.DataFrame:
    place = {name: i for i, name in enumerate(score_names())}
    drawn: dict[str, pl.Series] = {}
    for name, marginal in NUMBERS.items():
        values = number_from_score(name, z[:, place[name]])
        drawn[name] = pl.Series(name, values)
        if marginal.whole:
            drawn[name] = drawn[name].round(0).cast(pl.Int64)
    for name, choice in CHOICES.items():
        index = choice_from_score(name, z[:, place[name]])
        drawn[name] = pl.Series(name, list(choice.values)).gather(pl.Series(index))
    table = pl.DataFrame(drawn).with_columns(
        pl.col("hla_match_of_10").cast(pl.Int64),
        prior_allo_hsct=pl.col("prior_allo_hsct") == "yes",
        extramedullary_disease=pl.lit(value=False),
    )
    if given is None:
        return table
    stated = [
        pl.coalesce(given[name].cast(table.schema[name]), table[name]).alias(name)
        for name in (*_TAKEN, *_TAKEN_TOO, *_TAKEN_CHOICES, "prior_allo_hsct")
    ]
    return table.with_columns(stated)


def _products(plan: Plan, streams: Streams, numbers: Integers, table: pl.DataFrame) -> Integers:
    edges = np.cumsum(plan.product_shares)[:-1]
    u = uniforms(streams, numbers, "product")[:, 0]
    product: Integers = np.searchsorted(edges, u, side="right").astype(np.int64)
    return product


def _prior_allo(plan: Plan, product: Integers, table: pl.DataFrame) -> pl.Expr:
    """Whether there was an earlier transplant: never where the protocol excludes it."""
    excluded = any(
        c.variable == "prior_allo_hsct" and c.value is False
        for criterion in plan.protocol.eligibility
        for c in criterion.any_of
    )
    earlier = np.array([t == "prior_donor" for t in plan.product_types])[product]
    had = pl.lit(pl.Series(earlier)) | (pl.col("prior_allo_hsct") & (not excluded))
    return had.alias("prior_allo_hsct")


def _identified(table: pl.DataFrame, numbers: Integers, given: pl.DataFrame | None) -> pl.DataFrame:
    number = pl.Series("number", numbers)
    virtual = pl.select(pl.format("V{}", number.cast(pl.String).str.zfill(7))).to_series()
    if given is not None:
        virtual = pl.select(pl.format("{}-{}", given["patient"], virtual)).to_series()
    return table.with_columns(virtual.alias("patient"))


def _with_covariates(parameters: Floats, table: pl.DataFrame) -> Floats:
    """Effects of age, kidney function, earlier lines and HLA on the parameters."""
    changed = parameters.copy()
    age = table["age_years"].to_numpy()
    column(changed, "age")[:] = age
    thymus = np.exp2(-(np.maximum(age, 20.0) - 20.0) / 15.0)
    for name in ("th7", "th0"):
        column(changed, name)[:] *= thymus
    egfr_l_per_h = table["egfr_ml_per_min"].to_numpy() * 0.06
    column(changed, "kF")[:] *= (3.2 + 0.78 * egfr_l_per_h) / _TYPICAL_CLEARANCE
    lines = table["prior_lines"].fill_null(4).to_numpy()
    reserve = column(changed, "resR") * 0.95 ** np.maximum(lines - 4, 0)
    column(changed, "resR")[:] = np.minimum(reserve, 1.0)
    column(changed, "fal")[:] *= np.where(table["hla_match_of_10"].to_numpy() >= 6, 0.8, 1.0)
    return changed
