"""Comparing results that may be limits ("<0.1", ">2000") with thresholds: true, false or unknown.

A result below the limit of quantification is "< t" when its limit is at most t, and it is unknown
when the limit lies above t. Both sides are rounded to nine decimals, so that 1.5 x 1.2 and a unit
conversion do not move a value across a boundary.
"""

from typing import Any

import polars as pl

from graftline.assess.on_arrays import Words

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
    below: pl.Expr = less_than(pl.col(value), _rounded(threshold), pl.col(quantification))
    return below


def less_than(value: Any, threshold: Any, limit: Any, words: Words = pl) -> Any:
    """Whether a result is less than a threshold, for polars or for arrays (``on_arrays``).

    Parameters
    ----------
    value, threshold : columns
    limit : column
        ``below`` or ``above`` where the value is a limit of quantification.
    """
    v = value.round(_DECIMALS)
    return (
        words.when(limit == "below")
        .then(words.when(v <= threshold).then(words.lit(value=True)))
        .when(limit == "above")
        .then(words.when(v >= threshold).then(words.lit(value=False)))
        .otherwise(v < threshold)
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


def bounded_grade(conditions: dict[int, Any], words: Words = pl) -> tuple[Any, Any]:
    """Lowest and highest grade compatible with what is known.

    Parameters
    ----------
    conditions : dict of grade to Boolean expression
        True, false or unknown (null) for each grade; the highest true one is the grade.
    words : polars, or arrays (``on_arrays``)

    Returns
    -------
    (certain, possible) : two Int64 expressions
        They differ where an unknown condition could raise the grade.
    """
    certain = words.max_horizontal(
        words.lit(0), *(words.when(met).then(words.lit(g)) for g, met in conditions.items())
    )
    possible = words.max_horizontal(
        words.lit(0),
        *(
            words.when(met.fill_null(value=True)).then(words.lit(g))
            for g, met in conditions.items()
        ),
    )
    return certain.cast(pl.Int64), possible.cast(pl.Int64)
