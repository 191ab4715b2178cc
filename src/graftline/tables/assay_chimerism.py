"""Tables of STR chimerism: samples, and their loci."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from graftline.assays.chimerism_study import ChimerismStudy
from graftline.tables.format import number
from graftline.tables.layout import frame_table
from graftline.tables.value import ReportTable, TableColumn

LINEAGE_WORDS = {"unsorted": "unsorted", "nk": "NK"}
LISTING_LIMIT = 400


def lineage_word(lineage: str) -> str:
    """A lineage as a reader expects it: CD3, NK, unsorted."""
    return LINEAGE_WORDS.get(lineage, lineage.upper())


def samples_table(study: ChimerismStudy) -> ReportTable:
    """Donor percent of each sample with its error, SD over loci, and what it is called."""
    return frame_table(
        "chimerism-samples",
        "Donor chimerism",
        study.samples,
        (
            (TableColumn("Patient", "left"), lambda row: row["patient"]),
            (TableColumn("Day"), lambda row: number(row["day"], digits=0)),
            (
                TableColumn("Cells", "left"),
                lambda row: (
                    lineage_word(row["lineage"])
                    + (", marrow" if row["specimen"] == "marrow" else "")
                ),
            ),
            (TableColumn("Donor", unit="%"), lambda row: number(row["donor_percent"])),
            (TableColumn("SE"), lambda row: _spread(row["standard_error"], digits=2)),
            (TableColumn("SD over loci"), lambda row: _spread(row["sd"], digits=1)),
            (TableColumn("Informative loci"), lambda row: str(row["informative"])),
            (TableColumn("Class", "left"), lambda row: row["label"]),
            (
                TableColumn("Limit of detection", "left"),
                lambda row: _beyond(row["donor_percent"], row["detection_percent"]),
            ),
        ),
        footnotes=(
            f"Full: {study.full_percent:g} % donor and more; autologous: donor below the limit of "
            "detection. SE: standard error of the percent, leaving out one locus at a time.",
        ),
    )


def loci_table(study: ChimerismStudy) -> ReportTable:
    """Donor percent of each locus alone (the first 400 rows where there are more)."""
    return frame_table(
        "chimerism-loci",
        "Loci",
        study.loci.with_columns(pl.col("reason").fill_null("")),
        (
            (TableColumn("Locus", "left"), lambda row: row["locus"]),
            (
                TableColumn("Donor by this locus alone", unit="%"),
                lambda row: "" if row["donor_percent"] is None else number(row["donor_percent"]),
            ),
            (TableColumn("Not used because", "left"), _why),
        ),
        group=lambda row: f"{row['patient']}, day {row['day']:g}, {lineage_word(row['lineage'])}",
        limit=LISTING_LIMIT,
        footnotes=("A locus alone is not cut at 0 and 100.",),
    )


def _spread(value: float | None, *, digits: int) -> str:
    return "one locus" if value is None else number(value, digits=digits)


def _beyond(percent: float, limit: float) -> str:
    if percent < limit:
        return f"donor < {limit:g} %"
    return f"recipient < {limit:g} %" if 100 - percent < limit else ""


def _why(row: Mapping[str, Any]) -> str:
    if row["reason"]:
        return str(row["reason"])
    return "" if row["donor_percent"] is not None else "used with the others only"
