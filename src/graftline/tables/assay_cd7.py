"""Tables of the CD7 locus: signal, variants, clusters and their shares."""

from typing import Any

import polars as pl

from graftline.assays.cd7_locus.study import Cd7Study
from graftline.tables.format import number, p_value
from graftline.tables.value import ReportTable, TableColumn, TableRow

LISTING_LIMIT = 200
LONGEST_ALLELE = 20


def signal_table(study: Cd7Study) -> ReportTable:
    """Mean ATAC signal over promoter, body and flanks of every sample, and over its flanks."""
    rows = tuple(
        TableRow(
            (
                row["region"],
                f"{row['start']:,}\N{EN DASH}{row['end']:,}",
                number(row["mean"], digits=2),
                number(row["maximum"], digits=1),
                _number(row["over_flanks"], _no_ratio(row)),
                _number(row["against_baseline"], f"no {study.reference}"),
            ),
            row["sample"],
        )
        for row in study.signal.with_columns(
            below=pl.col("minimum").min().over("sample") < 0
        ).iter_rows(named=True)
    )
    return ReportTable(
        "cd7-signal",
        "ATAC signal over CD7",
        (
            TableColumn("Region", "left"),
            TableColumn("Bases of chr17", "left"),
            TableColumn("Mean"),
            TableColumn("Maximum"),
            TableColumn("Over flanks"),
            TableColumn(f"Against {study.reference}"),
        ),
        rows,
        study.signal,
        (
            "Means count bases without data as 0. Over flanks: divided by the mean of both flanks "
            f"of the sample, which removes depth. Against {study.reference}: of the same patient.",
        ),
    )


def variants_table(study: Cd7Study) -> ReportTable:
    """Variants seen at baseline or at relapse, by allele depth, and which are new."""
    rows = tuple(
        TableRow(
            (
                _position(row),
                f"{_allele(row['reference'])}>{_allele(row['alternative'])}",
                _reads(row["baseline_reads"], row["baseline_depth"]),
                _reads(row["relapse_reads"], row["relapse_depth"]),
                row["relapse_filter"] or "",
                row["call"],
            ),
            row["patient"],
        )
        for row in study.variants.head(LISTING_LIMIT).iter_rows(named=True)
    )
    more = study.variants.height - LISTING_LIMIT
    return ReportTable(
        "cd7-variants",
        "Variants in CD7",
        (
            TableColumn("Position", "left"),
            TableColumn("Change", "left"),
            TableColumn(f"{study.reference.capitalize()} reads"),
            TableColumn(f"{study.late.capitalize()} reads"),
            TableColumn("Filter", "left"),
            TableColumn("Call", "left"),
        ),
        rows,
        study.variants,
        (
            "Reads of the allele of all alleles' reads, as the caller counted them. New: at least "
            f"3 reads and 5 % at {study.late}, fewer at a {study.reference} of at least 20 reads; "
            f"filtered: would be new, but the caller of {study.late} did not pass it.",
            *((f"{more:,} more variants are in the CSV.",) if more > 0 else ()),
        ),
    )


def clusters_table(study: Cd7Study) -> ReportTable:
    """The gene by cluster: percent of cells with it, and the mean."""
    rows = tuple(
        TableRow(
            (
                row["cluster"],
                f"{row['cells']:,}",
                str(row["samples"]),
                _number(row["detected_percent"], "values are scaled", digits=1),
                _number(row["mean"], "no values"),
            ),
            row["file"],
        )
        for row in study.clusters.iter_rows(named=True)
    )
    return ReportTable(
        "cd7-clusters",
        f"{study.gene} by cluster",
        (
            TableColumn("Cluster", "left"),
            TableColumn("Cells"),
            TableColumn("Samples"),
            TableColumn(f"Cells with {study.gene}", unit="%"),
            TableColumn(f"Mean {study.gene}"),
        ),
        rows,
        study.clusters,
    )


def changes_table(study: Cd7Study) -> ReportTable:
    """Share of each cluster before and after; samples are the replicates."""
    rows = tuple(
        TableRow(
            (
                row["cluster"],
                str(row["samples_before"]),
                number(100 * row["share_before"]),
                str(row["samples_after"]),
                number(100 * row["share_after"]),
                number(100 * row["difference"]),
                p_value(row["p"]) if row["p"] is not None else "fewer than two a side",
            ),
            row["file"],
        )
        for row in study.changes.iter_rows(named=True)
    )
    return ReportTable(
        "cd7-changes",
        f"Cluster shares, {study.before} and {study.after}",
        (
            TableColumn("Cluster", "left"),
            TableColumn("Samples before"),
            TableColumn("Share before", unit="%"),
            TableColumn("Samples after"),
            TableColumn("Share after", unit="%"),
            TableColumn("Difference", unit="points"),
            TableColumn("p"),
        ),
        rows,
        study.changes,
        (
            "p: Mann-Whitney over samples, not cells, each taken as a patient of its own; three "
            "against three cannot go below 0.1. Every cluster is tested by itself: p is not "
            "adjusted for their number.",
        ),
    )


def variant_counts(study: Cd7Study) -> pl.DataFrame:
    """How many variants have each call: [patient, call, len]."""
    return study.variants.group_by("patient", "call").len().sort("patient", "call")


def _number(value: float | None, otherwise: str, *, digits: int = 2) -> str:
    return otherwise if value is None else number(value, digits=digits)


def _no_ratio(row: dict[str, Any]) -> str:
    return "values below 0" if row["below"] else "flanks are empty"


def _position(row: dict[str, Any]) -> str:
    if row["alternative"].startswith("<"):
        return f"{row['position']:,}\N{EN DASH}{row['end']:,}"
    return f"{row['position']:,}"


def _allele(bases: str) -> str:
    return bases if len(bases) <= LONGEST_ALLELE else f"{bases[:8]}... ({len(bases)} bases)"


def _reads(reads: int | None, depth: int | None) -> str:
    return "not stated" if depth is None or reads is None else f"{reads}/{depth}"
