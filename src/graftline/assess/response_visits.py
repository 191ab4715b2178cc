"""A response visit: a marrow with the counts, blood blasts and imaging that belong to it."""

from typing import Final

import polars as pl

from graftline.assess.answers import join_flags
from graftline.assess.sorted_rows import is_first_row, is_last_row, one_row_each

GROWTH_FACTORS: Final = ("filgrastim", "pegfilgrastim", "lenograstim", "lipegfilgrastim", "g-csf")
IMAGING_WITHIN_DAYS: Final = 92.0


def response_findings(
    marrow: pl.DataFrame,
    labs: pl.DataFrame,
    patients: pl.DataFrame,
    exams: pl.DataFrame,
    *,
    transfusions: pl.DataFrame,
    drugs: pl.DataFrame,
    counts_within_days: float = 7.0,
    support_within_days: float = 7.0,
    imaging_within_days: float = IMAGING_WITHIN_DAYS,
) -> pl.DataFrame:
    """Findings of every marrow visit after day 0, one row each.

    Parameters
    ----------
    marrow, labs, patients, transfusions, drugs : tables of the trial
    exams : DataFrame of ``grade_lugano``
    counts_within_days : float
        Counts this far from the marrow belong to it; the nearest day, before rather than after;
        the lowest value of a day (the highest for blood blasts).
    support_within_days : float
        Platelets within this many days after a transfusion, and neutrophils after G-CSF, are
        supported.
    imaging_within_days : float
        Imaging that clears known extramedullary disease this long after the marrow dates the visit.

    Returns
    -------
    DataFrame [patient, day, response_day, blasts_percent, baseline_blasts_percent, ..., lugano,
    flags], sorted by patient and day
        ``response_day`` is the imaging's day where imaging completed the visit. ``blasts_percent``
        is the manual differential, else flow; several marrows of one day: the most blasts.
    """
    visits = _marrow_days(marrow)
    baseline = _baseline_blasts(visits, patients)
    visits = visits.filter(pl.col("at") > 0).join(
        baseline, on="patient", how="left", validate="m:1"
    )
    visits = visits.sort("patient", "at")
    for analyte in ("anc", "platelets", "blood_blasts"):
        daily = _daily(labs, analyte, worst="max" if analyte == "blood_blasts" else "min")
        visits = _nearest(visits, daily, analyte, counts_within_days)
    visits = _with_blood_blasts(visits, marrow, counts_within_days)
    visits = _with_support(visits, transfusions, drugs, support_within_days)
    visits = _with_extramedullary(visits, marrow, patients, exams, imaging_within_days)
    return visits.with_columns(flags=_flags()).drop("at").sort("patient", "day")


def _marrow_days(marrow: pl.DataFrame) -> pl.DataFrame:
    """One row per patient and day of marrow; a row without a specimen is marrow."""
    rows = (
        marrow.filter(pl.col("specimen").fill_null("marrow") == "marrow")
        .with_columns(
            by_flow=pl.col("blasts_percent").is_null()
            & pl.col("flow_blasts_percent").is_not_null(),
            blasts=pl.coalesce("blasts_percent", "flow_blasts_percent"),
            assumed=pl.col("day").is_null() | pl.col("assumed").is_not_null(),
            day=pl.coalesce("day", (pl.col("day_low") + pl.col("day_high")) / 2),
        )
        .drop_nulls("day")
        .with_columns(at=pl.col("day").floor())
    )
    return rows.group_by("patient", "at").agg(
        day=pl.col("day").min(),
        blasts_percent=pl.col("blasts").max(),
        by_flow=pl.col("by_flow").any(),
        cells_counted=pl.col("cells_counted").max(),
        cellularity_percent=pl.col("cellularity_percent").max(),
        haematopoietic_percent=pl.col("haematopoietic_percent").max(),
        spicules=pl.col("spicules").max(),
        trilineage=pl.col("trilineage").min(),
        assumed=pl.col("assumed").any(),
    )


def _baseline_blasts(visits: pl.DataFrame, patients: pl.DataFrame) -> pl.DataFrame:
    """Blasts of the last marrow up to day 0, else as the patients table states."""
    last = (
        visits.filter(pl.col("at") <= 0)
        .drop_nulls("blasts_percent")
        .sort("patient", "at")
        .group_by("patient", maintain_order=True)
        .agg(seen=pl.col("blasts_percent").last())
    )
    return patients.join(last, on="patient", how="left", validate="1:1").select(
        "patient", baseline_blasts_percent=pl.coalesce("seen", "marrow_blasts_percent")
    )


def _daily(labs: pl.DataFrame, analyte: str, *, worst: str) -> pl.DataFrame:
    """Worst value of each day with whether it is a limit."""
    ascending = worst == "min"
    measured = (
        labs.select("patient", "day", "value", "quantification", "analyte")
        .filter((pl.col("analyte") == analyte) & pl.col("value").is_not_null())
        .select(
            "patient",
            "value",
            at=pl.col("day").floor(),
            limit=pl.col("quantification").fill_null("quantified"),
        )
    )
    if not one_row_each(measured, "patient", "at"):
        measured = measured.sort(
            "patient", "at", "value", "limit", descending=[False, False, not ascending, False]
        ).filter(is_first_row("patient", "at"))
    return measured.select("patient", "at", pl.col("at").alias("found"), "value", "limit")


def _nearest(
    visits: pl.DataFrame, daily: pl.DataFrame, analyte: str, within_days: float
) -> pl.DataFrame:
    """Join the nearest day's value of one analyte; at equal distance the earlier day."""
    for strategy, side in (("backward", "before"), ("forward", "after")):
        renamed = daily.rename({c: f"{c}_{side}" for c in ("found", "value", "limit")})
        visits = visits.join_asof(
            renamed,
            on="at",
            by="patient",
            strategy="backward" if strategy == "backward" else "forward",
            tolerance=within_days,
            check_sortedness=False,
        )
    before = pl.col("at") - pl.col("found_before")
    after = pl.col("found_after") - pl.col("at")
    use_after = before.is_null() | (after < before).fill_null(value=False)
    picked = [
        pl.when(use_after).then(f"{c}_after").otherwise(f"{c}_before").alias(new)
        for c, new in (
            ("found", f"{analyte}_day"),
            ("value", analyte),
            ("limit", f"{analyte}_limit"),
        )
    ]
    sides = [f"{c}_{side}" for c in ("found", "value", "limit") for side in ("before", "after")]
    return visits.with_columns(picked).drop(sides)


def _with_blood_blasts(
    visits: pl.DataFrame, marrow: pl.DataFrame, within_days: float
) -> pl.DataFrame:
    """Whether blasts circulate: blood differential of labs, or a blood specimen of marrow."""
    blood = (
        marrow.filter(pl.col("specimen") == "blood")
        .with_columns(
            at=pl.col("day").floor(),
            blood_share=pl.coalesce("blasts_percent", "flow_blasts_percent"),
        )
        .drop_nulls(["at", "blood_share"])
        .group_by("patient", "at")
        .agg(pl.col("blood_share").max())
        .sort("patient", "at")
    )
    visits = visits.join_asof(
        blood,
        on="at",
        by="patient",
        strategy="nearest",
        tolerance=within_days,
        check_sortedness=False,
    )
    seen = (pl.col("blood_blasts") > 0) & (pl.col("blood_blasts_limit") != "below")
    return visits.with_columns(
        circulating_blasts=pl.when(pl.col("blood_share") > 0)
        .then(pl.lit(value=True))
        .otherwise(pl.coalesce(seen, pl.col("blood_share") > 0))
    ).drop("blood_share")


def _with_support(
    visits: pl.DataFrame, transfusions: pl.DataFrame, drugs: pl.DataFrame, within_days: float
) -> pl.DataFrame:
    """Whether the platelets follow a transfusion, and the neutrophils G-CSF, too closely."""
    platelets = transfusions.filter(pl.col("product") == "platelets").select(
        "patient", start="day", end="day"
    )
    growth = drugs.filter(
        pl.col("drug").str.to_lowercase().str.contains_any(list(GROWTH_FACTORS))
    ).select("patient", start="start_day", end=pl.coalesce("end_day", "start_day"))
    for count, courses in (("platelets", platelets), ("anc", growth)):
        reach = (
            courses.drop_nulls()
            .sort("patient", "start")
            .with_columns(last=pl.col("end").cum_max().over("patient"))
            .select("patient", at="start", last="last")
            .sort("patient", "at")
        )
        # a visit without that count keeps its row: the join needs a number, the result stays null
        days = visits.with_columns(visit=pl.col("at"), at=pl.col(f"{count}_day").fill_null(-1e9))
        visits = (
            days.sort("patient", "at")
            .join_asof(reach, on="at", by="patient", strategy="backward", check_sortedness=False)
            .with_columns(
                pl.when(pl.col(f"{count}_day").is_not_null())
                .then(
                    ((pl.col("at") - pl.col("last").floor()) < within_days).fill_null(value=False)
                )
                .alias(f"{count}_supported")
            )
            .with_columns(at=pl.col("visit"))
            .drop("visit", "last")
        )
    return visits.sort("patient", "at")


def _with_extramedullary(
    visits: pl.DataFrame,
    marrow: pl.DataFrame,
    patients: pl.DataFrame,
    exams: pl.DataFrame,
    within_days: float,
) -> pl.DataFrame:
    """Extramedullary disease at the visit, and the day on which the visit is complete.

    Disease once known stays until an examination after day 0 clears it. An examination that
    clears it after the marrow, but before the next one, completes the visit on its own day.
    """
    visits = _with_examinations(visits, marrow, patients, exams, within_days)
    next_visit = pl.when(~is_last_row("patient")).then(pl.col("at").shift(-1))
    known = pl.col("stated").fill_null(value=False) | (pl.col("first_seen") <= pl.col("at"))
    known = known.fill_null(value=False)
    pending = known & pl.col("exam").fill_null(value=True)
    by_imaging = (
        pending
        & pl.col("cleared_day").is_not_null()
        & (next_visit.is_null() | (pl.col("cleared_day") < next_visit))
        & (pl.col("cleared_day") > pl.col("at"))
    )
    elsewhere = pl.when(~known | by_imaging).then(pl.lit(value=False)).otherwise("exam")
    return visits.with_columns(
        by_imaging=by_imaging,
        extramedullary=pl.when(pl.col("cns")).then(pl.lit(value=True)).otherwise(elsewhere),
        extramedullary_known=pl.when(
            known | pl.col("stated").is_not_null() | pl.col("exam").is_not_null()
        ).then(known),
        lugano=pl.when(by_imaging).then("cleared_class").otherwise("exam_class"),
        response_day=pl.when(by_imaging).then("cleared_day").otherwise("day"),
    ).drop("stated", "first_seen", "exam", "exam_class", "exam_day", "cleared_day", "cleared_class")


def _with_examinations(
    visits: pl.DataFrame,
    marrow: pl.DataFrame,
    patients: pl.DataFrame,
    exams: pl.DataFrame,
    within_days: float,
) -> pl.DataFrame:
    """Beside each visit: disease stated and first seen, last imaging, next clear one, last CSF."""
    stated = patients.select("patient", stated=pl.col("extramedullary_disease"))
    exams = exams.with_columns(at=pl.col("day"))
    seen = (
        exams.filter(pl.col("disease_present"))
        .group_by("patient")
        .agg(first_seen=pl.col("at").min())
    )
    looked = (
        exams.filter(pl.col("at") > 0)
        .drop_nulls("disease_present")
        .select("patient", "at", exam_day="day", exam="disease_present", exam_class="lugano")
        .sort("patient", "at")
    )
    cleared = looked.filter(~pl.col("exam")).select(
        "patient", "at", cleared_day="exam_day", cleared_class="exam_class"
    )
    csf = (
        marrow.with_columns(
            at=pl.col("day").floor(),
            cns=pl.any_horizontal(pl.col("csf_blasts"), pl.col("cns_signs")),
        )
        .drop_nulls(["at", "cns"])
        .group_by("patient", "at")
        .agg(pl.col("cns").any())
        .sort("patient", "at")
    )
    return (
        visits.join(stated, on="patient", how="left", validate="m:1")
        .join(seen, on="patient", how="left", validate="m:1")
        .sort("patient", "at")
        .join_asof(looked, on="at", by="patient", strategy="backward", check_sortedness=False)
        .join_asof(
            cleared,
            on="at",
            by="patient",
            strategy="forward",
            tolerance=within_days,
            check_sortedness=False,
        )
        .join_asof(csf, on="at", by="patient", strategy="backward", check_sortedness=False)
        .sort("patient", "at")
    )


def _flags() -> pl.Expr:
    """What to know beside the class."""
    said = {
        "blasts by flow": pl.col("by_flow"),
        "circulating blasts not recorded": pl.col("circulating_blasts").is_null(),
        "extramedullary disease not recorded": pl.col("extramedullary_known").is_null(),
        "marrow adequacy not recorded": pl.col("cells_counted").is_null()
        & pl.col("cellularity_percent").is_null(),
        "platelets after transfusion": pl.col("platelets_supported"),
        "neutrophils under G-CSF": pl.col("anc_supported"),
        "dated by imaging": pl.col("by_imaging"),
        "assumed": pl.col("assumed"),
    }
    return join_flags(
        [pl.when(when.fill_null(value=False)).then(pl.lit(text)) for text, when in said.items()]
    )
