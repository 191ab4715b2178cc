"""The section on the CD7 locus, from a study of a sample sheet."""

import polars as pl

from graftline.assays.cd7_locus.study import Cd7Study
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
    if study.compared:
        new = int(study.variants["call"].str.starts_with("new").sum())
        facts.append((f"Variants new at {study.late}", str(new)))
    if study.clusters.height:
        facts.append(("Cells", f"{study.clusters['cells'].sum():,}"))
    return tuple(facts)


def _text(study: Cd7Study) -> tuple[str, ...]:
    return *_signal_text(study), *_variants_text(study)


def _signal_text(study: Cd7Study) -> list[str]:
    if not study.signal.height:
        return []
    promoters = study.signal.filter(
        pl.col("region") == "promoter",
        pl.col("time") != study.reference,
        pl.col("against_baseline").is_not_null(),
    )
    return [
        f"Signal of {sample}: promoter {ratio:.2f} times that of {study.reference}, relative to "
        "flanks."
        for sample, ratio in promoters.select("sample", "against_baseline").rows()
    ]


def _variants_text(study: Cd7Study) -> list[str]:
    where = "the exons of CD7" if study.exons else "CD7"
    lines = []
    for patient in study.compared:
        counted = variant_counts(study).filter(pl.col("patient") == patient)
        said = ", ".join(f"{n} {call}" for _, call, n in counted.rows())
        said = said or (
            f"none in the files of {study.reference} and {study.late}. A VCF without a record does "
            "not show whether the gene was covered"
        )
        lines.append(f"Variants of {patient} in {where}: {said}.")
    return lines


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
        if len(study.profiles) > MOST_TRACKS:
            caption += f" The first {MOST_TRACKS} of {len(study.profiles)} samples."
        figure = draw_signal_tracks(shown)
        figures.append(ReportFigure("cd7-tracks", "ATAC signal around CD7", caption, figure))
    files = study.clusters["file"].unique(maintain_order=True) if study.clusters.height else ()
    for n, name in enumerate(files):
        own = study.clusters.filter(pl.col("file") == name)
        title = f"{study.gene} by cluster"
        figure = draw_expression(own, gene=study.gene)
        figures.append(ReportFigure(f"cd7-clusters-{n + 1}", title, f"{name}.", figure))
        shares = study.shares.filter(pl.col("file") == name)
        times = _in_order(shares["time"], study.before, study.after)
        figures.append(
            ReportFigure(
                f"cd7-shares-{n + 1}",
                "Cluster shares over time",
                "A point per sample, lines through means.",
                draw_cluster_shares(shares, times=times),
            )
        )
    return tuple(figures)


def _in_order(times: pl.Series, before: str, after: str) -> list[str]:
    """Times of samples: what is compared at both ends, the others between by name."""
    found = times.unique().sort().to_list()
    between = [time for time in found if time not in (before, after)]
    return [time for time in (before, *between, after) if time in found]
