"""The section on the CD7 locus, from a study of a sample sheet."""

import polars as pl

from graftline.assays.cd7_locus.study import BASELINE, RELAPSE, Cd7Study
from graftline.figures.assays_cd7 import draw_cluster_shares, draw_expression, draw_signal_tracks
from graftline.report.value import ReportFigure, Section
from graftline.tables.assay_cd7 import (
    changes_table,
    clusters_table,
    signal_table,
    variant_counts,
    variants_table,
)
from graftline.tables.value import ReportTable

MOST_TRACKS = 12
_TIMES = (BASELINE, "remission", RELAPSE)


def cd7_section(study: Cd7Study) -> Section:
    """Whether CD7 is closed, mutated, or low in some clusters at relapse."""
    return Section(
        "cd7", "The CD7 locus", _text(study), _tables(study), _figures(study), study.missing
    )


def cd7_facts(study: Cd7Study) -> tuple[tuple[str, str], ...]:
    """What a reader of the page wants first."""
    facts = [("Coordinates", "GRCh38, chr17")]
    if study.signal.height:
        facts.append(("ATAC samples", str(study.signal["sample"].n_unique())))
    if study.variants.height:
        new = int(study.variants["call"].str.starts_with("new").sum())
        facts.append(("Variants new at relapse", str(new)))
    if study.clusters.height:
        facts.append(("Cells", f"{study.clusters['cells'].sum():,}"))
    return tuple(facts)


def _text(study: Cd7Study) -> tuple[str, ...]:
    lines = []
    if study.signal.height:
        lines += [
            f"Signal of {patient} at {time}: promoter {ratio:.2f} times that of baseline, relative "
            "to flanks."
            for patient, time, ratio in study.signal.filter(
                pl.col("region") == "promoter",
                pl.col("time") != BASELINE,
                pl.col("against_baseline").is_not_null(),
            )
            .select("patient", "time", "against_baseline")
            .rows()
        ]
    if study.variants.height:
        for patient, counted in variant_counts(study).group_by("patient", maintain_order=True):
            said = ", ".join(f"{n} {call}" for _, call, n in counted.rows())
            where = "exons of CD7" if study.exons else "CD7"
            lines.append(f"Variants of {patient[0]} in {where}: {said}.")
    return tuple(lines)


def _tables(study: Cd7Study) -> tuple[ReportTable, ...]:
    made = (
        (study.signal, signal_table),
        (study.variants, variants_table),
        (study.clusters, clusters_table),
        (study.changes, changes_table),
    )
    return tuple(make(study) for frame, make in made if frame.height)


def _figures(study: Cd7Study) -> tuple[ReportFigure, ...]:
    figures = []
    if study.profiles:
        shown = dict(list(study.profiles.items())[:MOST_TRACKS])
        caption = "All tracks on one scale; means of equal bins from the full-resolution data."
        figure = draw_signal_tracks(shown)
        figures.append(ReportFigure("cd7-tracks", "ATAC signal around CD7", caption, figure))
    files = study.clusters["file"].unique(maintain_order=True) if study.clusters.height else ()
    for n, name in enumerate(files):
        own = study.clusters.filter(pl.col("file") == name)
        title = "CD7 by cluster"
        figures.append(
            ReportFigure(f"cd7-clusters-{n + 1}", title, f"{name}.", draw_expression(own))
        )
        shares = study.shares.filter(pl.col("file") == name)
        times = [t for t in _TIMES if (shares["time"] == t).any()]
        times += [t for t in shares["time"].unique().sort() if t not in times]
        figures.append(
            ReportFigure(
                f"cd7-shares-{n + 1}",
                "Cluster shares over time",
                "A point per sample, lines through means.",
                draw_cluster_shares(shares, times=times),
            )
        )
    return tuple(figures)
