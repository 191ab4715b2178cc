"""What was given: products, doses, lymphodepletion, grafts, and the intervals between them."""

import polars as pl

from graftline.tables.format import sentence
from graftline.tables.layout import statistics_table
from graftline.tables.rule_summary import RuleLine, summarise_rules
from graftline.tables.statistics import count_rows, join_statistics, levels_of, spread_row
from graftline.tables.value import ReportTable
from graftline.trial import Trial, hsct_days

_DOSES = (
    ("car_t", "car_t_1e6_per_kg", "CAR-T dose", "1e6 cells/kg", "CAR-T"),
    ("hspc", "cd34_1e6_per_kg", "CD34+ cells", "1e6/kg", "Graft"),
    ("hspc", "cd3_1e8_per_kg", "CD3+ cells", "1e8/kg", "Graft"),
    ("hspc", "mnc_1e8_per_kg", "Mononuclear cells", "1e8/kg", "Graft"),
)
_PRODUCT_LINES = (
    ("viability_percent", "Viability", "%"),
    ("cd3_percent", "CD3+", "%"),
    ("car_percent", "CAR+", "%"),
    ("vcn_copies_per_cell", "Vector copies per cell", None),
    ("cd7_residual_percent", "CD7+ cells left", "%"),
)
DOSING_LINES = (
    RuleLine("hla_match", "HLA alleles matched of ten", "value_all", "Donor"),
    RuleLine("abo_match", "ABO, donor to patient", "labels", "Donor"),
    RuleLine("lymphodepletion_dose", "Lymphodepletion as planned", "yes", "Lymphodepletion"),
)


def describe_treatment(trial: Trial, chosen: pl.DataFrame) -> pl.DataFrame:
    """Statistics of products, doses, grafts and intervals; doses of several bags are summed."""
    return join_statistics(
        [
            _infused_doses(trial),
            _manufacture(trial),
            summarise_rules(chosen, DOSING_LINES),
            _lymphodepletion(trial),
            _intervals(trial),
        ]
    )


def _infused_doses(trial: Trial) -> pl.DataFrame:
    infusions = trial["infusions"]
    frames = []
    for kind in ("car_t", "hspc"):
        given = infusions.filter(pl.col("kind") == kind)
        group = "CAR-T" if kind == "car_t" else "Graft"
        column = "type" if kind == "car_t" else "purpose"
        first = (
            given.sort("patient", "row")
            .group_by("patient", maintain_order=True)
            .agg(pl.col(column).drop_nulls().first())
        )
        if first[column].null_count() < first.height:
            levels = [
                (v, f"{sentence(column)}: {t.replace('_', ' ')}")
                for v, t in levels_of(first[column])
            ]
            frames.append(count_rows(first[column], levels, group=group))
    for kind, column, label, unit, group in _DOSES:
        given = infusions.filter(pl.col("kind") == kind)
        dose = (
            given.group_by("patient")
            # a bag without a dose makes the sum unknown, not smaller
            .agg(pl.when(pl.col(column).null_count() == 0).then(pl.col(column).sum()))
            .sort("patient")
        )
        if dose.height:
            frames.append(spread_row(dose[column], group=group, label=label, unit=unit))
    return join_statistics(frames)


def _manufacture(trial: Trial) -> pl.DataFrame:
    lots = trial["products"].filter(pl.col("kind") == "car_t").sort("patient", "row")
    if lots.is_empty():
        return join_statistics([])
    frames = [
        count_rows(lots["released"], [(True, "CAR-T lots released")], group="Manufacture"),
        spread_row(
            lots["released_day"] - lots["collected_day"],
            group="Manufacture",
            label="Collection to release",
            unit="days",
        ),
    ]
    frames += [
        spread_row(lots[column], group="Manufacture", label=label, unit=unit)
        for column, label, unit in _PRODUCT_LINES
        if lots[column].null_count() < lots.height
    ]
    return join_statistics(frames)


def _lymphodepletion(trial: Trial) -> pl.DataFrame:
    courses = trial["drugs"].filter(pl.col("indication") == "lymphodepletion")
    if courses.is_empty():
        return join_statistics([])
    per_patient = (
        courses.with_columns(days=pl.col("end_day") - pl.col("start_day") + 1)
        .group_by("patient", "drug", "unit")
        .agg(dose=pl.col("dose").max(), days=pl.col("days").sum())
        .sort("drug", "unit", "patient")
    )
    frames = []
    for part in per_patient.partition_by("drug", "unit", maintain_order=True):
        drug, unit = part["drug"][0], part["unit"][0]
        frames += [
            spread_row(
                part["dose"],
                group="Lymphodepletion",
                label=f"{sentence(drug)}, dose per day",
                unit=unit,
            ),
            spread_row(
                part["days"],
                group="Lymphodepletion",
                label=f"{sentence(drug)}, days",
                digits=0,
            ),
        ]
    return join_statistics(frames)


def _intervals(trial: Trial) -> pl.DataFrame:
    if trial.protocol.index_infusion != "car_t":
        return join_statistics([])
    days = hsct_days(trial)
    if days.is_empty():
        return join_statistics([])
    return join_statistics(
        [
            spread_row(
                days.select(pl.when(~pl.col("assumed")).then("hsct_day")).to_series(),
                group="Intervals",
                label="CAR-T to HSPC, where the day is stated",
                unit="days",
                digits=0,
            ),
            spread_row(
                days["hsct_day"],
                group="Intervals",
                label="CAR-T to HSPC, ranges at their middle",
                unit="days",
                digits=0,
            ),
        ]
    )


def treatment_table(trial: Trial, chosen: pl.DataFrame) -> ReportTable:
    """Products, doses, lymphodepletion, grafts, intervals."""
    return statistics_table(
        "treatment",
        "Treatment, manufacture and intervals",
        describe_treatment(trial, chosen),
        first_column="Quantity",
    )
