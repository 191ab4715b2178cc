"""Eligibility and the gate to HSCT, criterion by criterion: met, not met, or unknown."""

import polars as pl

from graftline.tables.format import count, number
from graftline.tables.value import ReportTable, TableColumn, TableRow

LISTING_LIMIT = 60
ANSWERS = ("met", "not met", "unknown")


def count_criteria(criteria: pl.DataFrame) -> pl.DataFrame:
    """Patients per criterion and answer; an unknown criterion is never counted as met.

    Parameters
    ----------
    criteria : details of ``assess.gates`` or ``assess.eligibility``
        Columns patient, criterion, text, met, and ``list`` for gates.

    Returns
    -------
    DataFrame [list, criterion, text, met, not_met, unknown, total], in protocol order
    """
    if "list" not in criteria.columns:
        criteria = criteria.with_columns(list=pl.lit("eligibility"))
    return criteria.group_by("list", "criterion", "text", maintain_order=True).agg(
        **{a.replace(" ", "_"): (pl.col("met") == a).sum() for a in ANSWERS}, total=pl.len()
    )


def criteria_table(criteria: pl.DataFrame, *, id: str, title: str) -> ReportTable:
    """How many patients met each criterion."""
    numbers = count_criteria(criteria)
    rows = tuple(
        TableRow(
            (
                row["text"] or row["criterion"],
                count(row["met"], row["total"]),
                str(row["not_met"]),
                str(row["unknown"]),
            ),
            {"gate": "Gate", "safety": "Safety before HSCT"}.get(row["list"], "Eligibility"),
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
    """Each patient at the decision for HSCT: the answer and what was observed, per criterion."""
    ids = criteria.select("list", "criterion", "text").unique(
        ["list", "criterion"], maintain_order=True
    )
    patients = criteria["patient"].unique().sort()
    shown = patients.head(LISTING_LIMIT)
    found = {
        (row["patient"], row["list"], row["criterion"]): row
        for row in criteria.filter(pl.col("patient").is_in(shown.implode())).iter_rows(named=True)
    }
    days = dict(criteria.group_by("patient").agg(pl.col("decision_day").min()).rows())
    rows = []
    for patient in shown:
        cells = [patient, number(days[patient], digits=0)]
        cells += [_answer(found.get((patient, one, criterion))) for one, criterion, _ in ids.rows()]
        rows.append(TableRow(tuple(cells)))
    notes = [f"{criterion}: {text}." for _, criterion, text in ids.rows() if text]
    if patients.len() > LISTING_LIMIT:
        notes.insert(0, f"The first {LISTING_LIMIT} of {patients.len()} patients.")
    return ReportTable(
        "gate-patients",
        "Gate to HSCT, patient by patient",
        (
            TableColumn("Patient", "left"),
            TableColumn("Decision", unit="day"),
            *(TableColumn(c.replace("_", " "), "left") for _, c, _ in ids.rows()),
        ),
        tuple(rows),
        criteria,
        tuple(notes),
    )


def _answer(row: dict[str, object] | None) -> str:
    if row is None:
        return "unknown"
    observed = row["observed"]
    if observed in (None, ""):
        return str(row["met"])
    return f"{row['met']} ({observed})"
