"""Spells of low counts in several lines after engraftment, and poor graft function."""

import polars as pl

from graftline.assess.quantified import is_below
from graftline.assess.runs import condition_runs


def line_is_low(days: pl.DataFrame, *, below: float, recorded: bool = True) -> pl.DataFrame:
    """Whether a line was low on each measured day: below the threshold or lately transfused.

    Parameters
    ----------
    days : DataFrame [patient, day, value, quantification, free]
        As from ``without_transfusion``.
    below : float
    recorded : bool
        Whether transfusions were recorded at all; if not, a count at or above the threshold says
        nothing.

    Returns
    -------
    DataFrame [patient, day, low]; null where unknown
    """
    low = is_below(below) | ~pl.col("free")
    return days.select("patient", "day", low=low if recorded else pl.when(low).then(low))


def low_spells(
    lines: pl.DataFrame, *, count: int = 2, duration_days: float = 14, max_gap_days: float = 7
) -> pl.DataFrame:
    """Spells of at least ``duration_days`` with at least ``count`` lines low.

    Parameters
    ----------
    lines : DataFrame [patient, line, day, low]

    Returns
    -------
    DataFrame [patient, start, last]
        A measured day on which too few lines are known to be low ends a spell; a spell lasts from
        its first to its last such day.
    """
    # only patients with such a day are looked at day by day: they are few
    low = lines.filter("low").group_by("patient", "day").agg(many=pl.len())
    ever = low.filter(pl.col("many") >= count).select("patient").unique()
    days = (
        lines.join(ever, on="patient", how="semi")
        .group_by("patient", "day")
        .agg(many=pl.col("low").sum() >= count)
    )
    return (
        condition_runs(days, "many", consecutive=1, max_gap_days=max_gap_days)
        .filter(pl.col("last") - pl.col("start") >= duration_days)
        .select("patient", "start", "last")
        .sort("patient", "start")
    )


def poor_graft_function(
    spells: pl.DataFrame,
    tests: pl.DataFrame,
    *,
    donor_percent_from: float = 95,
    test_within_days: float = 30,
) -> pl.DataFrame:
    """First long spell of low counts under full donor chimerism.

    Parameters
    ----------
    spells : DataFrame [patient, start, last]; without relapse or GVHD
    tests : DataFrame [patient, hsct_day, donor_percent]

    Returns
    -------
    DataFrame [patient, poor_day]
    """
    near = (
        spells.join(tests.select("patient", "hsct_day", "donor_percent"), on="patient", how="inner")
        .filter(
            pl.col("hsct_day").is_between(
                pl.col("start") - test_within_days, pl.col("last") + test_within_days
            )
        )
        .with_columns(apart=(pl.col("hsct_day") - pl.col("start")).abs())
        .sort("patient", "start", "apart", "hsct_day", "donor_percent")
        .unique(["patient", "start"], keep="first", maintain_order=True)
    )
    return (
        near.filter(pl.col("donor_percent").round(9) >= donor_percent_from)
        .group_by("patient")
        .agg(poor_day=pl.col("start").min())
        .sort("patient")
    )
