"""Eligibility, dose checks and the gate to HSCT, line by line: met, not met, or unknown."""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from graftline.tables.format import count, number, words
from graftline.tables.value import ReportTable, TableColumn, TableRow

LISTING_LIMIT = 60
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
    """Each patient at each decision for HSCT: the answer to every criterion.

    What was observed, and in which record, stands on the patient's page and in the data.
    """
    ids = criteria.select("list", "criterion", "text").unique(
        ["list", "criterion"], maintain_order=True
    )
    decisions = criteria.select("patient", "decision_day").unique().sort("patient", "decision_day")
    shown = decisions.head(LISTING_LIMIT)
    found = {
        (row["patient"], row["decision_day"], row["list"], row["criterion"]): row["met"]
        for row in criteria.join(shown, on=["patient", "decision_day"], nulls_equal=True).iter_rows(
            named=True
        )
    }
    rows = []
    for patient, day in shown.rows():
        cells = [patient, number(day, digits=0)]
        cells += [
            found.get((patient, day, one, criterion), "unknown") for one, criterion, _ in ids.rows()
        ]
        rows.append(TableRow(tuple(cells)))
    notes = ["; ".join(f"{words(name)}: {text}" for _, name, text in ids.rows() if text) + "."]
    if decisions.height > LISTING_LIMIT:
        notes.insert(0, f"The first {LISTING_LIMIT} of {decisions.height} decisions.")
    return ReportTable(
        "gate-patients",
        "Gate to HSCT, patient by patient",
        (
            TableColumn("Patient", "left"),
            TableColumn("Decision", unit="day"),
            *(TableColumn(words(c), "left") for _, c, _ in ids.rows()),
        ),
        tuple(rows),
        criteria,
        tuple(notes),
    )


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
