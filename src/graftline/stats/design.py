"""Covariates as a matrix: numbers as they are, categories as indicators against a reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from graftline.stats.event_counts import FloatArray
from graftline.stats.inputs import StatsInputError, row_list


@dataclass(frozen=True, slots=True)
class Design:
    """Matrix (n x p), a name for each column, the columns and the levels of each term."""

    matrix: FloatArray
    names: tuple[str, ...]
    terms: dict[str, tuple[int, ...]]
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)


Covariates: TypeAlias = ArrayLike | pl.DataFrame | pl.Series | Design


def design_matrix(
    covariates: Covariates,
    *,
    names: Sequence[str] | None = None,
    reference: Mapping[str, object] | None = None,
) -> Design:
    """Matrix of covariates from an array or a data frame.

    Parameters
    ----------
    covariates : array (n x p), polars DataFrame, or a Design made before
        Numbers and booleans give one column each. Text, categorical and Enum columns give one
        indicator per level, named ``column=level``, except for the reference level.
    names : sequence of str, optional
        Column names of an array; by default ``x1``, ``x2``, ...
    reference : mapping, optional
        Reference level of a column; by default the first in sorted order (Enum: declared order).

    Raises
    ------
    StatsInputError
        Missing or infinite values (with their rows), unknown reference levels, wrong shapes.
    """
    if isinstance(covariates, Design):
        return covariates
    if isinstance(covariates, pl.Series):
        covariates = covariates.to_frame()
    if isinstance(covariates, pl.DataFrame):
        return _from_frame(covariates, dict(reference or {}))
    try:
        matrix = np.asarray(covariates, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatsInputError(
            f"covariates: expected numbers, or a data frame when some are categories\n  {error}"
        ) from error
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2:
        raise StatsInputError(f"covariates: found shape {matrix.shape}\n  expected rows x columns")
    labels = (
        tuple(names) if names is not None else tuple(f"x{j + 1}" for j in range(matrix.shape[1]))
    )
    if len(labels) != matrix.shape[1] or len(set(labels)) != len(labels):
        raise StatsInputError(
            f"names: found {list(labels)}\n  expected {matrix.shape[1]} different names"
        )
    _refuse_missing(matrix, labels)
    return Design(
        np.ascontiguousarray(matrix), labels, {name: (j,) for j, name in enumerate(labels)}
    )


def _from_frame(frame: pl.DataFrame, reference: dict[str, object]) -> Design:
    unknown = sorted(set(reference) - set(frame.columns))
    if unknown:
        raise StatsInputError(f"reference: found {unknown}\n  expected names among {frame.columns}")
    columns: list[FloatArray] = []
    names: list[str] = []
    terms: dict[str, tuple[int, ...]] = {}
    levels: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    for series in frame.get_columns():
        first = len(columns)
        for name, column in _columns_of(series, reference.get(series.name), problems):
            names.append(name)
            columns.append(column)
        terms[series.name] = tuple(range(first, len(columns)))
        if not _is_number(series):
            levels[series.name] = tuple(_levels(series))
    if problems:
        raise StatsInputError("\n".join(problems))
    matrix = np.column_stack(columns) if columns else np.empty((frame.height, 0))
    _refuse_missing(matrix, tuple(names))
    return Design(np.ascontiguousarray(matrix), tuple(names), terms, levels)


def _columns_of(
    series: pl.Series, reference: object, problems: list[str]
) -> list[tuple[str, FloatArray]]:
    missing = np.flatnonzero(series.is_null().to_numpy())
    if missing.size:
        problems.append(
            f"{series.name}: no value in {row_list(missing)}\n"
            "  expected a value in every row; leave out the rows or say how they are filled"
        )
        return []
    if _is_number(series):
        return [(series.name, series.cast(pl.Float64).to_numpy())]
    levels = _levels(series)
    if len(levels) < 2:
        problems.append(f"{series.name}: found one level, {levels}\n  expected two or more")
        return []
    first = levels[0] if reference is None else reference
    if first not in levels:
        problems.append(f"reference: found {first!r} for {series.name}\n  expected one of {levels}")
        return []
    text = series.cast(pl.String)
    return [
        (f"{series.name}={level}", (text == level).cast(pl.Float64).to_numpy())
        for level in levels
        if level != first
    ]


def _is_number(series: pl.Series) -> bool:
    return series.dtype.is_numeric() or series.dtype == pl.Boolean


def _levels(series: pl.Series) -> list[str]:
    present = set(series.cast(pl.String).unique().to_list())
    if isinstance(series.dtype, pl.Enum):
        return [level for level in series.dtype.categories.to_list() if level in present]
    return sorted(present)


def _refuse_missing(matrix: FloatArray, names: tuple[str, ...]) -> None:
    bad = ~np.isfinite(matrix)
    if not bad.any():
        return
    problems = [
        f"{name}: no finite value in {row_list(np.flatnonzero(bad[:, j]))}\n"
        "  expected a number in every row; leave out the rows or say how they are filled"
        for j, name in enumerate(names)
        if bad[:, j].any()
    ]
    raise StatsInputError("\n".join(problems))


def design_like(covariates: Covariates, model: Design) -> Design:
    """Matrix of new patients with the columns of a model.

    An array must have the model's columns in order. Of a frame, number columns are taken by name
    and category columns are turned into the model's indicators.

    Raises
    ------
    StatsInputError
        Columns or levels that the model does not have.
    """
    if isinstance(covariates, Design):
        covariates = covariates.matrix
    if isinstance(covariates, pl.Series):
        covariates = covariates.to_frame()
    if not isinstance(covariates, pl.DataFrame):
        matrix = np.atleast_2d(np.asarray(covariates, dtype=np.float64))
        if matrix.ndim != 2 or matrix.shape[1] != len(model.names):
            raise StatsInputError(
                f"covariates: found shape {matrix.shape}\n  expected one column for each of "
                f"{', '.join(model.names)}"
            )
        _refuse_missing(matrix, model.names)
        return Design(matrix, model.names, model.terms, model.levels)
    columns: list[FloatArray] = []
    for term, places in model.terms.items():
        if term not in covariates.columns:
            raise StatsInputError(
                f"covariates: no column {term}\n  expected the columns {', '.join(model.terms)}"
            )
        columns.extend(_like(covariates[term], [model.names[j] for j in places], model))
    matrix = np.column_stack(columns)
    _refuse_missing(matrix, model.names)
    return Design(np.ascontiguousarray(matrix), model.names, model.terms, model.levels)


def _like(series: pl.Series, names: list[str], model: Design) -> list[FloatArray]:
    if names == [series.name]:
        return [series.cast(pl.Float64).to_numpy()]
    levels = model.levels.get(series.name, ())
    text = series.cast(pl.String)
    unknown = sorted({str(value) for value in text.unique().to_list()} - set(levels))
    if unknown:
        raise StatsInputError(
            f"{series.name}: found {unknown}\n  expected levels of the model: {list(levels)}"
        )
    return [
        (text == name.removeprefix(f"{series.name}=")).cast(pl.Float64).to_numpy() for name in names
    ]
