"""Eligibility, dose checks and the gate to HSCT, line by line: met, not met, or unknown."""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from graftline.tables.format import count, number, words
from graftline.tables.layout import LISTING_LIMIT, listed, listing_notes, without_empty_columns
from graftline.tables.value import ReportTable, TableColumn, TableRow

ANSWERS = ("met", "not met", "unknown")
_LISTS = {"gate": "Gate", "safety": "Safety before HSCT"}


def last_decisions(criteria: pl.DataFrame) -> pl.DataFrame:
    """Criteria as they stood at each patient's last decision."""
    if "decision_day" not in criteria.columns:
        return criteria
    last = pl.col("decision_day").max().over("patient")
    return criteria.filter(pl.col("decision_day").eq_missing(last))


def count_criteria(criteria: pl.DataFrame) -> pl.DataFrame:
    """Patients per criterion and answer; an unknown criterion is never counted as met.

    Parameters
    ----------
    criteria : DataFrame [patient, criterion, text, met], and ``list`` for gates
        One row per patient and criterion.

    Returns
    -------
    DataFrame [list, criterion, text, met, not_met, unknown, total], in the order given
    """
    if "list" not in criteria.columns:
        criteria = criteria.with_columns(list=pl.lit(None, dtype=pl.String))
    return criteria.group_by("list", "criterion", "text", maintain_order=True).agg(
        **{a.replace(" ", "_"): (pl.col("met") == a).sum() for a in ANSWERS}, total=pl.len()
    )


def criteria_table(criteria: pl.DataFrame, *, id: str, title: str) -> ReportTable:
    """How many patients met each criterion, at the last decision about each."""
    numbers = count_criteria(last_decisions(criteria))
    rows = tuple(
        TableRow(
            (
                row["text"] or row["criterion"],
                count(row["met"], row["total"]),
                str(row["not_met"]),
                str(row["unknown"]),
            ),
            _LISTS.get(row["list"]),
        )
        for row in numbers.iter_rows(named=True)
    )
    return ReportTable(
        id,
        title,
        (
            TableColumn("Criterion", "left"),
            TableColumn("Met"),
            TableColumn("Not met"),
            TableColumn("Unknown"),
        ),
        rows,
        numbers,
        ("Unknown: the records needed are missing or too old. It is never taken as met.",),
    )


def gate_patient_table(criteria: pl.DataFrame) -> ReportTable:
    """Each decision for HSCT: how it stood, and which criteria were not met or unknown.

    Where there are too many to list, those at which a criterion was not met come first. What was
    observed, and in which record, stands on the patient's page and in the data.
    """
    by_list = ["patient", "decision_day"]
    names = {answer: pl.col("criterion").filter(pl.col("met") == answer) for answer in ANSWERS[1:]}
    gate = pl.col("met").filter(pl.col("list") == "gate")
    decisions = (
        criteria.group_by(by_list, maintain_order=True)
        .agg(
            gate=pl.when((gate == "not met").any())
            .then(pl.lit("not met"))
            .when((gate != "met").any())
            .then(pl.lit("unknown"))
            .otherwise(pl.lit("met")),
            **names,
        )
        .sort(by_list)
    )
    if decisions.height > LISTING_LIMIT:
        decisions = decisions.sort(pl.col("not met").list.len() == 0, maintain_order=True)
    rows = tuple(
        TableRow(
            (
                row["patient"],
                number(row["decision_day"], digits=0),
                row["gate"],
                ", ".join(words(name) for name in row["not met"]),
                ", ".join(words(name) for name in row["unknown"]),
            )
        )
        for row in decisions.head(listed(decisions.height)).iter_rows(named=True)
    )
    table = ReportTable(
        "gate-patients",
        "Gate to HSCT, decision by decision",
        (
            TableColumn("Patient", "left"),
            TableColumn("Decision", unit="day"),
            TableColumn("Gate", "left"),
            TableColumn("Not met", "left"),
            TableColumn("Unknown", "left"),
        ),
        rows,
        criteria,
        (
            "Every criterion not named was met; those of safety before HSCT do not close the gate.",
            *listing_notes(decisions.height),
        ),
    )
    return without_empty_columns(table)


def patient_gate_table(patient: str, criteria: pl.DataFrame) -> ReportTable | None:
    """The decisions about one patient: answer, what was observed, and in which record."""
    rows = tuple(
        TableRow(
            (
                row["text"] or words(row["criterion"]),
                row["met"],
                words(row["observed"] or ""),
                row["record"] or "",
            ),
            f"{_LISTS.get(row['list'], 'Gate')}, decision on day "
            f"{number(row['decision_day'], digits=0)}",
        )
        for row in criteria.iter_rows(named=True)
    )
    if not rows:
        return None
    labels = ("Criterion", "Answer", "Observed", "Record")
    return ReportTable(
        f"gate-{patient}",
        f"Gate to HSCT of {patient}",
        tuple(TableColumn(label, "left") for label in labels),
        rows,
        criteria,
    )


def dose_check_table(checks: pl.DataFrame) -> ReportTable:
    """Dose and order checks: how many patients each holds for.

    Parameters
    ----------
    checks : details ``dose_checks`` of ``assess.dosing``
    """
    once: Mapping[str, pl.Expr] = {
        "criterion": pl.col("check"),
        "text": pl.col("text"),
        "met": pl.col("met"),
    }
    worst = pl.col("met").replace_strict(
        {"not met": 0, "unknown": 1, "met": 2}, default=1, return_dtype=pl.Int8
    )
    # several lots or bags of a patient: the worst answer counts
    rows = (
        checks.with_columns(order=worst)
        .sort("check", "patient", "order")
        .unique(["check", "patient"], keep="first", maintain_order=True)
        .select("patient", **once)
    )
    unknown = (pl.col("met") == "unknown").all().over("criterion")
    table = criteria_table(rows.filter(~unknown), id="dose-checks", title="Dose and order checks")
    silent = rows.filter(unknown)["text"].unique(maintain_order=True)
    if silent.is_empty():
        return table
    note = f"Unknown for every patient: {'; '.join(silent)}."
    return replace(table, data=count_criteria(rows), footnotes=(*table.footnotes, note))
