"""Doses: CAR-T cells/kg, lymphodepletion as planned; days from CAR-T infusion."""

import polars as pl

from graftline.assess.answers import answer_everybody, join_flags
from graftline.assess.dose_checks import (
    bedside_checks,
    order_checks,
    release_checks,
    renal_checks,
)
from graftline.assess.dose_formulas import Surface, body_surface, car_t_share
from graftline.assess.population import infused_patients
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.protocol import Protocol
from graftline.rules import Read, Rule
from graftline.trial import Trial

RULES: tuple[Rule, ...] = (
    Rule(
        id="car_t_dose",
        title="CAR-T dose, viable CAR+ T cells/kg",
        words=(
            "Bags of the first seven days summed, as recorded with the infusion; else volume x "
            "cells/mL x viability x % CD3+ of viable x % CAR+ of CD3+ (or % CAR+ of viable) / "
            "weight at enrolment. Flagged outside 20 % of the protocol's target."
        ),
        citation="graftline",
        reads=(
            Read("infusions", "kind", ("car_t",)),
            Read("products", "kind", ("car_t",)),
            Read("patients"),
        ),
        parameters=("within_percent",),
    ),
    Rule(
        id="lymphodepletion_dose",
        title="Lymphodepletion as planned",
        words=(
            "Each drug of the protocol given in total within 10 % of the planned dose; value is "
            "the smallest share given. Doses in mg and mg/m2 are compared by body surface; a flat "
            "dose recorded per m2 is a query."
        ),
        citation="graftline",
        reads=(Read("drugs", "indication", ("lymphodepletion",)), Read("patients")),
        parameters=("bsa", "within_percent"),
    ),
)


def product_doses(products: pl.DataFrame, patients: pl.DataFrame) -> pl.DataFrame:
    """Viable CAR+ T cells/kg in each CAR-T lot.

    Returns
    -------
    DataFrame [patient, product, made_cells_per_kg]
    """
    share = car_t_share(
        pl.col("viability_percent"),
        pl.col("cd3_percent"),
        pl.col("car_percent"),
        pl.col("car_parent"),
    )
    return (
        products.filter(pl.col("kind") == "car_t")
        .join(patients.select("patient", "weight_kg"), on="patient", how="left", validate="m:1")
        .sort("patient", "product", "row")
        .unique(["patient", "product"], keep="first", maintain_order=True)
        .select(
            "patient",
            "product",
            made_cells_per_kg=pl.col("volume_ml")
            * pl.col("cells_per_ml")
            * share
            / pl.col("weight_kg"),
        )
    )


def target_doses(protocol: Protocol, trial: Trial) -> pl.DataFrame:
    """The protocol's target dose for the product each patient got.

    Returns
    -------
    DataFrame [patient, target_cells_per_kg]
        Null where the kind of product is not recorded and the protocol has several targets.
    """
    lots = (
        trial["products"]
        .filter(pl.col("kind") == "car_t")
        .select("patient", "product", made_type="type")
    )
    first = (
        trial["infusions"]
        .filter(pl.col("kind") == "car_t")
        .join(
            lots.unique(["patient", "product"], keep="first", maintain_order=True),
            on=["patient", "product"],
            how="left",
            validate="m:1",
        )
        .sort("patient", "day", "row", nulls_last=True)
        .unique("patient", keep="first", maintain_order=True)
        .select("patient", type=pl.coalesce("type", "made_type"))
    )
    targets: dict[str, float | None] = {p.type: p.dose_cells_per_kg for p in protocol.products}
    only = next(iter(targets.values())) if len(set(targets.values())) == 1 else None
    return first.select(
        "patient",
        target_cells_per_kg=pl.when(pl.col("type").is_null())
        .then(pl.lit(only, dtype=pl.Float64))
        .otherwise(
            pl.col("type").replace_strict(
                list(targets), list(targets.values()), default=None, return_dtype=pl.Float64
            )
        ),
    )


def car_t_doses(
    infusions: pl.DataFrame,
    made: pl.DataFrame,
    targets: pl.DataFrame,
    *,
    course_days: float = 7,
    within_percent: float = 20,
) -> pl.DataFrame:
    """CAR-T dose given to each patient.

    Parameters
    ----------
    infusions : DataFrame, the ``infusions`` table
    made : DataFrame as from ``product_doses``
    targets : DataFrame as from ``target_doses``
    course_days : float
        Bags so many days from the first belong to one dose.
    within_percent : float
        Distance from the target that is flagged.

    Returns
    -------
    DataFrame [patient, state, value, day, lower_bound, flags, reason]
        ``value`` in cells/kg. Flags: ``calculated_from_product``, ``below_target``,
        ``above_target``, ``record_and_product_differ`` (by more than 10 %).
    """
    bags = (
        infusions.filter(pl.col("kind") == "car_t")
        .join(made, on=["patient", "product"], how="left", validate="m:1")
        .with_columns(recorded=pl.col("car_t_1e6_per_kg") * 1e6)
        .with_columns(
            dose=pl.coalesce("recorded", "made_cells_per_kg"),
            first=pl.col("day").min().over("patient"),
        )
        .filter((pl.col("day") <= pl.col("first") + course_days).fill_null(value=True))
        .sort("patient", "day", "dose", nulls_last=True)
    )
    apart = (pl.col("recorded") - pl.col("made_cells_per_kg")).abs() > 0.1 * pl.col("recorded")
    rows = (
        bags.with_columns(apart=apart.fill_null(value=False))
        .group_by("patient", maintain_order=True)
        .agg(
            value=pl.when(pl.col("dose").count() > 0).then(pl.col("dose").sum()),
            day=pl.col("day").min(),
            unknown=pl.col("dose").null_count(),
            calculated=(pl.col("recorded").is_null() & pl.col("dose").is_not_null()).any(),
            apart=pl.col("apart").any(),
        )
        .join(targets, on="patient", how="left", validate="1:1")
    )
    ratio = (pl.col("value") / pl.col("target_cells_per_kg")).round(9)
    known = pl.col("value").is_not_null()
    return rows.select(
        "patient",
        "value",
        "day",
        lower_bound=known & (pl.col("unknown") > 0),
        state=pl.when(known).then(pl.lit("yes")).otherwise(pl.lit("not_evaluable")),
        reason=pl.when(~known).then(pl.lit("dose_not_recorded")),
        flags=join_flags(
            [
                pl.when("calculated").then(pl.lit("calculated_from_product")),
                pl.when(ratio < 1 - within_percent / 100).then(pl.lit("below_target")),
                pl.when(ratio > 1 + within_percent / 100).then(pl.lit("above_target")),
                pl.when("apart").then(pl.lit("record_and_product_differ")),
            ]
        ),
    ).sort("patient")


def planned_against_given(
    protocol: Protocol,
    drugs: pl.DataFrame,
    patients: pl.DataFrame,
    *,
    bsa: Surface = "mosteller",
) -> pl.DataFrame:
    """Every drug of the planned lymphodepletion beside what was given.

    Parameters
    ----------
    protocol : Protocol
    drugs : DataFrame, the ``drugs`` table
        Rows for lymphodepletion; a dose is per day, from the first to the last day.
    patients : DataFrame [patient, height_cm, weight_kg]
    bsa : {"mosteller", "dubois"}

    Returns
    -------
    DataFrame [patient, drug, unit, planned, given, share, per_m2_query, first_day, last_day]
        One row per patient with any such record and per planned drug; totals in ``unit``. ``given``
        is 0 for a drug not recorded and null where dose, last day or body size is missing.
        ``per_m2_query``: a flat dose was recorded per m2.
    """
    plan = pl.DataFrame(
        {
            "drug": [d.drug for d in protocol.lymphodepletion],
            "planned_unit": [d.unit for d in protocol.lymphodepletion],
            "planned": [
                None if d.dose is None else d.dose * len(d.days) for d in protocol.lymphodepletion
            ],
        },
        schema={"drug": pl.String, "planned_unit": pl.String, "planned": pl.Float64},
    )
    size = patients.select(
        "patient",
        "weight_kg",
        area=body_surface(pl.col("height_cm"), pl.col("weight_kg"), formula=bsa),
    )
    days = pl.col("end_day").floor() - pl.col("start_day").floor() + 1
    given = (
        drugs.filter(pl.col("indication") == "lymphodepletion")
        .with_columns(drug=pl.col("drug").str.to_lowercase().str.strip_chars())
        .join(plan, on="drug", how="left", validate="m:1")
        .join(size, on="patient", how="left", validate="m:1")
        .with_columns(total=_in_planned_unit() * days)
    )
    totals = given.group_by("patient", "drug").agg(
        given=pl.when(pl.col("total").null_count() == 0).then(pl.col("total").sum()),
        per_m2_query=((pl.col("unit") == "mg/m2") & (pl.col("planned_unit") == "mg")).any(),
        first_day=pl.col("start_day").min(),
        last_day=pl.col("end_day").max(),
        recorded=pl.len(),
    )
    return (
        given.select("patient")
        .unique()
        .join(plan, how="cross")
        .join(totals, on=["patient", "drug"], how="left", validate="1:1")
        .with_columns(given=pl.when(pl.col("recorded").is_null()).then(0.0).otherwise("given"))
        .select(
            "patient",
            "drug",
            "planned",
            "given",
            "first_day",
            "last_day",
            unit="planned_unit",
            share=pl.col("given") / pl.col("planned"),
            per_m2_query=pl.col("per_m2_query").fill_null(value=False),
        )
        .sort("patient", "drug")
    )


def _in_planned_unit() -> pl.Expr:
    """Daily dose in the unit of the plan; null where the conversion lacks something."""
    unit, planned = pl.col("unit").replace("mg/d", "mg"), pl.col("planned_unit")
    mg = (
        pl.when(unit == "mg")
        .then("dose")
        .when(unit == "g")
        .then(pl.col("dose") * 1000)
        .when(unit == "mg/m2")
        .then(pl.col("dose") * pl.col("area"))
        .when(unit == "mg/kg")
        .then(pl.col("dose") * pl.col("weight_kg"))
    )
    return (
        pl.when(unit == planned)
        .then("dose")
        .when(planned == "mg")
        .then(mg)
        .when(planned == "mg/m2")
        .then(mg / pl.col("area"))
        .when(planned == "mg/kg")
        .then(mg / pl.col("weight_kg"))
    )


def lymphodepletion_answers(given: pl.DataFrame, *, within_percent: float = 10) -> pl.DataFrame:
    """Whether the lymphodepletion was given as planned.

    Parameters
    ----------
    given : DataFrame as from ``planned_against_given``
    within_percent : float

    Returns
    -------
    DataFrame [patient, state, value, day, flags, reason]
        ``value`` the smallest share of a planned dose, ``day`` the first day.
    """
    off = (pl.col("share") - 1).abs().round(9) > within_percent / 100
    rows = (
        given.with_columns(off=off | pl.col("per_m2_query"))
        .group_by("patient", maintain_order=True)
        .agg(
            any_off=pl.col("off").any(),
            unknown=pl.col("share").is_null().any(),
            value=pl.col("share").min(),
            day=pl.col("first_day").min(),
            flags=(
                pl.col("drug")
                + pl.when("per_m2_query").then(pl.lit("_per_m2")).otherwise(pl.lit("_off_plan"))
            )
            .filter(pl.col("off"))
            .str.join("; "),
        )
    )
    return rows.select(
        "patient",
        "value",
        "day",
        state=pl.when("any_off")
        .then(pl.lit("no"))
        .when("unknown")
        .then(pl.lit("not_evaluable"))
        .otherwise(pl.lit("yes")),
        reason=pl.when(~pl.col("any_off") & pl.col("unknown")).then(pl.lit("dose_not_recorded")),
        flags=pl.when(pl.col("flags") != "").then("flags"),
    )


def assess(trial: Trial) -> Assessed:
    """Doses of a trial.

    Details
    -------
    dose_checks [patient, check, text, observed, unit, low, high, met, suggestion, source]
        ``met`` is met, not met or unknown.
    """
    protocol, people = trial.protocol, infused_patients(trial)
    made = product_doses(trial["products"], trial.patients)
    targets = target_doses(protocol, trial)
    doses = car_t_doses(trial["infusions"], made, targets)
    bsa = protocol.definitions.bsa
    given = planned_against_given(protocol, trial["drugs"], trial.patients, bsa=bsa)
    checks = pl.concat(
        [
            release_checks(trial, doses, targets),
            bedside_checks(trial),
            order_checks(trial, given),
            renal_checks(trial),
        ]
    ).join(people, on="patient", how="semi")
    frames = [
        as_results(answer_everybody(people, doses), rule="car_t_dose"),
        as_results(
            answer_everybody(people, lymphodepletion_answers(given)), rule="lymphodepletion_dose"
        ),
    ]
    return Assessed(
        combine_results(frames), {"dose_checks": checks.sort("patient", "check", "source")}
    )
