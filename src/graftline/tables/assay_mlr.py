"""Tables of mixed-lymphocyte reactions: wells, replicates, patients beside donors."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from graftline.assays.mlr import generations_table
from graftline.assays.mlr_study import MlrStudy
from graftline.tables.format import number, p_value
from graftline.tables.layout import frame_table
from graftline.tables.value import ReportTable, TableColumn

LISTING_LIMIT = 200
NOT_IDENTIFIABLE = "not identifiable"
FLAG_WORDS = {
    "too_few_divided": "too few divided cells",
    "imprecise": "imprecise",
    "not_resolved": "peaks too wide to tell apart",
    "poor_fit": "poor fit",
    "undivided_peak_shifted": "undivided peak shifted",
    "late_generations_merge": "late generations merge",
    "many_in_last_generation": "many cells in the last generation",
    "many_outside": "many events outside the peaks",
    "unstimulated_divided": "unstimulated cells divided, or their peak has a tail",
    "no_undivided_cells": "no undivided cells to count from",
    "autofluorescence_doubted": "histogram speaks against the autofluorescence given",
}


def replicates_table(study: MlrStudy) -> ReportTable:
    """Percent CFSE-low of each person and stimulus: mean over wells, net of unstimulated."""
    return frame_table(
        "mlr-replicates",
        "Division by person and stimulus",
        study.replicates,
        (
            (TableColumn("Person", "left"), lambda row: row["subject"]),
            (TableColumn("Stimulus", "left"), _stimulus),
            (TableColumn("Wells"), lambda row: str(row["replicates"])),
            (TableColumn("CFSE-low", unit="%"), lambda row: number(row["low_mean"])),
            (
                TableColumn("Net CFSE-low (SD)", unit="%"),
                lambda row: _with_spread(row["net_mean"], row["net_sd"], digits=1),
            ),
            (
                TableColumn("Division index (SD)"),
                lambda row: _with_spread(row["division_index_mean"], row["division_index_sd"]),
            ),
        ),
        footnotes=(
            "CFSE-low: dimmer than half way, in log, between the undivided peak of the "
            "unstimulated wells and the next one. Net: minus the mean of the unstimulated wells.",
        ),
    )


def wells_listing(study: MlrStudy) -> ReportTable:
    """Every well with its indices, each under its definition, and what speaks against them."""
    return frame_table(
        "mlr-wells",
        "Wells",
        study.wells,
        (
            (TableColumn("Stimulus", "left"), _stimulus),
            (TableColumn("Well"), lambda row: str(row["replicate"])),
            (TableColumn("Cells"), lambda row: f"{row['events']:,}"),
            (TableColumn("CFSE-low", unit="%"), lambda row: number(row["cfse_low_percent"])),
            (
                TableColumn("Division index (SE)"),
                lambda row: _with_spread(row["division_index"], row["division_index_error"]),
            ),
            (
                TableColumn("Proliferation index (SE)"),
                lambda row: _with_spread(
                    row["proliferation_index"], row["proliferation_index_error"]
                ),
            ),
            (TableColumn("Expansion index"), lambda row: _with_spread(row["expansion_index"])),
            (TableColumn("Replication index"), lambda row: _with_spread(row["replication_index"])),
            (
                TableColumn("Divided (SE)", unit="%"),
                lambda row: _with_spread(
                    row["percent_divided"], row["percent_divided_error"], digits=1
                ),
            ),
            (TableColumn("Fit RMS"), lambda row: number(row["fit_rms"], digits=3)),
            (TableColumn("Doubts", "left"), _flags),
        ),
        group=lambda row: row["subject"],
        limit=LISTING_LIMIT,
        footnotes=(
            "N cells of generation i come from P = N / 2^i precursors. Division index: sum i P / "
            "sum P; proliferation index: the same over dividing precursors; expansion index: sum N "
            "/ sum P (elsewhere printed as proliferation index); replication index: the same over "
            "dividing precursors; divided: percent of precursors, not of cells.",
            "Fit RMS: difference between seen and fitted events per eighth of a division, as a "
            "share of the highest fitted; counting alone gives 0.05 to 0.3 below 2,000 cells.",
        ),
    )


def generations_listing(study: MlrStudy) -> ReportTable:
    """Cells of each generation of every well; precursors and errors are in the data."""
    frame = generations_table(study.judged)
    order = study.wells.select("subject", "stimulus", "replicate").with_row_index("order")
    wide = (
        frame.pivot("generation", index=["subject", "stimulus", "replicate"], values="cells")
        .join(order, on=["subject", "stimulus", "replicate"], how="inner", validate="1:1")
        .sort("order")
        .drop("order")
    )
    names = wide.columns[3:]
    table = frame_table(
        "mlr-generations",
        "Cells of each generation",
        wide,
        (
            (TableColumn("Stimulus", "left"), _stimulus),
            (TableColumn("Well"), lambda row: str(row["replicate"])),
            *(
                (TableColumn(name), lambda row, name=name: number(row[name], digits=0))
                for name in names
            ),
        ),
        group=lambda row: row["subject"],
        limit=LISTING_LIMIT,
        footnotes=(
            "Generation 0 did not divide. Fitted cells; the data hold their standard errors.",
        ),
    )
    return replace(table, data=frame)


def people_table(study: MlrStudy) -> ReportTable | None:
    """Patients beside donors per stimulus; none without donors or patients."""
    frame = study.people.filter((pl.col("patients") > 0) & (pl.col("donors") > 0))
    if frame.is_empty():
        return None
    return people_comparison("mlr-people", "Net CFSE-low", frame)


def people_comparison(id: str, what: str, frame: pl.DataFrame) -> ReportTable:
    """Patients beside donors, as `graftline.assays.function.compare_people` gives them."""
    return frame_table(
        id,
        "Patients beside donors",
        frame,
        (
            (TableColumn("Stimulus", "left"), _stimulus),
            (TableColumn("Patients"), lambda row: str(row["patients"])),
            (TableColumn(f"{what} of patients", unit="%"), lambda row: number(row["patient_mean"])),
            (TableColumn("Donors"), lambda row: str(row["donors"])),
            (TableColumn(f"{what} of donors", unit="%"), lambda row: number(row["donor_mean"])),
            (TableColumn("Difference", unit="points"), lambda row: number(row["difference"])),
            (TableColumn("p"), _people_p),
        ),
        footnotes=("Means over people, not wells; p: Welch's test over people.",),
    )


def _stimulus(row: Mapping[str, Any]) -> str:
    return str(row["stimulus"]).replace("_", " ")


def _people_p(row: Mapping[str, Any]) -> str:
    if row["p"] is not None:
        return p_value(row["p"])
    return "fewer than two a side" if min(row["patients"], row["donors"]) < 2 else "no spread"


def _with_spread(value: float | None, spread: float | None = None, *, digits: int = 2) -> str:
    """A value with its error or SD in brackets, where it has one."""
    if value is None:
        return NOT_IDENTIFIABLE
    # a small index with its error would both be printed as nothing
    digits += int(digits == 2 and abs(value) < 0.1)
    shown = number(value, digits=digits)
    return shown if spread is None else f"{shown} ({number(spread, digits=digits)})"


def _flags(row: Mapping[str, Any]) -> str:
    return "; ".join(FLAG_WORDS[word] for word in (row["flags"] or "").split(", ") if word)
