"""Tables of the CD7 locus: signal, variants, clusters and their shares."""

import polars as pl

from graftline.assays.cd7_locus.study import Cd7Study
from graftline.tables.format import number, p_value
from graftline.tables.value import ReportTable, TableColumn, TableRow

LISTING_LIMIT = 200


def signal_table(study: Cd7Study) -> ReportTable:
    """Mean ATAC signal over promoter, body and flanks of every sample, and over its flanks."""
    rows = tuple(
        TableRow(
            (
                row["region"],
                f"{row['start']:,}\N{EN DASH}{row['end']:,}",
                number(row["mean"], digits=2),
                number(row["maximum"], digits=1),
                _number(row["over_flanks"], "flanks are empty"),
                _number(row["against_baseline"], "no baseline"),
            ),
            row["sample"],
        )
        for row in study.signal.iter_rows(named=True)
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
            TableColumn("Against baseline"),
        ),
        rows,
        study.signal,
        (
            "Means count bases without data as 0. Over flanks: divided by the mean of both flanks "
            "of the sample, which removes depth. Against baseline: of the same patient.",
        ),
    )


def variants_table(study: Cd7Study) -> ReportTable:
    """Variants seen at baseline or at relapse, by allele depth, and which are new."""
    rows = tuple(
        TableRow(
            (
                f"{row['position']:,}",
                f"{row['reference']}>{row['alternative']}",
                _reads(row["baseline_reads"], row["baseline_depth"]),
                _reads(row["relapse_reads"], row["relapse_depth"]),
                row["call"],
            ),
            row["patient"],
        )
        for row in study.variants.head(LISTING_LIMIT).iter_rows(named=True)
    )
    return ReportTable(
        "cd7-variants",
        "Variants in CD7",
        (
            TableColumn("Position", "left"),
            TableColumn("Change", "left"),
            TableColumn("Baseline reads"),
            TableColumn("Relapse reads"),
            TableColumn("Call", "left"),
        ),
        rows,
        study.variants,
        (
            "Reads of the allele of all reads there, from AD. New: at least 3 reads and 5 % at "
            "relapse, fewer at a baseline of at least 20 reads.",
        ),
    )


def clusters_table(study: Cd7Study) -> ReportTable:
    """CD7 by cluster: percent of cells with it, and the mean."""
    rows = tuple(
        TableRow(
            (
                row["cluster"],
                f"{row['cells']:,}",
                str(row["samples"]),
                number(row["detected_percent"]),
                number(row["mean"], digits=2),
            ),
            row["file"],
        )
        for row in study.clusters.iter_rows(named=True)
    )
    return ReportTable(
        "cd7-clusters",
        "CD7 by cluster",
        (
            TableColumn("Cluster", "left"),
            TableColumn("Cells"),
            TableColumn("Samples"),
            TableColumn("Cells with CD7", unit="%"),
            TableColumn("Mean CD7"),
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
        "Cluster shares over time",
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
        ("p: Mann-Whitney over samples, not cells; three against three cannot go below 0.1.",),
    )


def variant_counts(study: Cd7Study) -> pl.DataFrame:
    """How many variants have each call: [patient, call, len]."""
    return study.variants.group_by("patient", "call").len().sort("patient", "call")


def _number(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else number(value, digits=2)


def _reads(reads: int | None, depth: int | None) -> str:
    return "no depth" if depth is None or reads is None else f"{reads}/{depth}"
