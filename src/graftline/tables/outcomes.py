"""Outcomes as such papers print them: toxicity, GVHD, engraftment, response, and death."""

import polars as pl

from graftline.tables.layout import statistics_table
from graftline.tables.rule_summary import RuleLine, summarise_rules
from graftline.tables.statistics import count_rows, join_statistics, levels_of
from graftline.tables.value import ReportTable
from graftline.trial import Trial, followup_ends

GRADES = tuple(
    (float(g), text)
    for g, text in enumerate(["none", "grade 1", "grade 2", "grade 3", "grade 4", "grade 5"])
)
GVHD_GRADES = tuple(
    (float(g), text)
    for g, text in enumerate(["none", "grade I", "grade II", "grade III", "grade IV"])
)

OUTCOME_LINES = (
    RuleLine("crs", "CRS", "grades", "CAR-T toxicity", GRADES),
    RuleLine("crs", "CRS onset", "day", "CAR-T toxicity", unit="days after CAR-T", digits=1),
    RuleLine("crs_duration", "CRS duration", "value", "CAR-T toxicity", unit="days", digits=1),
    RuleLine("icans", "ICANS", "grades", "CAR-T toxicity", GRADES),
    RuleLine("iec_hs", "IEC-HS", "yes", "CAR-T toxicity"),
    RuleLine("tocilizumab", "Tocilizumab given", "yes", "CAR-T toxicity"),
    RuleLine("systemic_steroids", "Systemic steroids given", "yes", "CAR-T toxicity"),
    RuleLine("pancytopenia_grade4", "Grade 4 pancytopenia", "yes", "CAR-T toxicity"),
    RuleLine("gvhd_before_hspc", "GVHD before HSPC", "yes", "GVHD"),
    RuleLine("acute_gvhd", "Acute GVHD after HSPC", "grades", "GVHD", GVHD_GRADES),
    RuleLine("chronic_gvhd", "Chronic GVHD", "yes", "GVHD"),
    RuleLine(
        "neutrophil_engraftment", "Neutrophil engraftment", "yes", "Engraftment and chimerism"
    ),
    RuleLine(
        "neutrophil_engraftment",
        "Neutrophil engraftment, time",
        "day",
        "Engraftment and chimerism",
        unit="days after HSPC",
        digits=1,
    ),
    RuleLine("platelet_engraftment_20", "Platelet engraftment", "yes", "Engraftment and chimerism"),
    RuleLine(
        "platelet_engraftment_20",
        "Platelet engraftment, time",
        "day",
        "Engraftment and chimerism",
        unit="days after HSPC",
        digits=1,
    ),
    RuleLine(
        "chimerism_ever_full",
        "Full donor chimerism at any time",
        "yes",
        "Engraftment and chimerism",
    ),
    RuleLine("autologous_recovery", "Autologous recovery", "yes", "Engraftment and chimerism"),
    RuleLine("infection_bacterial_or_fungal", "Bacterial or fungal", "yes", "Infection"),
    RuleLine("viral_reactivation", "Viral reactivation", "yes", "Infection"),
    RuleLine("remission", "CR, CRh or CRi", "yes", "Response"),
    RuleLine("remission_day28_after_hsct", "Remission on day 28 after HSPC", "yes", "Response"),
    RuleLine("relapse", "Relapse or progression", "yes", "Response"),
)


def outcome_statistics(trial: Trial, chosen: pl.DataFrame) -> pl.DataFrame:
    """Statistics of the outcomes of every patient with an index infusion, deaths by cause last."""
    return join_statistics([summarise_rules(chosen, OUTCOME_LINES), death_statistics(trial)])


def death_statistics(trial: Trial) -> pl.DataFrame:
    """Deaths and their causes among infused patients; an unknown vital status is missing."""
    infused = trial.patients.filter(pl.col("status").is_in(["infused", "transplanted"]))
    ends = followup_ends(trial).join(infused.select("patient"), on="patient", how="semi")
    vital = ends.select(
        pl.when(pl.col("dead") | pl.col("end_day").is_not_null()).then("dead")
    ).to_series()
    rows = [count_rows(vital, [(True, "Death")], group="Death")]
    causes = ends.select(
        pl.when("dead")
        .then(pl.col("death_cause").fill_null("cause not recorded"))
        .when(pl.col("end_day").is_not_null())
        .then(pl.lit("alive"))
    ).to_series()
    levels = [
        (level, f"Death, cause: {text}") for level, text in levels_of(causes) if level != "alive"
    ]
    if levels:
        rows.append(count_rows(causes, levels, group="Death"))
    return join_statistics(rows)


def outcomes_table(trial: Trial, chosen: pl.DataFrame) -> ReportTable:
    """Outcomes, everybody with an index infusion (HSPC outcomes: everybody with HSPC)."""
    return statistics_table(
        "outcomes",
        "Outcomes",
        outcome_statistics(trial, chosen),
        first_column="Outcome",
        missing_label="Not evaluable",
        footnotes=(
            "A patient without the records a rule needs is not evaluable, never a no.",
            "Days of engraftment count from HSPC, all other days from the index infusion.",
        ),
    )
