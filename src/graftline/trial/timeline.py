"""Days that other rooms need of every patient: index infusion, HSCT, end of follow-up."""

import polars as pl

from graftline.trial.trial import Trial, once_per_trial


@once_per_trial
def hsct_days(trial: Trial) -> pl.DataFrame:
    """Day of HSCT per transplanted patient.

    Days of HSPC given over several days: engraftment counts from the last bag of the first graft
    (CIBMTR practice), exposure from the first. A first graft ends where the gap to the next bag is
    longer than seven days or its purpose is ``second graft`` or ``boost``. A day known only as a
    range takes the middle of the range, marked ``assumed``.

    Returns
    -------
    DataFrame [patient, hsct_day, hsct_first_bag_day, hsct_day_low, hsct_day_high, assumed]
        One row per patient with at least one HSPC infusion.
    """
    bags = (
        trial["infusions"]
        .filter(pl.col("kind") == "hspc")
        .with_columns(
            day_low=pl.coalesce("day", "day_low"),
            day_high=pl.coalesce("day", "day_high"),
            assumed=pl.col("day").is_null() | pl.col("assumed").is_not_null(),
        )
        .with_columns(at=pl.coalesce("day", (pl.col("day_low") + pl.col("day_high")) / 2))
        .sort("patient", "at", "row")
        .with_columns(
            later=(pl.col("at").diff().over("patient") > 7).fill_null(value=False)
            | pl.col("purpose").is_in(["second graft", "boost"]).fill_null(value=False)
        )
        .with_columns(graft=pl.col("later").cast(pl.Int32).cum_sum().over("patient"))
        .filter(pl.col("graft") == 0)
    )
    return (
        bags.group_by("patient")
        .agg(
            hsct_day=pl.col("at").max(),
            hsct_first_bag_day=pl.col("at").min(),
            hsct_day_low=pl.col("day_low").max(),
            hsct_day_high=pl.col("day_high").max(),
            assumed=pl.col("assumed").any(),
        )
        .sort("patient")
    )


@once_per_trial
def second_graft_days(trial: Trial) -> pl.DataFrame:
    """Day of the first DLI or later graft per patient, which ends GVHD and engraftment follow-up.

    Returns
    -------
    DataFrame [patient, second_graft_day]
    """
    first = hsct_days(trial).select("patient", "hsct_day")
    later = (
        trial["infusions"]
        .filter(pl.col("kind").is_in(["hspc", "dli"]))
        .with_columns(at=pl.coalesce("day", (pl.col("day_low") + pl.col("day_high")) / 2))
        .join(first, on="patient", how="inner", validate="m:1")
        .filter(pl.col("at") > pl.col("hsct_day"))
    )
    stated = (
        trial["events"]
        .filter((pl.col("event") == "second_graft") & pl.col("occurred").fill_null(value=True))
        .select("patient", at="day")
    )
    return (
        pl.concat([later.select("patient", "at"), stated])
        .drop_nulls("at")
        .group_by("patient")
        .agg(second_graft_day=pl.col("at").min())
        .sort("patient")
    )


@once_per_trial
def followup_ends(trial: Trial) -> pl.DataFrame:
    """Last day known alive or day of death per patient.

    The tables of a trial hold nothing after the data cut. A last contact known only as a range
    takes the middle, marked ``assumed`` with the bounds kept. The last day alive is the latest of
    the follow-up row and any dated record of labs, vitals, marrow or infusions.

    Returns
    -------
    DataFrame [patient, end_day, end_day_low, end_day_high, dead, death_day, death_cause,
    last_response_day, assumed]
        One row per patient of ``patients``; ``end_day`` null where nothing is known.
    """
    seen = pl.concat(
        [
            trial[name].group_by("patient").agg(seen_day=pl.col("day").max())
            for name in ("labs", "vitals", "marrow", "infusions", "viral", "chimerism")
        ]
    )
    seen = seen.group_by("patient").agg(pl.col("seen_day").max())
    deaths = (
        trial["events"]
        .filter((pl.col("event") == "death") & pl.col("occurred").fill_null(value=True))
        .with_columns(at=pl.coalesce("day", (pl.col("day_low") + pl.col("day_high")) / 2))
        .sort("patient", "row")
        .group_by("patient", maintain_order=True)
        .agg(
            death_event_day=pl.col("at").first(),
            death_cause=pl.col("cause").first(),
            death_assumed=(pl.col("assumed").is_not_null() | pl.col("day").is_null()).first(),
        )
    )
    rows = (
        trial.patients.select("patient")
        .join(trial["followup"].drop("row"), on="patient", how="left", validate="1:1")
        .join(deaths, on="patient", how="left", validate="1:1")
        .join(seen, on="patient", how="left", validate="1:1")
    )
    middle = (pl.col("last_contact_day_low") + pl.col("last_contact_day_high")) / 2
    died = (pl.col("status") == "dead").fill_null(value=False) | pl.col(
        "death_event_day"
    ).is_not_null()
    rows = (
        rows.with_columns(
            contact=pl.coalesce("last_contact_day", middle),
            dead=died,
        )
        .with_columns(
            death_day=pl.when("dead").then(pl.coalesce("death_event_day", "contact")),
        )
        .with_columns(
            end=pl.when("dead")
            .then("death_day")
            .otherwise(pl.max_horizontal("contact", "seen_day")),
            low=pl.coalesce("last_contact_day", "last_contact_day_low"),
            high=pl.coalesce("last_contact_day", "last_contact_day_high"),
        )
    )
    return rows.select(
        "patient",
        end_day="end",
        end_day_low=pl.coalesce("low", "end"),
        end_day_high=pl.coalesce("high", "end"),
        dead="dead",
        death_day="death_day",
        death_cause=pl.when("dead").then("death_cause"),
        last_response_day=pl.col("last_response_day"),
        assumed=pl.col("last_contact_day").is_null() & pl.col("last_contact_day_low").is_not_null()
        | pl.col("assumed").is_not_null()
        | pl.col("death_assumed").fill_null(value=False),
    ).sort("patient")
