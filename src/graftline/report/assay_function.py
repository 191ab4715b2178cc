"""The section on T-cell function, from a study of stimulated wells."""

import polars as pl

from graftline.assays.function_study import FunctionStudy
from graftline.figures.assays_division import draw_person_bars
from graftline.report.value import ReportFigure, Section
from graftline.tables.assay_function import (
    STIMULUS_WORDS,
    function_people_table,
    function_wells_table,
    responses_table,
)

MOST_PANELS = 12


def function_section(study: FunctionStudy) -> Section:
    """Percent responding to PMA/ionomycin, CD3/CD28 and viral peptides, net of unstimulated."""
    tables = [responses_table(study), function_people_table(study), function_wells_table(study)]
    missing = []
    if tables[1] is None:
        missing.append("Patients and donors are not compared: one side has no stimulated wells.")
    patients = study.wells["patient"].unique(maintain_order=True).to_list()
    if len(patients) > MOST_PANELS:
        missing.append(f"Figures show the first {MOST_PANELS} of {len(patients)} patients.")
    return Section(
        "function",
        "T-cell function",
        (),
        tuple(table for table in tables if table is not None),
        (_bars(study, patients[:MOST_PANELS]),),
        tuple(missing),
    )


def function_facts(study: FunctionStudy) -> tuple[tuple[str, str], ...]:
    """What a reader of the page wants first."""
    responding = int(study.summary["responds"].sum())
    return (
        ("People", str(study.wells["subject"].n_unique())),
        ("Wells", str(study.wells.height)),
        ("Responses", f"{responding} of {study.summary.height} person-stimulus-days"),
    )


def _bars(study: FunctionStudy, patients: list[str]) -> ReportFigure:
    shown = study.wells.filter(
        pl.col("patient").is_in(patients), pl.col("stimulus") != "none"
    ).select(
        "patient",
        "net_percent",
        person="role",
        stimulus=pl.col("stimulus")
        .replace(STIMULUS_WORDS)
        .str.replace_many([" ", "/"], ["_", "/_"]),
    )
    return ReportFigure(
        "function-bars",
        "Cells responding to stimulation",
        "Net of unstimulated wells; bars are means, points are wells (all days of a person).",
        draw_person_bars(shown, value="net_percent", label="Responding, net (%)"),
    )
