"""Enrolment flow: from screening to transplant, with who stopped where and why."""

from collections.abc import Sequence

import polars as pl

from graftline.tables.baseline import STATUSES, status_order
from graftline.tables.format import count
from graftline.tables.selection import only_transplanted
from graftline.tables.value import ReportTable, TableColumn, TableRow
from graftline.trial import Trial


def count_flow(patients: pl.DataFrame, order: Sequence[str] = STATUSES) -> pl.DataFrame:
    """Patients that reached each step, and those that stopped there with their reasons.

    Parameters
    ----------
    patients : DataFrame [patient, status, stopped_reason]
    order : sequence of str
        Statuses as ``tables.baseline.status_order`` gives them.

    Returns
    -------
    DataFrame [step, reached, stopped, reasons]; one row per step, in order
    """
    rows = []
    for place, step in enumerate(order):
        here = patients.filter(pl.col("status") == step)
        reached = patients.filter(pl.col("status").is_in(order[place:])).height
        stopped = here.height if step != order[-1] else 0
        reasons = (
            here.select(reason=pl.col("stopped_reason").fill_null("reason not recorded"))
            .group_by("reason")
            .len()
            .sort("len", "reason", descending=[True, False])
        )
        text = "; ".join(f"{r} ({n})" for r, n in reasons.rows()) if stopped else ""
        rows.append((step, reached, stopped, text))
    return pl.DataFrame(
        rows,
        schema={
            "step": pl.String,
            "reached": pl.Int64,
            "stopped": pl.Int64,
            "reasons": pl.String,
        },
        orient="row",
    )


def flow_table(trial: Trial) -> ReportTable:
    """Steps with two denominators: everybody enrolled (intention to treat), and the step before."""
    order = status_order(trial)
    numbers = count_flow(trial.patients, order)
    enrolled = int(numbers.filter(pl.col("step") == "enrolled")["reached"][0])
    rows, before = [], None
    for row in numbers.iter_rows(named=True):
        counts = order.index(row["step"]) >= order.index("enrolled")
        of_enrolled = count(row["reached"], enrolled) if counts else ""
        of_before = "" if before is None else count(row["reached"], before)
        rows.append(
            TableRow(
                (
                    row["step"].capitalize(),
                    str(row["reached"]),
                    of_enrolled,
                    of_before,
                    str(row["stopped"]),
                    row["reasons"],
                )
            )
        )
        before = row["reached"]
    return ReportTable(
        "flow",
        "From screening to transplant",
        (
            TableColumn("Step", "left"),
            TableColumn("Patients"),
            TableColumn("Of enrolled (intention to treat)"),
            TableColumn("Of the step before (as treated)"),
            TableColumn("Stopped here"),
            TableColumn("Why", "left"),
        ),
        tuple(rows),
        numbers,
        _notes(trial),
    )


def _notes(trial: Trial) -> tuple[str, ...]:
    if not only_transplanted(trial):
        return ()
    return (
        "Selected patients: only those who reached HSCT are in this cohort "
        f"({trial.protocol.selection_source}).",
    )
