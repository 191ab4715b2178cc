"""Days counted from HSPC: the transplanted, how long they were followed, what was adjudicated."""

import polars as pl

from graftline.assess.adjudicated import adjudicated_events
from graftline.assess.answers import adjudicated_for, join_flags
from graftline.assess.population import transplanted_patients
from graftline.trial import Trial, followup_ends, hsct_days, once_per_trial, second_graft_days


@once_per_trial
def graft_followup(trial: Trial) -> pl.DataFrame:
    """Transplanted patients with the end of their follow-up and a later graft, from HSPC.

    Returns
    -------
    DataFrame [patient, hsct_day, hsct_low, hsct_high, hsct_assumed, end, dead, second_graft]
        ``hsct_day`` from CAR-T; ``end`` and ``second_graft`` in days from HSPC, null where unknown.
        ``second_graft`` is the first DLI or later graft.
    """
    ends = followup_ends(trial).select("patient", "end_day", "dead")
    low_high = hsct_days(trial).select("patient", "hsct_day_low", "hsct_day_high")
    return (
        transplanted_patients(trial)
        .join(low_high, on="patient", how="left", validate="1:1")
        .join(ends, on="patient", how="left", validate="1:1")
        .join(second_graft_days(trial), on="patient", how="left", validate="1:1")
        .select(
            "patient",
            "hsct_day",
            hsct_low=pl.coalesce("hsct_day_low", "hsct_day"),
            hsct_high=pl.coalesce("hsct_day_high", "hsct_day"),
            hsct_assumed=pl.col("hsct_assumed").fill_null(value=False),
            end=pl.col("end_day") - pl.col("hsct_day"),
            dead=pl.col("dead").fill_null(value=False),
            second_graft=pl.col("second_graft_day") - pl.col("hsct_day"),
        )
        .sort("patient")
    )


def adjudicated_after_hspc(
    trial: Trial, grafts: pl.DataFrame, event: str, *, rule: str
) -> pl.DataFrame:
    """The investigator's answer about an event after HSPC, its day and value counted from HSPC.

    An event whose day is not stated is yes without a day, flag ``day_unknown``.
    """
    found = adjudicated_for(trial, grafts, event, rule=rule).join(
        grafts.select("patient", "hsct_day", "hsct_assumed"),
        on="patient",
        how="left",
        validate="1:1",
    )
    happened = pl.col("state") == "yes"
    return found.with_columns(
        day=pl.col("day") - pl.col("hsct_day"),
        value=pl.when(happened).then(pl.col("day") - pl.col("hsct_day")),
        flags=join_flags(
            [
                pl.col("flags"),
                pl.when(happened & pl.col("day").is_null()).then(pl.lit("day_unknown")),
                pl.when(
                    pl.col("hsct_assumed") & pl.col("day").is_not_null() & pl.col("flags").is_null()
                ).then(pl.lit("assumed")),
            ]
        ),
    ).drop("hsct_day", "hsct_assumed")


def relapse_after_hspc(trial: Trial, grafts: pl.DataFrame) -> pl.DataFrame:
    """First relapse or progression after HSPC: recipient cells from then on may be leukaemia.

    One before HSPC says nothing about what came after it.

    Parameters
    ----------
    grafts : DataFrame [patient, hsct_day]

    Returns
    -------
    DataFrame [patient, relapse]; days from HSPC, patients with one
    """
    return (
        adjudicated_events(trial, ["relapse", "progression"])
        .filter("occurred")
        .join(grafts.select("patient", "hsct_day"), on="patient", how="inner", validate="m:1")
        .filter(pl.col("day") >= pl.col("hsct_day"))
        .group_by("patient")
        .agg(relapse=(pl.col("day") - pl.col("hsct_day")).min())
    )
