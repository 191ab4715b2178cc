"""Daily blood counts: ANC from the differential where it was not reported, worst of the day."""

from typing import Literal

import polars as pl

from graftline.assess.quantified import is_below
from graftline.assess.sorted_rows import is_first_row, one_row_each

DAILY_SCHEMA: dict[str, type[pl.DataType]] = {
    "patient": pl.String,
    "day": pl.Float64,
    "value": pl.Float64,
    "quantification": pl.String,
}


def with_calculated_anc(
    labs: pl.DataFrame, *, wbc_without_differential_1e9_per_l: float = 0.1
) -> pl.DataFrame:
    """Add ANC rows where ANC was not reported: WBC x (segmented + bands) %.

    WBC below ``wbc_without_differential_1e9_per_l`` without a differential counts as ANC 0: nobody
    counts a differential on so few cells.

    Parameters
    ----------
    labs : DataFrame, the ``labs`` table
        ANC is looked for on the same calendar day, the differential at the same sampling time.

    Returns
    -------
    DataFrame with the rows and columns of ``labs`` and a Boolean ``calculated``.
    """
    uncalculated = labs.with_columns(calculated=pl.lit(value=False))
    if labs.filter(pl.col("analyte") == "wbc").height == 0:
        return uncalculated
    share = (
        labs.select("patient", "day", "value", "analyte")
        .filter(pl.col("analyte") == "neutrophil_percent")
        .group_by("patient", "day")
        .agg(percent=pl.col("value").min())
    )
    # ANC is in every second row of a trial: only days with white cells are looked for among them
    white = labs.filter(pl.col("analyte") == "wbc").with_columns(date=pl.col("day").floor())
    reported = (
        labs.select("patient", "day", "analyte")
        .join(white.select("patient").unique(), on="patient", how="semi")
        .filter(pl.col("analyte") == "anc")
        .select("patient", date=pl.col("day").floor())
        .unique()
    )
    white = white.join(reported, on=["patient", "date"], how="anti").join(
        share, on=["patient", "day"], how="left", validate="m:1"
    )
    too_few = pl.col("percent").is_null() & is_below(wbc_without_differential_1e9_per_l)
    rows = white.with_columns(
        analyte=pl.lit("anc"),
        value=pl.when(too_few).then(0.0).otherwise(pl.col("value") * pl.col("percent") / 100),
        quantification=pl.when(~too_few).then("quantification"),
        calculated=pl.lit(value=True),
        lower_normal=pl.lit(None, dtype=pl.Float64),
        upper_normal=pl.lit(None, dtype=pl.Float64),
        lloq=pl.lit(None, dtype=pl.Float64),
    ).drop_nulls("value")
    return pl.concat([uncalculated, rows.select(uncalculated.columns)])


def worst_of_day(
    labs: pl.DataFrame, analyte: str, *, worst: Literal["lowest", "highest"]
) -> pl.DataFrame:
    """One value per patient and calendar day: the worst, as toxicity rules want it.

    Returns
    -------
    DataFrame [patient, day, value, quantification], sorted by patient and day; ``day`` whole.
    """
    # of two equal values the limit is the worse one: "<0.1" is below 0.1, ">2000" above 2000
    limit = pl.when(pl.col("quantification") == ("below" if worst == "lowest" else "above")).then(0)
    measured = (
        labs.select("patient", "day", "value", "quantification", "analyte")
        .filter((pl.col("analyte") == analyte) & pl.col("value").is_not_null())
        .drop_nulls(["day", "patient"])
        .with_columns(day=pl.col("day").floor())
        .select(*DAILY_SCHEMA)
    )
    if one_row_each(measured, "patient", "day"):
        return measured
    return (
        measured.with_columns(limit=limit.otherwise(1))
        .sort(
            ["patient", "day", "value", "limit"],
            descending=[False, False, worst == "highest", False],
        )
        .filter(is_first_row("patient", "day"))
        .select(*DAILY_SCHEMA)
    )


def from_nearest_day(column: str, *, within_days: float) -> pl.Expr:
    """Value of the day itself, else of the nearest earlier, else of the nearest later day.

    For frames with one row per patient and ``day``, sorted by both.
    """
    value = pl.col(column)
    stamp = pl.when(value.is_not_null()).then("day")
    before, after = value.forward_fill(), value.backward_fill()
    age = pl.col("day") - stamp.forward_fill()
    wait = stamp.backward_fill() - pl.col("day")
    return pl.coalesce(
        value,
        pl.when(age.over("patient") <= within_days).then(before.over("patient")),
        pl.when(wait.over("patient") <= within_days).then(after.over("patient")),
    )
