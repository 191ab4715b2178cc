"""Runs of consecutive measured days on which a condition holds."""

import polars as pl


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
    DataFrame [patient, start, confirmed, last, length, gaps], sorted by patient and start
        ``confirmed`` is the day that completes the required number; ``gaps`` tells whether days
        between ``start`` and ``confirmed`` were not measured.
    """
    holds = pl.col(condition).fill_null(value=False)
    gap = pl.col("day").diff().over("patient")
    breaks = ~holds | ~holds.shift(1).over("patient").fill_null(value=False) | (gap > max_gap_days)
    return (
        days.sort("patient", "day")
        .with_columns(gap=gap, run=breaks.cast(pl.Int64).cum_sum().over("patient"))
        .filter(holds)
        .group_by("patient", "run", maintain_order=True)
        .agg(
            start=pl.col("day").first(),
            confirmed=pl.col("day").slice(consecutive - 1, 1).first(),
            last=pl.col("day").last(),
            length=pl.len(),
            gaps=(pl.col("gap").slice(1, consecutive - 1) > 1).any(),
        )
        .filter(pl.col("length") >= consecutive)
        .drop("run")
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
    DataFrame [patient, start, confirmed, last, length, gaps, transient_before]
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
