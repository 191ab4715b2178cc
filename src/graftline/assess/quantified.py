"""Comparing results that may be limits ("<0.1", ">2000") with thresholds: true, false or unknown.

A result below the limit of quantification is "< t" when its limit is at most t, and it is unknown
when the limit lies above t. Both sides are rounded to nine decimals, so that 1.5 x 1.2 and a unit
conversion do not move a value across a boundary.
"""

import polars as pl

_DECIMALS = 9


def _rounded(threshold: float | pl.Expr) -> pl.Expr:
    expression = threshold if isinstance(threshold, pl.Expr) else pl.lit(float(threshold))
    return expression.cast(pl.Float64).round(_DECIMALS)


def is_below(
    threshold: float | pl.Expr,
    *,
    value: str = "value",
    quantification: str = "quantification",
) -> pl.Expr:
    """Whether the result is less than the threshold; null where that cannot be known."""
    v, t, q = pl.col(value).round(_DECIMALS), _rounded(threshold), pl.col(quantification)
    return (
        pl.when(q == "below")
        .then(pl.when(v <= t).then(pl.lit(value=True)))
        .when(q == "above")
        .then(pl.when(v >= t).then(pl.lit(value=False)))
        .otherwise(v < t)
    )


def is_at_most(
    threshold: float | pl.Expr,
    *,
    value: str = "value",
    quantification: str = "quantification",
) -> pl.Expr:
    """Whether the result is less than or equal to the threshold; null where unknown."""
    v, t, q = pl.col(value).round(_DECIMALS), _rounded(threshold), pl.col(quantification)
    return (
        pl.when(q == "below")
        .then(pl.when(v <= t).then(pl.lit(value=True)))
        .when(q == "above")
        .then(pl.when(v >= t).then(pl.lit(value=False)))
        .otherwise(v <= t)
    )


def is_above(
    threshold: float | pl.Expr,
    *,
    value: str = "value",
    quantification: str = "quantification",
) -> pl.Expr:
    """Whether the result is greater than the threshold; null where unknown."""
    return ~is_at_most(threshold, value=value, quantification=quantification)


def is_at_least(
    threshold: float | pl.Expr,
    *,
    value: str = "value",
    quantification: str = "quantification",
) -> pl.Expr:
    """Whether the result is greater than or equal to the threshold; null where unknown."""
    return ~is_below(threshold, value=value, quantification=quantification)


def bounded_grade(conditions: dict[int, pl.Expr]) -> tuple[pl.Expr, pl.Expr]:
    """Lowest and highest grade compatible with what is known.

    Parameters
    ----------
    conditions : dict of grade to Boolean expression
        True, false or unknown (null) for each grade; the highest true one is the grade.

    Returns
    -------
    (certain, possible) : two Int64 expressions
        They differ where an unknown condition could raise the grade.
    """
    certain = pl.max_horizontal(
        pl.lit(0), *(pl.when(met).then(pl.lit(g)) for g, met in conditions.items())
    )
    possible = pl.max_horizontal(
        pl.lit(0),
        *(pl.when(met.fill_null(value=True)).then(pl.lit(g)) for g, met in conditions.items()),
    )
    return certain.cast(pl.Int64), possible.cast(pl.Int64)
