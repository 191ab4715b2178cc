"""Runs of consecutive measured days on which a condition holds."""

import polars as pl

from graftline.assess.sorted_rows import in_order


def condition_runs(
    days: pl.DataFrame, condition: str, *, consecutive: int, max_gap_days: float
) -> pl.DataFrame:
    """Unbroken runs of measured days on which a condition holds, if long enough.

    Parameters
    ----------
    days : DataFrame [patient, day, <condition>]
        One row per patient and measured day. An unknown condition (null) breaks a run.
    condition : str
        Name of the Boolean column.
    consecutive : int
        Measured days a run needs.
    max_gap_days : float
        Largest distance between neighbouring measured days of a run.

    Returns
    -------
    DataFrame [patient, start, confirmed, last, gaps, step], sorted by patient and start
        ``confirmed`` is the day that completes the required number; ``gaps`` tells whether days
        between ``start`` and ``confirmed`` were not measured; ``step`` is the distance of ``start``
        from the measured day before, null for the first.
    """
    holds = pl.col(condition).fill_null(value=False)
    other = (pl.col("patient") != pl.col("patient").shift(1)).fill_null(value=True)
    step = pl.when(~other).then(pl.col("day").diff())
    apart = (step > max_gap_days).fill_null(value=False)
    before = holds.shift(1).fill_null(value=False)
    first = holds & (other | apart | ~before)
    row = pl.int_range(pl.len())
    # one row of each run, filled from its first and its last row: no grouping of all the days
    return (
        in_order(days, "patient", "day")
        .with_columns(holds=holds, first=first, step=step)
        .with_columns(
            ends=pl.col("holds")
            & (pl.col("first") | ~pl.col("holds")).shift(-1).fill_null(value=True),
            place=row - pl.when("first").then(row).forward_fill(),
        )
        .with_columns(
            start=pl.when("first").then("day").forward_fill(),
            last=pl.when("ends").then("day").backward_fill(),
            begins_after=pl.when("first").then(pl.col("step").fill_null(-1.0)).forward_fill(),
        )
        .filter(pl.col("holds") & (pl.col("place") == consecutive - 1))
        .select(
            "patient",
            "start",
            "last",
            confirmed="day",
            gaps=pl.col("day") - pl.col("start") > consecutive - 1,
            step=pl.when(pl.col("begins_after") >= 0).then("begins_after"),
        )
    )


def first_lasting_run(
    runs: pl.DataFrame, losses: pl.DataFrame, *, within_days: float
) -> pl.DataFrame:
    """First run per patient that is not followed by a loss soon after it was confirmed.

    Parameters
    ----------
    runs, losses : DataFrame as from ``condition_runs``
    within_days : float
        A loss starting up to so many days after ``confirmed`` makes the run transient.

    Returns
    -------
    DataFrame [patient, start, confirmed, last, gaps, step, transient_before]
        One row per patient with a lasting run; ``transient_before``: an earlier run was lost.
    """
    marked = runs.sort("confirmed").join_asof(
        losses.select("patient", loss="start").sort("loss"),
        left_on="confirmed",
        right_on="loss",
        by="patient",
        strategy="forward",
        check_sortedness=False,
    )
    transient = (pl.col("loss") - pl.col("confirmed") <= within_days).fill_null(value=False)
    return (
        marked.sort("patient", "start")
        .with_columns(transient=transient)
        .with_columns(transient_before=pl.col("transient").any().over("patient"))
        .filter(~pl.col("transient"))
        .unique("patient", keep="first", maintain_order=True)
        .drop("loss", "transient")
    )
