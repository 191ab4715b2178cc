"""Checks of product release, body size, orders and renal function around CAR-T."""

import polars as pl

from graftline.assess.dose_formulas import (
    body_mass_index,
    creatinine_clearance,
    fludarabine_fraction,
)
from graftline.assess.medication import steroid_courses
from graftline.assess.population import infused_patients
from graftline.assess.printed import printed_criteria
from graftline.trial import Trial

_PRINTED = printed_criteria("dosing")
_RELEASE, _ORDERS = _PRINTED["release"], _PRINTED["orders"]


def _checks(
    rows: pl.DataFrame,
    check: str,
    text: str,
    observed: pl.Expr,
    unit: str,
    *,
    met: pl.Expr,
    low: pl.Expr | float | None = None,
    high: pl.Expr | float | None = None,
    suggestion: pl.Expr | None = None,
    source: str,
) -> pl.DataFrame:
    """One check of every row: met, not met, or unknown where ``met`` is null."""

    def bound(value: pl.Expr | float | None) -> pl.Expr:
        expression = value if isinstance(value, pl.Expr) else pl.lit(value)
        return expression.cast(pl.Float64)

    return rows.select(
        "patient",
        check=pl.lit(check),
        text=pl.lit(text),
        observed=observed.cast(pl.Float64),
        unit=pl.lit(unit),
        low=bound(low),
        high=bound(high),
        met=pl.when(met)
        .then(pl.lit("met"))
        .when(~met)
        .then(pl.lit("not met"))
        .otherwise(pl.lit("unknown")),
        suggestion=pl.lit(None, dtype=pl.String) if suggestion is None else suggestion,
        source=pl.lit(source),
    )


def release_checks(trial: Trial, doses: pl.DataFrame, targets: pl.DataFrame) -> pl.DataFrame:
    """Release of each CAR-T lot, and the dose given against the target.

    Parameters
    ----------
    doses, targets : DataFrame [patient, value], [patient, target_cells_per_kg]

    Returns
    -------
    DataFrame [patient, check, text, observed, unit, low, high, met, suggestion, source]
    """
    lots = trial["products"].filter(pl.col("kind") == "car_t").sort("patient", "product", "row")
    low, high = (_RELEASE["viability_percent_from"], _RELEASE["target_within_percent"] / 100)
    endotoxin, vcn = pl.col("endotoxin_eu_per_kg_per_h"), pl.col("vcn_copies_per_cell")
    viability = pl.col("viability_percent")
    target = pl.col("target_cells_per_kg")
    given = doses.select("patient", "value").join(targets, on="patient", how="left", validate="1:1")
    ratio = (pl.col("value") / target).round(9)
    return pl.concat(
        [
            _checks(
                lots,
                "viability",
                "Viability of the lot",
                viability,
                "%",
                met=viability >= low,
                low=low,
                source="products",
            ),
            _checks(
                lots,
                "endotoxin",
                "Endotoxin of the lot",
                endotoxin,
                "EU/kg/h",
                met=endotoxin < _RELEASE["endotoxin_below"],
                high=_RELEASE["endotoxin_below"],
                source="products",
            ),
            _checks(
                lots,
                "vcn",
                "Vector copies per cell",
                vcn,
                "copies/cell",
                met=vcn < _RELEASE["vcn_below"],
                high=_RELEASE["vcn_below"],
                source="products",
            ),
            _checks(
                given,
                "car_t_dose",
                "CAR-T dose within 20 % of target",
                pl.col("value"),
                "cells/kg",
                met=(ratio >= 1 - high) & (ratio <= 1 + high),
                low=target * (1 - high),
                high=target * (1 + high),
                source="infusions",
            ),
        ]
    )


def bedside_checks(trial: Trial) -> pl.DataFrame:
    """Body mass index, and the volume of each patient's CAR-T lots per kg.

    Returns
    -------
    DataFrame : columns of ``release_checks``
    """
    people = infused_patients(trial).join(trial.patients, on="patient", how="left", validate="1:1")
    index = body_mass_index(pl.col("height_cm"), pl.col("weight_kg"))
    limit = float(_PRINTED["body_surface"]["bmi_query_above"])
    most = float(_ORDERS["volume_ml_per_kg_at_most"])
    infused = (
        trial["infusions"]
        .filter(pl.col("kind") == "car_t")
        .select("patient", "product")
        .unique()
        .join(
            trial["products"]
            .select("patient", "product", "volume_ml")
            .unique(["patient", "product"], keep="first", maintain_order=True),
            on=["patient", "product"],
            how="inner",
            validate="1:1",
        )
        .sort("patient", "product")
        .group_by("patient", maintain_order=True)
        .agg(
            volume_ml=pl.when(pl.col("volume_ml").null_count() == 0).then(pl.col("volume_ml").sum())
        )
        .join(people.select("patient", "weight_kg"), on="patient", how="inner", validate="1:1")
    )
    per_kg = pl.col("volume_ml") / pl.col("weight_kg")
    return pl.concat(
        [
            _checks(
                people,
                "bmi",
                "Body mass index; above 40 kg/m2 the dosing weight is a query",
                index,
                "kg/m2",
                met=index <= limit,
                high=limit,
                source="patients",
            ),
            _checks(
                infused,
                "volume",
                "Volume of CAR-T per kg",
                per_kg,
                "mL/kg",
                met=per_kg <= most,
                high=most,
                source="products",
            ),
        ]
    )


def order_checks(trial: Trial, given: pl.DataFrame) -> pl.DataFrame:
    """Timing of lymphodepletion, steroids, fever and infection before CAR-T.

    Parameters
    ----------
    given : DataFrame [patient, drug, first_day, last_day, per_m2_query]; lymphodepletion

    Returns
    -------
    DataFrame : columns of ``release_checks``
    """
    people = infused_patients(trial)
    first_low, first_high = _ORDERS["lymphodepletion_first_day"]
    last_low, last_high = _ORDERS["lymphodepletion_last_day"]
    timing = given.group_by("patient").agg(
        first=pl.col("first_day").min(),
        last=pl.col("last_day").max(),
        per_m2=pl.col("per_m2_query").any(),
    )
    rows = people.join(timing, on="patient", how="left", validate="1:1").sort("patient")
    first, last = pl.col("first"), pl.col("last")
    return pl.concat(
        [
            _checks(
                rows,
                "lymphodepletion_start",
                "Lymphodepletion begins day -5 to -1",
                first,
                "day",
                met=first.is_between(first_low, first_high),
                low=first_low,
                high=first_high,
                source="drugs",
            ),
            _checks(
                rows,
                "lymphodepletion_end",
                "Lymphodepletion ends 24 to 72 h before CAR-T",
                last,
                "day",
                met=last.is_between(last_low, last_high),
                low=last_low,
                high=last_high,
                source="drugs",
            ),
            _checks(
                rows,
                "flat_dose",
                "No flat dose recorded per m2",
                pl.col("per_m2"),
                "count",
                met=~pl.col("per_m2"),
                source="drugs",
            ),
            _steroid_check(trial, people),
            _fever_check(trial, people),
            _infection_check(trial, people),
        ]
    )


def _steroid_check(trial: Trial, people: pl.DataFrame) -> pl.DataFrame:
    window = -float(_ORDERS["steroid_days_before"])
    limit = float(_ORDERS["steroid_mg_per_day_above"])
    courses = (
        steroid_courses(trial["drugs"], trial.patients)
        .filter(
            (pl.col("start_day") < 0)
            & (pl.coalesce("end_day", "start_day") >= window)
            & (pl.col("class") != "physiologic")
        )
        .group_by("patient")
        .agg(
            highest=pl.col("prednisone_mg_per_day").max(),
            unknown=pl.col("prednisone_mg_per_day").is_null().any(),
        )
    )
    rows = people.join(courses, on="patient", how="left", validate="1:1")
    recorded = "drugs" in trial.present
    none = pl.col("unknown").is_null()
    observed = pl.when(none & pl.lit(recorded)).then(0.0).otherwise("highest")
    high = observed > limit
    unsure = pl.col("unknown").fill_null(value=False) & ~high.fill_null(value=False)
    return _checks(
        rows,
        "steroids",
        "No more than 20 mg prednisone equivalent a day in the 7 days before",
        observed,
        "mg/d",
        met=pl.when(~unsure).then(~high),
        high=limit,
        source="drugs",
    )


def _fever_check(trial: Trial, people: pl.DataFrame) -> pl.DataFrame:
    days, limit = float(_ORDERS["fever_days_before"]), float(_ORDERS["fever_from_c"])
    highest = (
        trial["vitals"]
        .filter((pl.col("day") >= -days) & (pl.col("day") <= 0))
        .group_by("patient")
        .agg(highest=pl.col("temperature_c").max())
    )
    rows = people.join(highest, on="patient", how="left", validate="1:1")
    return _checks(
        rows,
        "fever",
        "No fever of 38.0 C or more from the day before to infusion",
        pl.col("highest"),
        "C",
        met=pl.col("highest") < limit,
        high=limit,
        source="vitals",
    )


def _infection_check(trial: Trial, people: pl.DataFrame) -> pl.DataFrame:
    window = -float(_ORDERS["infection_days_before"])
    open_ = (pl.col("start_day") <= 0) & (
        (pl.col("end_day") > 0) | (pl.col("end_day").is_null() & (pl.col("start_day") >= window))
    )
    active = trial["infections"].filter(open_).group_by("patient").agg(active=pl.len())
    rows = people.join(active, on="patient", how="left", validate="1:1")
    count = pl.col("active")
    if "infections" in trial.present:
        count = count.fill_null(0)
    return _checks(
        rows,
        "infection",
        "No infection going on at infusion",
        count,
        "count",
        met=count == 0,
        high=0,
        source="infections",
    )


def renal_checks(trial: Trial, *, within_days: float = 14) -> pl.DataFrame:
    """Creatinine clearance before lymphodepletion and the fludarabine dose it suggests.

    Parameters
    ----------
    within_days : float
        The last creatinine before the first fludarabine (before day 0 without one), at most so old.

    Returns
    -------
    DataFrame : columns of ``release_checks``; met where the full dose is suggested. The label's
        share is applied to the protocol's dose as a suggestion only: the protocol decides.
    """
    planned = next(
        (d for d in trial.protocol.lymphodepletion if d.drug.lower() == "fludarabine"), None
    )
    begins = (
        trial["drugs"]
        .filter(
            (pl.col("indication") == "lymphodepletion")
            & (pl.col("drug").str.to_lowercase() == "fludarabine")
        )
        .group_by("patient")
        .agg(begin=pl.col("start_day").min())
    )
    people = (
        infused_patients(trial)
        .join(trial.patients, on="patient", how="left", validate="1:1")
        .join(begins, on="patient", how="left", validate="1:1")
        .with_columns(begin=pl.col("begin").fill_null(0.0))
    )
    measured = (
        trial["labs"]
        .filter(pl.col("analyte") == "creatinine")
        .join(people.select("patient", "begin"), on="patient", how="inner", validate="m:1")
        .filter(pl.col("day").is_between(pl.col("begin") - within_days, pl.col("begin")))
        .sort(["patient", "day", "value"], descending=[False, True, True])
        .unique("patient", keep="first", maintain_order=True)
        .select("patient", creatinine="value")
    )
    clearance = creatinine_clearance(
        pl.col("age_years"), pl.col("weight_kg"), pl.col("creatinine"), pl.col("sex")
    )
    rows = (
        people.join(measured, on="patient", how="left", validate="1:1")
        .with_columns(clearance=clearance)
        .with_columns(fraction=fludarabine_fraction(pl.col("clearance")))
    )
    dose = planned.dose if planned is not None else None
    unit = planned.unit if planned is not None else "mg/m2"
    suggestion = (
        pl.when(pl.col("fraction") == 0)
        .then(pl.lit("do not give fludarabine"))
        .when(pl.col("fraction").is_not_null())
        .then(
            pl.format(
                "{} % of the fludarabine dose{}",
                (pl.col("fraction") * 100).round(0).cast(pl.Int64),
                pl.lit("")
                if dose is None
                else pl.format(f": {{}} {unit}", (pl.col("fraction") * dose).round(1)),
            )
        )
    )
    return _checks(
        rows if planned is not None else rows.clear(),
        "fludarabine_renal",
        "Creatinine clearance (Cockcroft-Gault) allows full fludarabine",
        pl.col("clearance"),
        "mL/min",
        met=pl.col("fraction") == 1,
        low=80,
        suggestion=suggestion,
        source="labs",
    )
