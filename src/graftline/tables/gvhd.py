"""GVHD: before HSPC and after it, acute by grade and chronic by severity."""

from typing import Any

import polars as pl

from graftline.tables.format import gvhd_grade, number, words
from graftline.tables.layout import (
    listed,
    listing_notes,
    statistics_table,
    without_empty_columns,
)
from graftline.tables.outcomes import GVHD_GRADES
from graftline.tables.rule_summary import RuleLine, summarise_rules
from graftline.tables.value import ReportTable, TableColumn, TableRow

GVHD_LINES = (
    RuleLine("gvhd_before_hspc", "GVHD before HSPC", "yes", "Before HSPC"),
    RuleLine("gvhd_before_hspc", "Cells held responsible", "labels", "Before HSPC"),
    RuleLine("acute_gvhd", "Worst grade by day 100", "grades", "Acute, after HSPC", GVHD_GRADES),
    RuleLine("acute_gvhd", "Onset", "day", "Acute, after HSPC", unit="days after HSPC", digits=1),
    RuleLine(
        "acute_gvhd_overall",
        "Worst grade at any time",
        "grades",
        "Acute, after HSPC",
        GVHD_GRADES,
    ),
    RuleLine("chronic_gvhd", "Chronic GVHD", "yes", "Chronic"),
    RuleLine("chronic_gvhd", "Severity", "labels", "Chronic"),
    RuleLine("chronic_gvhd", "Onset", "day", "Chronic", unit="days after HSPC", digits=1),
)


def gvhd_table(chosen: pl.DataFrame) -> ReportTable:
    """GVHD by grade; grade 0 are the patients observed to have none."""
    return statistics_table(
        "gvhd",
        "Graft-versus-host disease",
        summarise_rules(chosen, GVHD_LINES),
        first_column="Result",
        missing_label="Not evaluable",
    )


def gvhd_listing(chosen: pl.DataFrame) -> ReportTable | None:
    """Each patient with acute GVHD of any timing; none without such patients."""
    rules = ["gvhd_before_hspc", "acute_gvhd", "chronic_gvhd"]
    rows = chosen.filter(pl.col("rule").is_in(rules) & (pl.col("state") == "yes")).sort(
        "patient", "rule"
    )
    if rows.is_empty():
        return None
    kinds = dict(zip(rules, ("before HSPC", "acute, after HSPC", "chronic"), strict=True))
    cells = [
        TableRow(
            (
                row["patient"],
                kinds[row["rule"]],
                gvhd_grade(row["value"]) if row["rule"] != "chronic_gvhd" else "",
                _class(row),
                number(row["day"], digits=0),
                words(row["flags"] or ""),
                row["source"],
            )
        )
        for row in rows.head(listed(rows.height)).iter_rows(named=True)
    ]
    notes = ["Days before HSPC count from CAR-T, days after it from HSPC."]
    return without_empty_columns(
        ReportTable(
            "gvhd-listing",
            "Patients with GVHD",
            (
                TableColumn("Patient", "left"),
                TableColumn("GVHD", "left"),
                TableColumn("Grade"),
                TableColumn("Class", "left"),
                TableColumn("Onset", unit="day"),
                TableColumn("Remarks", "left"),
                TableColumn("Source", "left"),
            ),
            tuple(cells),
            rows,
            (*notes, *listing_notes(rows.height)),
        )
    )


def _class(row: dict[str, Any]) -> str:
    """Severity, or cells held responsible; nothing where the class is the grade again."""
    label = words(row["label"] or "")
    return "" if label == gvhd_grade(row["value"]) else label
