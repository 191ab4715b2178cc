"""Concentration-time profiles as read, and what values below quantification count as."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl

from graftline.assess.areas import CONCENTRATION as _C
from graftline.assess.areas import TIME as _T
from graftline.assess.sorted_rows import is_first_row
from graftline.problems import InputError, Problem

BlqRule = Literal["pknca", "lloq_half_after_last", "zero", "drop"]
BLQ_RULES: dict[BlqRule, str] = {
    "pknca": (
        "below quantification: before the first quantifiable value 0, between dropped, after the "
        "last 0 (PKNCA default)"
    ),
    "lloq_half_after_last": (
        "below quantification: before the first quantifiable value 0, between dropped, the first "
        "after the last half the lower limit of quantification, later ones 0"
    ),
    "zero": "below quantification: 0 everywhere (PKNCA's keep)",
    "drop": "below quantification: dropped everywhere (PKNCA's drop)",
}
LLOQ = "_lloq"


def read_profiles(
    profiles: pl.DataFrame,
    *,
    by: Sequence[str],
    time: str,
    concentration: str,
    below: str | None,
    lloq: str | None,
) -> pl.DataFrame:
    """Samples with what was quantified and what was not.

    A sample is below quantification where the column ``below`` says so, where its value is less
    than ``lloq``, or where it is 0. Rows without time or concentration are missing, not 0.

    Returns
    -------
    DataFrame [*by, _time, _concentration, _lloq, quantified], sorted

    Raises
    ------
    InputError
        A concentration is negative or a time is not finite; every such row is listed.
    """
    reported = pl.lit(value=False) if below is None else pl.col(below).fill_null(value=False)
    limit = pl.lit(None, dtype=pl.Float64) if lloq is None else pl.col(lloq).cast(pl.Float64)
    value = pl.col(concentration).cast(pl.Float64)
    rows = profiles.select(
        *by,
        pl.col(time).cast(pl.Float64).alias(_T),
        value.fill_nan(None).alias(_C),
        limit.fill_nan(None).alias(LLOQ),
        reported=reported,
    )
    _refuse_impossible(rows, time=time, concentration=concentration)
    below_limit = pl.col("reported") | (pl.col(_C) < pl.col(LLOQ)) | (pl.col(_C) <= 0)
    return (
        rows.drop_nulls([_T, _C])
        .with_columns(
            quantified=~below_limit.fill_null(value=False),
        )
        .with_columns(
            pl.coalesce(
                LLOQ, pl.when(pl.col("reported") & (pl.col(_C) > 0)).then(pl.col(_C))
            ).alias(LLOQ)
        )
        .drop("reported")
        .sort(*by, _T, _C)
    )


def _refuse_impossible(rows: pl.DataFrame, *, time: str, concentration: str) -> None:
    faulty = rows.with_row_index("at").filter(
        (pl.col(_C) < 0) | pl.col(_C).is_infinite() | ~pl.col(_T).is_finite()
    )
    problems = [
        Problem(
            "profiles",
            "a finite time and a concentration of 0 or more",
            "mark a value below quantification in its own column; leave a missing value empty",
            row=at + 2,
            column=concentration if c is None or not 0 <= c < np.inf else time,
            found=f"{time} {t}, {concentration} {c}",
        )
        for at, t, c in faulty.select("at", _T, _C).iter_rows()
    ]
    if problems:
        raise InputError(problems)


def replace_below_quantification(
    samples: pl.DataFrame, *, by: Sequence[str], rule: BlqRule = "pknca"
) -> pl.DataFrame:
    """Give samples below quantification the value a rule says, or drop them.

    Parameters
    ----------
    samples : DataFrame as from ``read_profiles``
    rule : key of ``BLQ_RULES``

    Returns
    -------
    DataFrame [*by, _time, _concentration, quantified], sorted
    """
    bounds = (
        samples.filter("quantified")
        .group_by(by)
        .agg(_first=pl.col(_T).min(), _last=pl.col(_T).max())
    )
    before = (pl.col(_T) < pl.col("_first")).fill_null(value=True)
    after = (pl.col(_T) > pl.col("_last")).fill_null(value=False)
    first_after = after & (is_first_row(*by) | ~after.shift(1))
    half = pl.lit(rule == "lloq_half_after_last") & first_after
    zero = {"zero": pl.lit(value=True), "drop": pl.lit(value=False)}.get(rule, before | after)
    replaced = (
        pl.when("quantified")
        .then(_C)
        .when(half)
        .then(pl.coalesce(pl.col(LLOQ) / 2, 0.0))
        .when(zero)
        .then(0.0)
    )
    return (
        samples.join(bounds, on=list(by), how="left", validate="m:1")
        .sort(*by, _T, _C)
        .with_columns(replaced.alias(_C))
        .drop_nulls(_C)
        .select(*by, _T, _C, "quantified")
    )


def detectable_at(
    samples: pl.DataFrame, *, by: Sequence[str], day: float, within_days: float
) -> pl.DataFrame:
    """Whether the sample nearest to a day was quantifiable; of two equally near the earlier.

    Returns
    -------
    DataFrame [*by, detectable]; profiles with a sample in the window
    """
    return (
        samples.with_columns(apart=(pl.col(_T) - day).abs())
        .filter(pl.col("apart") <= within_days)
        .sort([*by, "apart", _T, "quantified"], descending=[False] * (len(by) + 2) + [True])
        .filter(is_first_row(*by))
        .select(*by, detectable="quantified")
    )
