"""Exposure to tocilizumab and systemic steroids, and steroids on the day of HSCT."""

import polars as pl

from graftline.assess.answers import answer_everybody, join_flags
from graftline.assess.population import infused_patients, transplanted_patients
from graftline.assess.printed import printed_criteria
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.rules import Read, Rule
from graftline.trial import Trial

_TABLE = printed_criteria("medication")
_STEROIDS = _TABLE["steroids"]
_EQUIVALENT: dict[str, float] = _TABLE["prednisone_mg_per_mg"]
_STEROID_RECORDS = Read("drugs", "drug", tuple(_EQUIVALENT))
_STEROID_WORDS = (
    "Dexamethasone, methylprednisolone, prednisone, prednisolone, hydrocortisone by a systemic "
    "route. Premedication and physiologic hydrocortisone (up to 20 mg/m2/d) are not counted. "
    "Prednisone equivalent: dexamethasone x 6.67, methylprednisolone x 1.25."
)

RULES: tuple[Rule, ...] = (
    Rule(
        id="tocilizumab",
        title="Tocilizumab",
        words="Any tocilizumab from day 0; value = doses (label: at most 4), day = first dose.",
        citation="graftline",
        reads=(Read("drugs", "drug", ("tocilizumab",), window=(0, None)),),
        parameters=("from_day",),
    ),
    Rule(
        id="systemic_steroids",
        title="Systemic steroids for CRS, ICANS, IEC-HS or GVHD",
        words=(
            _STEROID_WORDS + " Counted by recorded indication; without one: indication unknown, "
            "listed. value = cumulative prednisone mg/kg, day = first day."
        ),
        citation="graftline",
        reads=(_STEROID_RECORDS,),
        parameters=("from_day", "counted_indications", "physiologic_up_to_mg_per_m2"),
    ),
    Rule(
        id="steroids_on_hsct_day",
        title="Systemic steroids on the day of HSCT",
        words=(
            _STEROID_WORDS + " Whatever else the indication, a course that covers the day of HSCT; "
            "it matters where no GVHD prophylaxis is given. value = prednisone mg/kg that day."
        ),
        citation="graftline",
        reads=(_STEROID_RECORDS, Read("infusions", "kind", ("hspc",))),
        parameters=("physiologic_up_to_mg_per_m2",),
    ),
)


def steroid_courses(
    drugs: pl.DataFrame,
    patients: pl.DataFrame,
    *,
    physiologic_up_to_mg_per_m2: float = 20,
) -> pl.DataFrame:
    """Systemic steroid courses in prednisone equivalents.

    Parameters
    ----------
    drugs, patients : DataFrame
        Tables of the trial; weight (and height, Mosteller) turn doses into mg.
    physiologic_up_to_mg_per_m2 : float
        Hydrocortisone up to this daily dose replaces the body's own.

    Returns
    -------
    DataFrame [patient, drug, start_day, end_day, days, indication, prednisone_mg_per_day,
    prednisone_mg_per_kg_per_day, class]
        ``class``: counted, indication unknown, other indication, premedication, physiologic.
        ``end_day`` null (and ``days`` 1, a lower bound) where the last day is not recorded; doses
        null where the dose, its unit or the weight is missing. Sorted by patient and day.
    """
    people = patients.select(
        "patient",
        "weight_kg",
        area=(pl.col("height_cm") * pl.col("weight_kg") / 3600).sqrt(),
    )
    name = pl.col("drug").str.to_lowercase().str.strip_chars()
    rows = (
        drugs.with_columns(drug=name)
        .filter(
            pl.col("drug").is_in(list(_EQUIVALENT))
            & ~pl.col("route").fill_null("iv").is_in(_STEROIDS["routes_not_systemic"])
        )
        .join(people, on="patient", how="left", validate="m:1")
    )
    per_unit = (
        pl.when(pl.col("unit").is_in(["mg", "mg/d"]))
        .then(1.0)
        .when(pl.col("unit") == "g")
        .then(1000.0)
        .when(pl.col("unit") == "mg/kg")
        .then("weight_kg")
        .when(pl.col("unit") == "mg/m2")
        .then("area")
        .when(pl.col("unit") == "ug")
        .then(0.001)
    )
    mg = pl.col("dose") * per_unit
    per_area = pl.when(pl.col("unit") == "mg/m2").then("dose").otherwise(mg / pl.col("area"))
    low_hydrocortisone = (pl.col("drug") == "hydrocortisone") & (
        per_area.round(9) <= physiologic_up_to_mg_per_m2
    )
    indication = pl.col("indication").fill_null("unknown")
    prednisone = mg * pl.col("drug").replace_strict(_EQUIVALENT, return_dtype=pl.Float64)
    return rows.select(
        "patient",
        "drug",
        "start_day",
        "end_day",
        days=(pl.col("end_day").floor() - pl.col("start_day").floor() + 1).fill_null(1),
        indication=indication,
        prednisone_mg_per_day=prednisone,
        prednisone_mg_per_kg_per_day=prednisone / pl.col("weight_kg"),
        **{
            "class": pl.when(indication.is_in(["premedication", "physiologic"]))
            .then(indication)
            .when(low_hydrocortisone.fill_null(value=False))
            .then(pl.lit("physiologic"))
            .when(indication.is_in(_STEROIDS["counted_indications"]))
            .then(pl.lit("counted"))
            .when(indication == "unknown")
            .then(pl.lit("indication unknown"))
            .otherwise(pl.lit("other indication"))
        },
    ).sort("patient", "start_day", "drug", "end_day", "indication", nulls_last=True)


def assess(trial: Trial) -> Assessed:
    """Tocilizumab, systemic steroids, and steroids on the day of HSCT.

    Returns
    -------
    Assessed
        Patients without any drug record are ``not_evaluable``. ``details["steroid_courses"]``:
        columns of ``steroid_courses``.
    """
    drugs = trial["drugs"]
    courses = steroid_courses(drugs, trial.patients)
    population = infused_patients(trial)
    grafts = transplanted_patients(trial)
    recorded = drugs.select("patient").unique()
    results = [
        as_results(
            _no_where_recorded(population, _tocilizumab(drugs), recorded), rule="tocilizumab"
        ),
        as_results(
            _no_where_recorded(population, _steroids(courses), recorded), rule="systemic_steroids"
        ),
        as_results(
            _no_where_recorded(grafts, _on_hsct_day(courses, grafts), recorded),
            rule="steroids_on_hsct_day",
        ),
    ]
    return Assessed(combine_results(results), {"steroid_courses": courses})


def _no_where_recorded(
    population: pl.DataFrame, answers: pl.DataFrame, recorded: pl.DataFrame
) -> pl.DataFrame:
    """State no for patients whose drugs are recorded without the one asked for."""
    without = recorded.join(answers, on="patient", how="anti").with_columns(state=pl.lit("no"))
    both = pl.concat([answers, without], how="diagonal").join(population, on="patient", how="semi")
    return answer_everybody(population, both)


def _tocilizumab(drugs: pl.DataFrame, *, from_day: float = 0) -> pl.DataFrame:
    named = pl.col("drug").str.to_lowercase().str.strip_chars()
    limit = _TABLE["tocilizumab"]["label_doses"]
    days = pl.col("end_day").floor() - pl.col("start_day").floor() + 1
    return (
        drugs.filter(
            named.is_in(_TABLE["tocilizumab"]["drugs"]) & (pl.col("start_day") >= from_day)
        )
        .group_by("patient")
        .agg(
            state=pl.lit("yes").first(),
            value=days.fill_null(1).sum(),
            day=pl.col("start_day").min(),
        )
        .with_columns(
            flags=pl.when(pl.col("value") > limit).then(pl.lit(f"more than {limit} doses"))
        )
    )


def _steroids(courses: pl.DataFrame, *, from_day: float = 0) -> pl.DataFrame:
    """Counted courses per patient; patients whose only courses lack an indication are unknown."""
    since = courses.filter(
        (pl.coalesce("end_day", "start_day") >= from_day)
        & pl.col("class").is_in(["counted", "indication unknown"])
    ).with_columns(
        # a course begun before day 0 counts from day 0
        days=pl.max_horizontal(
            pl.col("days") - (from_day - pl.col("start_day").floor()).clip(lower_bound=0),
            pl.lit(1.0),
        )
    )
    counted = pl.col("class") == "counted"
    dose = pl.col("prednisone_mg_per_kg_per_day") * pl.col("days")
    per_patient = since.group_by("patient").agg(
        any_counted=counted.any(),
        any_unknown=(~counted).any(),
        value=pl.when(dose.filter(counted).is_not_null().all()).then(dose.filter(counted).sum()),
        day=pl.col("start_day").filter(counted).min(),
        label=pl.col("indication").filter(counted).unique().sort().str.join("+"),
        no_end=(pl.col("end_day").is_null() & counted).any(),
    )
    days = _days_on(since.filter(counted))
    joined = per_patient.join(days, on="patient", how="left", validate="1:1")
    yes = pl.col("any_counted")
    return joined.select(
        "patient",
        state=pl.when(yes).then(pl.lit("yes")).otherwise(pl.lit("not_evaluable")),
        value=pl.when(yes).then("value"),
        label=pl.when(yes).then("label"),
        day=pl.when(yes).then(pl.max_horizontal("day", pl.lit(float(from_day)))),
        lower_bound=yes & (pl.col("no_end") | pl.col("any_unknown")),
        reason=pl.when(~yes).then(pl.lit("indication_unknown")),
        flags=join_flags(
            [
                pl.when(yes).then(pl.format("{} days on treatment", "days_on")),
                pl.when(yes & pl.col("any_unknown")).then(pl.lit("indication unknown")),
                pl.when(yes & pl.col("no_end")).then(pl.lit("last day not recorded")),
                pl.when(yes & pl.col("value").is_null()).then(pl.lit("dose or weight missing")),
            ]
        ),
    )


def _days_on(courses: pl.DataFrame, *, from_day: float = 0) -> pl.DataFrame:
    """Calendar days covered by at least one course: patient, days_on."""
    first = pl.max_horizontal(pl.col("start_day").floor(), pl.lit(from_day)).cast(pl.Int64)
    return (
        courses.select("patient", day=pl.int_ranges(first, first + pl.col("days").cast(pl.Int64)))
        .explode("day")
        .group_by("patient")
        .agg(days_on=pl.col("day").n_unique())
    )


def _on_hsct_day(courses: pl.DataFrame, grafts: pl.DataFrame) -> pl.DataFrame:
    """Courses that cover the day of HSCT; one without a last day leaves it open."""
    hsct = pl.col("hsct_day").floor()
    start, end = pl.col("start_day").floor(), pl.col("end_day").floor()
    # without a last day only the first day of a course is certain
    lasts = (
        pl.when(end.is_not_null()).then(end >= hsct).when(start == hsct).then(pl.lit(value=True))
    )
    covers = (start <= hsct) & lasts
    per_patient = (
        courses.filter(~pl.col("class").is_in(["premedication", "physiologic"]))
        .join(grafts, on="patient", how="inner", validate="m:1")
        .with_columns(covers=covers)
        .filter(pl.col("covers").fill_null(value=True))
        .group_by("patient")
        .agg(
            certain=pl.col("covers").fill_null(value=False).any(),
            value=pl.col("prednisone_mg_per_kg_per_day")
            .filter(pl.col("covers").fill_null(value=False))
            .sum(),
            undosed=pl.col("prednisone_mg_per_kg_per_day")
            .filter(pl.col("covers").fill_null(value=False))
            .is_null()
            .any(),
            day=pl.col("hsct_day").first(),
            label=pl.col("indication").unique().sort().str.join("+"),
        )
    )
    return per_patient.select(
        "patient",
        "label",
        "day",
        state=pl.when("certain").then(pl.lit("yes")).otherwise(pl.lit("not_evaluable")),
        value=pl.when(pl.col("certain") & ~pl.col("undosed")).then("value"),
        reason=pl.when(~pl.col("certain")).then(pl.lit("last_day_unknown")),
        flags=pl.when(pl.col("certain") & pl.col("undosed")).then(pl.lit("dose or weight missing")),
    )
