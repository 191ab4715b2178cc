"""Tables of STR chimerism: samples, and their loci."""

import polars as pl

from graftline.assays.chimerism_study import ChimerismStudy
from graftline.tables.format import number
from graftline.tables.value import ReportTable, TableColumn, TableRow

LINEAGE_WORDS = {"unsorted": "unsorted", "nk": "NK"}
LISTING_LIMIT = 400


def lineage_word(lineage: str) -> str:
    """A lineage as a reader expects it: CD3, NK, unsorted."""
    return LINEAGE_WORDS.get(lineage, lineage.upper())


def samples_table(study: ChimerismStudy) -> ReportTable:
    """Donor percent of each sample with its error, SD over loci, and what it is called."""
    rows = tuple(
        TableRow(
            (
                row["patient"],
                number(row["day"], digits=0),
                lineage_word(row["lineage"]) + (", marrow" if row["specimen"] == "marrow" else ""),
                number(row["donor_percent"]),
                number(row["standard_error"], digits=2)
                if row["standard_error"] is not None
                else "one locus",
                number(row["sd"]) if row["sd"] is not None else "one locus",
                str(row["informative"]),
                row["label"],
                _beyond(row["donor_percent"], row["detection_percent"]),
            )
        )
        for row in study.samples.iter_rows(named=True)
    )
    return ReportTable(
        "chimerism-samples",
        "Donor chimerism",
        (
            TableColumn("Patient", "left"),
            TableColumn("Day"),
            TableColumn("Cells", "left"),
            TableColumn("Donor", unit="%"),
            TableColumn("SE"),
            TableColumn("SD over loci"),
            TableColumn("Informative loci"),
            TableColumn("Class", "left"),
            TableColumn("Limit of detection", "left"),
        ),
        rows,
        study.samples,
        (
            f"Full: {study.full_percent:g} % donor and more; autologous: donor below the limit of "
            "detection. SE: standard error of the percent, leaving out one locus at a time.",
        ),
    )


def loci_table(study: ChimerismStudy) -> ReportTable:
    """Donor percent of each locus alone (the first 400 rows where there are more)."""
    frame = study.loci
    rows = tuple(
        TableRow(
            (
                row["locus"],
                number(row["donor_percent"]) if row["donor_percent"] is not None else "",
                _why(row),
            ),
            f"{row['patient']}, day {row['day']:g}, {lineage_word(row['lineage'])}",
        )
        for row in frame.head(LISTING_LIMIT).iter_rows(named=True)
    )
    more = () if frame.height <= LISTING_LIMIT else (f"The first {LISTING_LIMIT} rows.",)
    return ReportTable(
        "chimerism-loci",
        "Loci",
        (
            TableColumn("Locus", "left"),
            TableColumn("Donor by this locus alone", unit="%"),
            TableColumn("Not used because", "left"),
        ),
        rows,
        frame.with_columns(pl.col("reason").fill_null("")),
        ("A locus alone is not cut at 0 and 100.", *more),
    )


def _beyond(percent: float, limit: float) -> str:
    if percent < limit:
        return f"donor < {limit:g} %"
    return f"recipient < {limit:g} %" if 100 - percent < limit else ""


def _why(row: dict[str, object]) -> str:
    if row["reason"]:
        return str(row["reason"])
    return "" if row["donor_percent"] is not None else "used with the others only"
