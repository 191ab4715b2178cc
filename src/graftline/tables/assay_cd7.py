"""Tables of the CD7 locus: signal, variants, clusters and their shares."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from graftline.assays.cd7_locus.study import Cd7Study
from graftline.tables.format import number, p_value
from graftline.tables.layout import frame_table
from graftline.tables.value import ReportTable, TableColumn

LISTING_LIMIT = 200
LONGEST_ALLELE = 20


def signal_table(study: Cd7Study) -> ReportTable:
    """Mean ATAC signal over promoter, body and flanks of every sample, and over its flanks."""
    table = frame_table(
        "cd7-signal",
        "ATAC signal over CD7",
        study.signal.with_columns(below=pl.col("minimum").min().over("sample") < 0),
        (
            (TableColumn("Region", "left"), lambda row: row["region"]),
            (
                TableColumn("Bases of chr17", "left"),
                lambda row: f"{row['start']:,}\N{EN DASH}{row['end']:,}",
            ),
            (TableColumn("Mean"), lambda row: number(row["mean"], digits=2)),
            (TableColumn("Maximum"), lambda row: number(row["maximum"], digits=1)),
            (TableColumn("Over flanks"), lambda row: _number(row["over_flanks"], _no_ratio(row))),
            (
                TableColumn(f"Against {study.reference}"),
                lambda row: _number(row["against_baseline"], f"no {study.reference}"),
            ),
        ),
        group=lambda row: row["sample"],
        footnotes=(
            "Means count bases without data as 0. Over flanks: divided by the mean of both flanks "
            f"of the sample, which removes depth. Against {study.reference}: of the same patient.",
        ),
    )
    return replace(table, data=study.signal)


def variants_table(study: Cd7Study) -> ReportTable:
    """Variants seen at baseline or at relapse, by allele depth, and which are new."""
    early, late = study.reference, study.late
    return frame_table(
        "cd7-variants",
        "Variants in CD7",
        study.variants,
        (
            (TableColumn("Position", "left"), _position),
            (
                TableColumn("Change", "left"),
                lambda row: f"{_allele(row['reference'])}>{_allele(row['alternative'])}",
            ),
            (
                TableColumn(f"{early.capitalize()} reads"),
                lambda row: _reads(row["baseline_reads"], row["baseline_depth"]),
            ),
            (
                TableColumn(f"{late.capitalize()} reads"),
                lambda row: _reads(row["relapse_reads"], row["relapse_depth"]),
            ),
            (TableColumn("Filter", "left"), lambda row: row["relapse_filter"] or ""),
            (TableColumn("Call", "left"), lambda row: row["call"]),
        ),
        group=lambda row: row["patient"],
        limit=LISTING_LIMIT,
        footnotes=(
            "Reads of the allele of all alleles' reads, as the caller counted them. New: at least "
            f"3 reads and 5 % at {late}, fewer at a {early} of at least 20 reads; "
            f"filtered: would be new, but the caller of {late} did not pass it.",
        ),
    )


def clusters_table(study: Cd7Study) -> ReportTable:
    """The gene by cluster: percent of cells with it, and the mean."""
    gene = study.gene
    return frame_table(
        "cd7-clusters",
        f"{gene} by cluster",
        study.clusters,
        (
            (TableColumn("Cluster", "left"), lambda row: row["cluster"]),
            (TableColumn("Cells"), lambda row: f"{row['cells']:,}"),
            (TableColumn("Samples"), lambda row: str(row["samples"])),
            (
                TableColumn(f"Cells with {gene}", unit="%"),
                lambda row: _number(row["detected_percent"], "values are scaled", digits=1),
            ),
            (TableColumn(f"Mean {gene}"), lambda row: _number(row["mean"], "no values")),
        ),
        group=lambda row: row["file"],
    )


def changes_table(study: Cd7Study) -> ReportTable:
    """Share of each cluster before and after; samples are the replicates."""
    return frame_table(
        "cd7-changes",
        f"Cluster shares, {study.before} and {study.after}",
        study.changes,
        (
            (TableColumn("Cluster", "left"), lambda row: row["cluster"]),
            (TableColumn("Samples before"), lambda row: str(row["samples_before"])),
            (
                TableColumn("Share before", unit="%"),
                lambda row: number(100 * row["share_before"]),
            ),
            (TableColumn("Samples after"), lambda row: str(row["samples_after"])),
            (TableColumn("Share after", unit="%"), lambda row: number(100 * row["share_after"])),
            (
                TableColumn("Difference", unit="points"),
                lambda row: number(100 * row["difference"]),
            ),
            (
                TableColumn("p"),
                lambda row: "fewer than two a side" if row["p"] is None else p_value(row["p"]),
            ),
        ),
        group=lambda row: row["file"],
        footnotes=(
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


def _no_ratio(row: Mapping[str, Any]) -> str:
    return "values below 0" if row["below"] else "flanks are empty"


def _position(row: Mapping[str, Any]) -> str:
    if row["alternative"].startswith("<"):
        return f"{row['position']:,}\N{EN DASH}{row['end']:,}"
    return f"{row['position']:,}"


def _allele(bases: str) -> str:
    return bases if len(bases) <= LONGEST_ALLELE else f"{bases[:8]}... ({len(bases)} bases)"


def _reads(reads: int | None, depth: int | None) -> str:
    return "not stated" if depth is None or reads is None else f"{reads}/{depth}"
