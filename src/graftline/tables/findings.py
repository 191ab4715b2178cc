"""What the data say of themselves: findings, disagreements of sources, who could be judged."""

from collections.abc import Iterable, Mapping

import polars as pl

from graftline.problems import Problem
from graftline.rules import Rule
from graftline.tables.format import sentence, words
from graftline.tables.rule_summary import evaluable_counts
from graftline.tables.value import ReportTable, TableColumn, TableRow, plain_rows

LISTING_LIMIT = 300


def findings_table(problems: Iterable[Problem]) -> ReportTable:
    """Every finding of reading and checking the files."""
    numbers = pl.DataFrame(
        [
            {
                "severity": str(p.severity),
                "file": p.file,
                "row": p.row,
                "column": p.column,
                "patient": p.patient,
                "found": p.found,
                "expected": p.expected,
                "remedy": p.remedy,
                "count": p.count,
            }
            for p in problems
        ],
        schema={
            **dict.fromkeys(("severity", "file"), pl.String),
            "row": pl.Int64,
            **dict.fromkeys(("column", "patient", "found", "expected", "remedy"), pl.String),
            "count": pl.Int64,
        },
    )
    shown = numbers.head(LISTING_LIMIT).select(
        "severity",
        "file",
        pl.col("row").cast(pl.String),
        "column",
        "patient",
        pl.col("found").str.slice(0, 80),
        "expected",
        "remedy",
        pl.col("count").cast(pl.String),
    )
    labels = (
        "Severity",
        "File",
        "Row",
        "Column",
        "Patient",
        "Found",
        "Expected",
        "Remedy",
        "Times",
    )
    notes = []
    if numbers.height > LISTING_LIMIT:
        notes.append(f"The first {LISTING_LIMIT} of {numbers.height}; all are in the data.")
    return ReportTable(
        "findings",
        "Findings in the data",
        tuple(TableColumn(label, "left") for label in labels),
        plain_rows(shown),
        numbers,
        tuple(notes),
    )


def disagreement_table(disagreements: pl.DataFrame) -> ReportTable:
    """Where derived and adjudicated answers differ; neither is changed."""
    shown = disagreements.head(LISTING_LIMIT).select(
        "patient",
        rule=pl.col("rule").str.replace_all("_", " ", literal=True),
        what="what",
        derived="derived",
        adjudicated="adjudicated",
    )
    labels = ("Patient", "Result", "What", "Derived from records", "Adjudicated")
    notes = ["Which of the two an endpoint uses is said in the methods."]
    if disagreements.height > LISTING_LIMIT:
        notes.append(f"The first {LISTING_LIMIT} of {disagreements.height}.")
    return ReportTable(
        "disagreements",
        "Derived and adjudicated answers that differ",
        tuple(TableColumn(label, "left") for label in labels),
        plain_rows(shown),
        disagreements,
        tuple(notes),
    )


def evaluable_table(chosen: pl.DataFrame, rules: dict[str, Rule]) -> ReportTable:
    """For each rule: how many patients it could judge, and why not the others."""
    numbers = evaluable_counts(chosen)
    rows = []
    for row in numbers.iter_rows(named=True):
        rule = rules.get(row["rule"])
        title = rule.title if rule is not None else sentence(row["rule"])
        counts = ("patients", "yes", "no", "not_evaluable", "not_yet_evaluable")
        reasons = words(row["reasons"] or "")
        rows.append(TableRow((title, *(str(row[c]) for c in counts), reasons)))
    labels = ("Patients", "Yes", "No", "Not evaluable", "Not yet evaluable")
    return ReportTable(
        "evaluable",
        "What the records allow to be judged",
        (
            TableColumn("Result", "left"),
            *(TableColumn(label) for label in labels),
            TableColumn("Reasons (patients)", "left"),
        ),
        tuple(rows),
        numbers,
    )


def attrition_table(attrition: pl.DataFrame, titles: Mapping[str, str]) -> ReportTable:
    """Who was left out of each endpoint, step by step; nobody disappears without a row.

    Endpoints that lost the same patients at the same step stand in one row.

    Parameters
    ----------
    attrition : DataFrame of ``endpoints.endpoint_attrition``
    titles : mapping of endpoint to its name in words
        See ``analyses.endpoint_titles``; an endpoint without one is printed by its id.
    """
    left = attrition.filter(pl.col("left_out") > 0)
    alike = left.group_by("step", "patients", "left_out", "reason", maintain_order=True).agg(
        "endpoint"
    )
    rows = tuple(
        TableRow(
            (
                "; ".join(titles.get(name, sentence(name)) for name in row["endpoint"]),
                words(row["step"]),
                str(row["patients"]),
                str(row["left_out"]),
                words(row["reason"] or ""),
            )
        )
        for row in alike.iter_rows(named=True)
    )
    return ReportTable(
        "attrition",
        "Who was left out of an endpoint",
        (
            TableColumn("Endpoints", "left"),
            TableColumn("Step", "left"),
            TableColumn("Patients kept"),
            TableColumn("Left out"),
            TableColumn("Why", "left"),
        ),
        rows,
        attrition,
    )
