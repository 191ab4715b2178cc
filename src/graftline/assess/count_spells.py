"""How many days a count stays low: a day-by-day course from sparse samples, and its spells."""

import polars as pl

from graftline.assess.sorted_rows import is_first_row, is_last_row


def daily_course(counts: pl.DataFrame, *, offset: float, max_missing_days: int = 3) -> pl.DataFrame:
    """Day-by-day values, short gaps interpolated on log10(value + offset).

    Parameters
    ----------
    counts : DataFrame [patient, day, value, quantification]
        One row per patient and whole day (``worst_of_day``).
    offset : float
        Added before the logarithm, in the unit of ``value``; keeps zero finite.
    max_missing_days : int
        Gaps of more missing days stay open: their days are not in the answer.

    Returns
    -------
    DataFrame [patient, day, value, quantification, measured], sorted by patient and day

    Notes
    -----
    Interpolation of unsampled days is graftline's convention; Rejeski (2023) is silent.
    """
    log = (pl.col("value") + offset).log10()
    inside = ~is_last_row("patient")
    rows = counts.sort("patient", "day").with_columns(
        gap=pl.when(inside).then(pl.col("day").shift(-1) - pl.col("day")).fill_null(1),
        log=log,
        next_log=pl.when(inside).then(log.shift(-1)),
    )
    steps = pl.when(pl.col("gap") - 1 <= max_missing_days).then("gap").otherwise(1)
    grid = rows.with_columns(step=pl.int_ranges(0, steps.cast(pl.Int64))).explode("step")
    measured = pl.col("step") == 0
    slope = (pl.col("next_log") - pl.col("log")) / pl.col("gap")
    between = 10 ** (pl.col("log") + slope * pl.col("step")) - offset
    return grid.select(
        "patient",
        day=pl.col("day") + pl.col("step"),
        value=pl.when(measured).then("value").otherwise(between),
        quantification=pl.when(measured).then("quantification"),
        measured=measured,
    )


def low_spells(course: pl.DataFrame, low: pl.Expr, *, bridge_days: int = 3) -> pl.DataFrame:
    """Spells of low days; a rise of fewer than ``bridge_days`` days does not interrupt one.

    Parameters
    ----------
    course : DataFrame from ``daily_course``, cut to the window
    low : Boolean expression over it
    bridge_days : int
        Days above the limit that end a spell; shorter rises count as low days. Days without
        a value always end it.

    Returns
    -------
    DataFrame [patient, total_days, longest_days, first_day, last_day]
        Cumulative days over all spells and days of the longest; only patients with a low day.
    """
    placed = course.select("patient", "day", low=low).sort("patient", "day")
    lows = placed.with_columns(place=pl.int_range(pl.len())).filter("low")
    apart = pl.col("day").diff() - 1
    known = pl.col("place").diff() - 1
    begins = is_first_row("patient") | (apart >= bridge_days) | (known < apart)
    return (
        lows.with_columns(begins=begins)
        .with_columns(
            first_day=pl.when("begins").then("day").forward_fill(),
            ends=pl.col("begins").shift(-1).fill_null(value=True),
        )
        .filter("ends")
        .select("patient", "first_day", last_day="day")
        .with_columns(days=(pl.col("last_day") - pl.col("first_day") + 1).cast(pl.Int64))
        .group_by("patient")
        .agg(
            total_days=pl.col("days").sum(),
            longest_days=pl.col("days").max(),
            first_day=pl.col("first_day").min(),
            last_day=pl.col("last_day").max(),
        )
        .sort("patient")
    )


def coverage(
    course: pl.DataFrame, windows: pl.DataFrame, *, max_missing_days: int = 3
) -> pl.DataFrame:
    """How much of each patient's window has a value.

    Parameters
    ----------
    course : DataFrame from ``daily_course``
    windows : DataFrame [patient, begin, end]

    Returns
    -------
    DataFrame [patient, known_days, first_known, last_known, gaps]
        ``gaps``: days without a value inside the course, or more than ``max_missing_days`` at
        either end of the window. Only patients with a value in the window.
    """
    return (
        course.join(windows, on="patient", how="inner", validate="m:1")
        .filter((pl.col("day") >= pl.col("begin")) & (pl.col("day") <= pl.col("end")))
        .group_by("patient")
        .agg(
            known_days=pl.len(),
            first_known=pl.col("day").min(),
            last_known=pl.col("day").max(),
            begin=pl.col("begin").first(),
            end=pl.col("end").first(),
        )
        .select(
            "patient",
            "known_days",
            "first_known",
            "last_known",
            gaps=(pl.col("last_known") - pl.col("first_known") + 1 > pl.col("known_days"))
            | (pl.col("first_known") - pl.col("begin") > max_missing_days)
            | (pl.col("end") - pl.col("last_known") > max_missing_days),
        )
        .sort("patient")
    )
