"""The CD7 locus: ATAC tracks, and clusters over time."""

from collections.abc import Mapping, Sequence

import polars as pl
from matplotlib.figure import Figure

from graftline.assays.cd7_locus.atac import Floats
from graftline.assays.cd7_locus.expression import in_order
from graftline.assays.cd7_locus.gene import CD7, Region, promoter
from graftline.figures.theme import (
    BLACK,
    CYCLE,
    DOUBLE_COLUMN,
    ORANGE,
    SINGLE_COLUMN,
    SKY,
    new_figure,
    themed,
)

# More clusters than colours: the same colour again with another line.
_LINES = ("-", "--", ":", "-.")


def draw_signal_tracks(
    profiles: Mapping[str, tuple[Floats, Floats]], *, gene: Region = CD7
) -> Figure:
    """ATAC signal of several samples over a gene, one track each, all on one scale.

    Parameters
    ----------
    profiles : mapping
        Bases and mean signal by sample, from `signal_profile`.
    """
    top = max(float(signal.max()) for _, signal in profiles.values()) or 1.0
    bottom = min(0.0, *(float(signal.min()) for _, signal in profiles.values()))
    with themed():
        figure = new_figure(DOUBLE_COLUMN, 0.8 + 0.75 * len(profiles))
        panels = figure.subplots(len(profiles), 1, squeeze=False, sharex=True)[:, 0]
        for n, (axes, (name, (bases, signal))) in enumerate(
            zip(panels, profiles.items(), strict=True)
        ):
            upstream = promoter(gene)
            axes.axvspan(gene.start, gene.end, color=SKY, alpha=0.2, linewidth=0)
            axes.axvspan(upstream.start, upstream.end, color=ORANGE, alpha=0.25, linewidth=0)
            axes.fill_between(bases, signal, step="mid", color=CYCLE[n % len(CYCLE)], linewidth=0)
            axes.set_ylim(1.05 * bottom, 1.05 * top)
            axes.set_ylabel(name, rotation=0, ha="right", va="center")
        panels[0].set_title(f"{gene.name}: body blue, promoter orange, transcribed to the left")
        panels[-1].set_xlabel(f"{gene.chromosome} (GRCh38)")
        panels[-1].xaxis.set_major_formatter("{x:,.0f}")
    return figure


def draw_cluster_shares(shares: pl.DataFrame, *, times: Sequence[str]) -> Figure:
    """Share of every cluster at every time: one point per sample, a line through the means."""
    clusters = in_order(shares["cluster"].unique())
    with themed():
        figure = new_figure(SINGLE_COLUMN + 1.0, max(2.7, 0.6 + 0.17 * len(clusters)))
        axes = figure.subplots()
        for n, cluster in enumerate(clusters):
            part = shares.filter(pl.col("cluster") == cluster)
            values = [part.filter(pl.col("time") == t)["share"].to_list() for t in times]
            colour, line = CYCLE[n % len(CYCLE)], _LINES[n // len(CYCLE) % len(_LINES)]
            means = [sum(v) / len(v) if v else float("nan") for v in values]
            axes.plot(range(len(times)), means, line, color=colour, label=str(cluster))
            for place, found in enumerate(values):
                axes.plot(
                    [place] * len(found),
                    found,
                    "o",
                    color=colour,
                    markeredgecolor=BLACK,
                    markeredgewidth=0.3,
                )
        axes.set_xticks(range(len(times)), list(times))
        axes.set_ylabel("Share of the sample's cells")
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside right upper", title="Cluster")
    return figure


def draw_expression(clusters: pl.DataFrame, *, gene: str = "CD7") -> Figure:
    """Percent of cells with the gene, and its mean, for every cluster; lowest mean at the bottom.

    Parameters
    ----------
    clusters : DataFrame [cluster, cells, detected_percent, mean]
        From `expression_by_cluster`.
    """
    names = [f"{name} (n = {n:,})" for name, n in clusters.select("cluster", "cells").rows()]
    known = clusters.with_columns(pl.col("detected_percent", "mean").fill_null(float("nan")))
    places = list(range(clusters.height, 0, -1))
    with themed():
        figure = new_figure(DOUBLE_COLUMN * 0.8, 0.9 + 0.24 * clusters.height)
        left, right = figure.subplots(1, 2, sharey=True)
        left.barh(places, known["detected_percent"].to_list(), 0.7, color=SKY)
        right.barh(places, known["mean"].to_list(), 0.7, color=ORANGE)
        left.set_yticks(places, names)
        left.set_xlim(0, 100)
        left.set_xlabel(f"Cells with {gene} (%)")
        if clusters["detected_percent"].null_count() == clusters.height:
            left.text(0.5, 0.5, "values are scaled", transform=left.transAxes, ha="center")
        right.set_xlabel(f"Mean {gene}")
    return figure
