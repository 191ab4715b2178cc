"""Tables of mixed-lymphocyte reactions: wells, replicates, patients beside donors."""

import polars as pl

from graftline.assays.mlr import generations_table
from graftline.assays.mlr_study import MlrStudy
from graftline.tables.format import number, p_value
from graftline.tables.value import ReportTable, TableColumn, TableRow

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
    rows = tuple(
        TableRow(
            (
                row["subject"],
                row["stimulus"].replace("_", " "),
                str(row["replicates"]),
                number(row["low_mean"]),
                _spread(row["net_mean"], row["net_sd"], 1),
                _spread(row["division_index_mean"], row["division_index_sd"], 2),
            )
        )
        for row in study.replicates.iter_rows(named=True)
    )
    return ReportTable(
        "mlr-replicates",
        "Division by person and stimulus",
        (
            TableColumn("Person", "left"),
            TableColumn("Stimulus", "left"),
            TableColumn("Wells"),
            TableColumn("CFSE-low", unit="%"),
            TableColumn("Net CFSE-low (SD)", unit="%"),
            TableColumn("Division index (SD)"),
        ),
        rows,
        study.replicates,
        (
            "CFSE-low: dimmer than half way, in log, between the undivided peak of the "
            "unstimulated wells and the next one. Net: minus the mean of the unstimulated wells.",
        ),
    )


def wells_listing(study: MlrStudy) -> ReportTable:
    """Every well with its indices, each under its definition, and what speaks against them."""
    rows = tuple(
        TableRow(
            (
                row["stimulus"].replace("_", " "),
                str(row["replicate"]),
                f"{row['events']:,}",
                number(row["cfse_low_percent"]),
                _with_error(row["division_index"], row["division_index_error"]),
                _with_error(row["proliferation_index"], row["proliferation_index_error"]),
                _index(row["expansion_index"]),
                _index(row["replication_index"]),
                _with_error(row["percent_divided"], row["percent_divided_error"], digits=1),
                number(row["fit_rms"], digits=3),
                _flags(row["flags"]),
            ),
            row["subject"],
        )
        for row in study.wells.head(LISTING_LIMIT).iter_rows(named=True)
    )
    return ReportTable(
        "mlr-wells",
        "Wells",
        (
            TableColumn("Stimulus", "left"),
            TableColumn("Well"),
            TableColumn("Cells"),
            TableColumn("CFSE-low", unit="%"),
            TableColumn("Division index (SE)"),
            TableColumn("Proliferation index (SE)"),
            TableColumn("Expansion index"),
            TableColumn("Replication index"),
            TableColumn("Divided (SE)", unit="%"),
            TableColumn("Fit RMS"),
            TableColumn("Doubts", "left"),
        ),
        rows,
        study.wells,
        (
            "N cells of generation i come from P = N / 2^i precursors. Division index: sum i P / "
            "sum P; proliferation index: the same over dividing precursors; expansion index: sum N "
            "/ sum P (elsewhere printed as proliferation index); replication index: the same over "
            "dividing precursors; divided: percent of precursors, not of cells.",
            "Fit RMS: difference between seen and fitted events per eighth of a division, as a "
            "share of the highest fitted; counting alone gives 0.05 to 0.3 below 2,000 cells.",
            *_more(study.wells.height),
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
    rows = tuple(
        TableRow(
            (stimulus.replace("_", " "), str(replicate), *(number(c, digits=0) for c in cells)),
            subject,
        )
        for subject, stimulus, replicate, *cells in wide.head(LISTING_LIMIT).rows()
    )
    names = wide.columns[3:]
    return ReportTable(
        "mlr-generations",
        "Cells of each generation",
        (TableColumn("Stimulus", "left"), TableColumn("Well"), *(TableColumn(n) for n in names)),
        rows,
        frame,
        (
            "Generation 0 did not divide. Fitted cells; the data hold their standard errors.",
            *_more(wide.height),
        ),
    )


def people_table(study: MlrStudy) -> ReportTable | None:
    """Patients beside donors per stimulus; none without donors or patients."""
    frame = study.people.filter((pl.col("patients") > 0) & (pl.col("donors") > 0))
    if frame.is_empty():
        return None
    return people_comparison("mlr-people", "Net CFSE-low", frame)


def people_comparison(id: str, what: str, frame: pl.DataFrame) -> ReportTable:
    """Patients beside donors, as `graftline.assays.function.compare_people` gives them."""
    rows = tuple(
        TableRow(
            (
                row["stimulus"].replace("_", " "),
                str(row["patients"]),
                number(row["patient_mean"]),
                str(row["donors"]),
                number(row["donor_mean"]),
                number(row["difference"]),
                p_value(row["p"]) if row["p"] is not None else "fewer than two a side",
            )
        )
        for row in frame.iter_rows(named=True)
    )
    return ReportTable(
        id,
        "Patients beside donors",
        (
            TableColumn("Stimulus", "left"),
            TableColumn("Patients"),
            TableColumn(f"{what} of patients", unit="%"),
            TableColumn("Donors"),
            TableColumn(f"{what} of donors", unit="%"),
            TableColumn("Difference", unit="points"),
            TableColumn("p"),
        ),
        rows,
        frame,
        ("Means over people, not wells; p: Welch's test over people.",),
    )


def _more(rows: int) -> tuple[str, ...]:
    if rows <= LISTING_LIMIT:
        return ()
    return (f"The first {LISTING_LIMIT} of {rows} wells; all are in the data.",)


def _spread(mean: float | None, sd: float | None, digits: int) -> str:
    if mean is None:
        return NOT_IDENTIFIABLE
    return number(mean, digits=digits) + (
        f" ({number(sd, digits=digits)})" if sd is not None else ""
    )


def _index(value: float | None, digits: int = 2) -> str:
    return NOT_IDENTIFIABLE if value is None else number(value, digits=digits)


def _with_error(value: float | None, error: float | None, *, digits: int = 2) -> str:
    if value is None:
        return NOT_IDENTIFIABLE
    return number(value, digits=digits) + (
        f" ({number(error, digits=digits)})" if error is not None else ""
    )


def _flags(flags: str | None) -> str:
    return "; ".join(FLAG_WORDS[word] for word in flags.split(", ")) if flags else ""
