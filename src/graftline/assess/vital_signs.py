"""Daily vital signs as CRS grading reads them: fever, hypotension, oxygen, worst of each day."""

from typing import Any

import polars as pl

from graftline.assess.on_arrays import Words
from graftline.assess.printed import printed_criteria
from graftline.assess.sorted_rows import gather_rows

_CRS = printed_criteria("crs_astct2019")
_NORM = _CRS["hypotension"]


def systolic_norm(age: Any, words: Words = pl, *, adult_below_mmhg: float = 90) -> Any:
    """Systolic pressure (mmHg) below which a patient of that age is hypotensive.

    90 from 10 years and where the age is unknown; 70 + 2 x age from 1 to 10 years; 70 under 1 year.
    ``words`` is polars, or arrays (``on_arrays``).
    """
    child = _NORM["child_intercept_mmhg"] + _NORM["child_slope_mmhg_per_year"] * age
    return (
        words.when(age < _NORM["child_linear_from_years"])
        .then(float(_NORM["infant_below_mmhg"]))
        .when(age < _NORM["child_linear_to_years"])
        .then(child)
        .otherwise(float(adult_below_mmhg))
    )


def daily_crs_signs(
    vitals: pl.DataFrame,
    patients: pl.DataFrame,
    *,
    fever_from_celsius: float = 38.0,
    low_flow_up_to_l_per_min: float = 6,
    systolic_below_mmhg: float = 90,
    hypoxia_spo2_below_percent: float = 92,
) -> pl.DataFrame:
    """What each day's vital signs say about fever, hypotension and hypoxia.

    Parameters
    ----------
    vitals, patients : DataFrame
        Tables of the trial; the age picks the norm of systolic pressure.
    systolic_below_mmhg : float
        Adults' hypotension, where the clinician did not code it.
    hypoxia_spo2_below_percent : float
        On room air only queried, never graded.

    Returns
    -------
    DataFrame [patient, day, fever, hypotension_grade, hypoxia_grade, pressure_known,
    oxygen_known, flow_unknown, low_saturation, other_cause], sorted by patient and day
        Worst of each calendar day. ``fever`` and the grades null where nothing was recorded;
        ``other_cause`` is yes only if every row of the day says so, possible if any does.

    Notes
    -----
    Lee (2019). Vasopressin alone counts as one vasopressor; the pressors of one row are counted
    together, rows of one day are not added up.
    """
    ages = patients.select("patient", "age_years")
    rows = vitals.join(ages, on="patient", how="left", validate="m:1", maintain_order="left")
    rows = rows.with_columns(_pressors()).with_columns(
        **crs_signs(
            fever_from_celsius=fever_from_celsius,
            low_flow_up_to_l_per_min=low_flow_up_to_l_per_min,
            systolic_below_mmhg=systolic_below_mmhg,
        ),
        flow_unknown=(pl.col("oxygen_device") == "nasal_cannula")
        & pl.col("oxygen_flow_l_per_min").is_null(),
        pressors_unknown=pl.col("vasopressors").is_null(),
        low_saturation=(pl.col("spo2_percent") < hypoxia_spo2_below_percent)
        & (pl.col("oxygen_device").fill_null("room_air") == "room_air"),
        cause=pl.col("other_cause").fill_null("no"),
    )
    hypotension = pl.col("hypotension_grade")
    return gather_rows(
        rows.with_columns(pl.col("day").floor()),
        ("patient", "day"),
        {
            "fever": pl.col("fever").max(),
            "hypotension_grade": hypotension.max(),
            "hypoxia_grade": pl.col("hypoxia_grade").max(),
            # hypotension without a word on vasopressors may have needed them
            "pressure_known": hypotension.is_not_null().any()
            & ~((hypotension == 2) & pl.col("pressors_unknown")).any(),
            "oxygen_known": (
                pl.col("hypoxia_grade").is_not_null() | pl.col("spo2_percent").is_not_null()
            ).any(),
            "flow_unknown": pl.col("flow_unknown").any(),
            "low_saturation": pl.col("low_saturation").any(),
            "other_cause": pl.when((pl.col("cause") == "yes").all())
            .then(pl.lit("yes"))
            .when((pl.col("cause") != "no").any())
            .then(pl.lit("possible"))
            .otherwise(pl.lit("no")),
        },
    )


def _pressors() -> list[pl.Expr]:
    """How many vasopressors are named, and how many of them count on their own."""
    drugs = pl.col("vasopressors").str.to_lowercase().str.split("+")
    trimmed = pl.element().str.strip_chars()
    no_drug, vasopressin = _CRS["vasopressors"]["no_drug"], _CRS["vasopressors"]["not_counted"]
    named = drugs.list.eval(trimmed.filter(~trimmed.is_in(no_drug)))
    counted = named.list.eval(pl.element().filter(~pl.element().is_in(vasopressin)).unique())
    return [named.list.len().alias("pressors"), counted.list.len().alias("pressors_counted")]


def crs_signs(
    words: Words = pl,
    *,
    fever_from_celsius: float = 38.0,
    low_flow_up_to_l_per_min: float = 6,
    systolic_below_mmhg: float = 90,
) -> dict[str, Any]:
    """Fever and the grades of hypotension and hypoxia in one row of vital signs.

    Parameters
    ----------
    words : polars, or arrays (``on_arrays``)
        With the columns of the table ``vitals``, ``age_years``, and for ``vasopressors`` how many
        are named (``pressors``) and how many of them are not vasopressin (``pressors_counted``).

    Returns
    -------
    dict of ``fever``, ``hypotension_grade``, ``hypoxia_grade`` to column; null where nothing was
    recorded
    """
    return {
        "fever": words.col("temperature_c").round(9) >= fever_from_celsius,
        "hypotension_grade": _hypotension_grade(systolic_below_mmhg, words),
        "hypoxia_grade": _hypoxia_grade(low_flow_up_to_l_per_min, words),
    }


def _hypotension_grade(systolic_below_mmhg: float, words: Words) -> Any:
    """0 none, 2 without vasopressor, 3 with one, 4 with several; null where nothing is recorded."""
    norm = systolic_norm(words.col("age_years"), words, adult_below_mmhg=systolic_below_mmhg)
    under, bolus = words.col("systolic_mmhg") < norm, words.col("fluid_bolus")
    # Kleene "or" leaves null where a normal pressure stands beside an empty bolus column
    low = words.coalesce(words.col("hypotension"), under | bolus, under, bolus)
    return (
        words.when(words.col("pressors_counted") >= 2)
        .then(words.lit(4))
        .when(words.col("pressors") >= 1)
        .then(words.lit(3))
        .when(low)
        .then(words.lit(2))
        .when(~low | words.col("pressors").is_not_null())
        .then(words.lit(0))
    )


def _hypoxia_grade(low_flow_up_to_l_per_min: float, words: Words) -> Any:
    """0 on room air, else the grade of the device; a cannula above the low flow is high-flow."""
    device, grades = words.col("oxygen_device"), _CRS["oxygen_grade"]
    fast = (device == "nasal_cannula") & (
        words.col("oxygen_flow_l_per_min") > low_flow_up_to_l_per_min
    )
    graded = words.when(fast).then(words.lit(grades["high_flow_cannula"]))
    for name, grade in grades.items():
        graded = graded.when(device == name).then(words.lit(grade))
    return graded.cast(pl.Int64)
