"""Class of a chimerism test, of all tests of one day, and the visit nearest to a day."""

from typing import Literal

import polars as pl

from graftline.assess.answers import join_flags
from graftline.assess.printed import printed_criteria

Profile = Literal["astct2021", "nejm2024"]

_PRINTED = printed_criteria("chimerism")
_SORTED = tuple(_PRINTED["lineages"]["sorted"])
_MYELOID = tuple(_PRINTED["lineages"]["myeloid"])


def class_of_percent(
    donor_percent: pl.Expr, *, full_percent: float = 95, loss_percent: float = 5
) -> pl.Expr:
    """Class of one donor percentage: full, mixed, or below ``loss_percent`` autologous."""
    share = donor_percent.round(9)
    return (
        pl.when(share >= full_percent)
        .then(pl.lit("full"))
        .when(share >= loss_percent)
        .then(pl.lit("mixed"))
        .when(share < loss_percent)
        .then(pl.lit("autologous"))
    )


def classify_visits(tests: pl.DataFrame, *, profile: Profile = "astct2021") -> pl.DataFrame:
    """Class of all tests of one day taken together.

    Parameters
    ----------
    tests : DataFrame [patient, hsct_day, low, high, lineage, donor_percent, class, assumed]
        Of the graft's donor; ``class`` of each percentage.
    profile : {"astct2021", "nejm2024"}
        ``astct2021``: full needs every sorted lineage full, a myeloid one among them; unsorted
        cells alone are provisional, sorted cells without a myeloid lineage too. ``nejm2024``: the
        unsorted value decides where there is one.

    Returns
    -------
    DataFrame [patient, hsct_day, low, high, label, value, flags, assumed]
        ``value`` is the unsorted percentage, else the lowest of the sorted lineages.
    """
    sorted_cells = pl.col("lineage").is_in(list(_SORTED))
    classes = pl.col("class").filter(sorted_cells)
    visits = (
        tests.sort("patient", "hsct_day", "lineage", "donor_percent")
        .group_by("patient", "hsct_day", maintain_order=True)
        .agg(
            low=pl.col("low").min(),
            high=pl.col("high").max(),
            unsorted=pl.col("class").filter(~sorted_cells).first(),
            unsorted_percent=pl.col("donor_percent").filter(~sorted_cells).first(),
            lowest=pl.col("donor_percent").filter(sorted_cells).min(),
            lineages=classes.len(),
            all_full=(classes == "full").all(),
            any_full=(classes == "full").any(),
            all_lost=(classes == "autologous").all(),
            myeloid=pl.col("lineage").is_in(list(_MYELOID)).any(),
            assumed=pl.col("assumed").any(),
        )
    )
    together = (
        pl.when("all_full")
        .then(pl.lit("full"))
        .when("any_full")
        .then(pl.lit("split"))
        .when("all_lost")
        .then(pl.lit("autologous"))
        .otherwise(pl.lit("mixed"))
    )
    by_unsorted = pl.col("lineages") == 0
    if profile == "nejm2024":
        by_unsorted = pl.col("unsorted").is_not_null()
    label = pl.when(by_unsorted).then("unsorted").otherwise(together)
    provisional = (label == "full") & (by_unsorted | ~pl.col("myeloid"))
    if profile == "nejm2024":
        provisional = provisional & ~by_unsorted
    return visits.select(
        "patient",
        "hsct_day",
        "low",
        "high",
        "assumed",
        label=label,
        value=pl.coalesce("unsorted_percent", "lowest"),
        flags=join_flags(
            [
                pl.when(provisional).then(pl.lit("provisional")),
                pl.when("assumed").then(pl.lit("assumed")),
            ]
        ),
    )


def nearest_visit(visits: pl.DataFrame, *, day: float, within_days: float) -> pl.DataFrame:
    """The visit nearest to a day, per patient; of two equally near the earlier.

    A visit whose day is a range lies at the range's nearest end, or at distance 0 inside it; an
    exact day goes before a range.
    """
    apart = (
        pl.when(pl.col("low") > day)
        .then(pl.col("low") - day)
        .when(pl.col("high") < day)
        .then(day - pl.col("high"))
        .otherwise(0.0)
    )
    exact = pl.when("assumed").then(apart).otherwise((pl.col("hsct_day") - day).abs())
    return (
        visits.with_columns(apart=exact)
        .filter(pl.col("apart") <= within_days)
        .sort("patient", "assumed", "apart", "hsct_day")
        .unique("patient", keep="first", maintain_order=True)
        .drop("apart")
    )
