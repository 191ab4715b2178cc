"""What CRS and ICANS share: attribution by intervals, death, reports after the window, no onset."""

from collections.abc import Sequence

import polars as pl

from graftline.assess.adjudicated import adjudicated_events
from graftline.assess.answers import join_flags
from graftline.trial import Trial, followup_ends

EPISODE_SCHEMA = (
    "patient",
    "episode",
    "onset",
    "end",
    "duration_days",
    "grade",
    "lower_bound",
    "ended",
    "flags",
)


def days_covered(intervals: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """Whole days of ``days`` that lie in an interval of the same patient.

    Parameters
    ----------
    intervals : DataFrame [patient, start_day, end_day]
    days : DataFrame with ``patient`` and ``day``

    Returns
    -------
    DataFrame [patient, day], no duplicates
    """
    return (
        days.select("patient", pl.col("day").floor())
        .unique()
        .join(intervals, on="patient", how="inner")
        .filter(
            (pl.col("day") >= pl.col("start_day").floor()) & (pl.col("day") <= pl.col("end_day"))
        )
        .select("patient", "day")
        .unique()
        .sort("patient", "day")
    )


def late_onset_reported(trial: Trial, event: str, *, after_day: float) -> pl.DataFrame:
    """Patients whose investigator reports the event after the onset window: [patient]."""
    return (
        adjudicated_events(trial, [event])
        .filter(pl.col("occurred") & (pl.col("day") > after_day))
        .select("patient")
        .unique()
        .sort("patient")
    )


def deaths_from(trial: Trial, cause: str) -> pl.DataFrame:
    """Deaths the investigator puts down to one cause: [patient, day]."""
    ends = followup_ends(trial)
    return ends.filter(pl.col("dead") & (pl.col("death_cause") == cause)).select(
        "patient", day="death_day"
    )


def no_episode_answers(
    trial: Trial, patients: pl.DataFrame, judged: pl.DataFrame, *, window_days: float
) -> pl.DataFrame:
    """Answers for patients without an episode.

    "no" needs a judged day in the window; it is a lower bound (flag ``n days without records``)
    where days of the window are missing. Follow-up that ends alive inside the window is
    ``not_yet_evaluable``.

    Parameters
    ----------
    patients : DataFrame [patient]
    judged : DataFrame [patient, day]
        Days on which the criterion could be judged.

    Returns
    -------
    DataFrame [patient, state, value, lower_bound, flags, until]; no row without judged days.
    """
    ends = followup_ends(trial).select("patient", "end_day", "dead")
    seen = (
        judged.join(patients, on="patient", how="semi")
        .filter((pl.col("day") >= 0) & (pl.col("day") <= window_days))
        .group_by("patient")
        .agg(seen=pl.col("day").n_unique(), last=pl.col("day").max())
        .join(ends, on="patient", how="left", validate="1:1")
    )
    close = (
        pl.when("dead")
        .then(pl.min_horizontal("end_day", pl.lit(window_days)))
        .otherwise(window_days)
    )
    early = ~pl.col("dead").fill_null(value=False) & (
        pl.col("end_day").fill_null(pl.col("last")) < window_days
    )
    missing = (close.floor() + 1 - pl.col("seen")).cast(pl.Int64)
    return (
        seen.with_columns(early=early, missing=missing)
        .with_columns(partial=(pl.col("missing") > 0) & ~pl.col("early"))
        .select(
            "patient",
            state=pl.when("early").then(pl.lit("not_yet_evaluable")).otherwise(pl.lit("no")),
            value=pl.when(~pl.col("early")).then(0.0),
            lower_bound="partial",
            flags=pl.when("partial").then(pl.format("{} days without records", "missing")),
            until=pl.when("early").then(float(window_days)),
        )
    )


def flags_together() -> pl.Expr:
    """The flags of a group of rows as one text, each once; empty where there is none."""
    return pl.col("flags").str.split("; ").explode().unique().sort().drop_nulls().str.join("; ")


def worst_with_deaths(
    worst: pl.DataFrame, deaths: pl.DataFrame, *, remarks: Sequence[pl.Expr] = ()
) -> pl.DataFrame:
    """Worst grades as answers; who died of it has grade 5, from the first day of either.

    Parameters
    ----------
    worst : DataFrame [patient, value, day, lower_bound, flags]
        Patients who had it: highest grade and onset.
    deaths : DataFrame [patient, day]
    remarks : sequence of expressions of ``worst``
        Further flags.

    Returns
    -------
    DataFrame [patient, state, value, day, lower_bound, flags]
    """
    fatal = deaths.select("patient", death_day="day")
    joined = worst.join(fatal, on="patient", how="full", coalesce=True, validate="1:1")
    died = pl.col("death_day").is_not_null()
    own, death = pl.when(pl.col("flags") != "").then("flags"), pl.when(died).then(pl.lit("death"))
    return joined.select(
        "patient",
        state=pl.lit("yes"),
        value=pl.when(died).then(5).otherwise("value").cast(pl.Float64),
        day=pl.coalesce("day", "death_day"),
        lower_bound=pl.col("lower_bound").fill_null(value=False) & ~died,
        flags=join_flags([own, *remarks, death]),
    )
