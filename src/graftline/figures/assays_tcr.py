"""Repertoires: trajectories, tracked clones, rarefaction, overlap, expansion."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graftline.assays.tcr.depth import rarefaction_curve
from graftline.assays.tcr.spectrum import Spectrum
from graftline.figures.theme import (
    BLACK,
    BLUE,
    CYCLE,
    DOUBLE_COLUMN,
    GREEN,
    GREY,
    LIGHT,
    ORANGE,
    SINGLE_COLUMN,
    SKY,
    VERMILION,
    new_figure,
    themed,
)

_MEASURES = {
    "clonality": "Clonality (1 \N{MINUS SIGN} Pielou)",
    "hill_1": "Diversity (exp Shannon, clones)",
    "inverse_simpson": "Diversity (inverse Simpson, clones)",
    "estimate": "Value at the common depth",
}
_OVERLAPS = {"morisita_horn": "Morisita-Horn", "jaccard": "Jaccard", "f": "F", "f2": "F2"}
_BANDS = (VERMILION, ORANGE, SKY, LIGHT)


def draw_repertoire_courses(
    table: pl.DataFrame, *, measures: Sequence[str] = ("clonality", "hill_1")
) -> Figure:
    """Clonality and diversity over time, one line per patient, the donor's sample first.

    Parameters
    ----------
    table : DataFrame [patient, month, measures]
        ``month`` from HSPC; null for the donor's sample, drawn left of the axis and joined by a
        dotted line.
    """
    patients = table["patient"].unique().sort().to_list()
    last = float(table["month"].drop_nulls().max() or 1)  # type: ignore[arg-type]  # a float column
    donor_place = -0.12 * last
    with themed():
        figure = new_figure(DOUBLE_COLUMN, 2.8)
        panels = figure.subplots(1, len(measures), squeeze=False)[0]
        for axes, measure in zip(panels, measures, strict=True):
            for n, patient in enumerate(patients):
                own = table.filter(pl.col("patient") == patient).sort("month")
                _course(axes, own, measure, donor_place, CYCLE[n % len(CYCLE)], patient)
            axes.set_title(_MEASURES.get(measure, measure))
            axes.set_xlabel("Months from HSPC")
            ticks = [t for t in (0, 1, 3, 6, 9, 12, 18, 24, 36) if t <= last]
            axes.set_xticks([donor_place, *ticks], ["donor", *map(str, ticks)])
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=min(len(labels), 8))
    return figure


def _course(
    axes: Axes, own: pl.DataFrame, measure: str, donor_place: float, colour: str, label: str
) -> None:
    timed = own.drop_nulls(["month", measure])
    axes.plot(timed["month"], timed[measure], "o-", color=colour, label=label)
    donor = own.filter(pl.col("month").is_null()).drop_nulls(measure)
    for value in donor[measure]:
        axes.plot([donor_place], [value], "D", color=colour, markerfacecolor="white")
        if not timed.is_empty():
            ends = [donor_place, timed["month"][0]], [value, timed[measure][0]]
            axes.plot(*ends, ":", color=colour, linewidth=0.8)


def draw_rank_bands(bands: pl.DataFrame, *, samples: Sequence[str], ranked_at: str) -> Figure:
    """Share of every sample held by clones of rank bands at one time, as flowing areas.

    Parameters
    ----------
    bands : DataFrame [sample, band, share]
        From `track_rank_bands`.
    samples : sequence of str
        Order of the columns, the donor first.
    """
    names = bands["band"].unique(maintain_order=True).to_list()
    colours = dict(zip(names, [*_BANDS[: len(names) - 1], LIGHT], strict=True))
    place = np.arange(len(samples), dtype=np.float64)
    with themed():
        figure = new_figure(SINGLE_COLUMN + 0.6, 3.0)
        axes = figure.subplots()
        bottom = np.zeros(len(samples))
        for name in names:
            share = _shares(bands.filter(pl.col("band") == name), samples)
            axes.bar(place, share, 0.45, bottom=bottom, color=colours[name], label=name)
            for i in range(len(samples) - 1):
                across = [place[i] + 0.225, place[i + 1] - 0.225]
                low, high = bottom[i : i + 2], (bottom + share)[i : i + 2]
                axes.fill_between(across, low, high, color=colours[name], alpha=0.35, linewidth=0)
            bottom += share
        axes.set_xticks(place, list(samples))
        axes.set_ylim(0, 1)
        axes.set_ylabel("Share of the repertoire")
        axes.set_title(f"Clones by their rank at {ranked_at}")
        figure.legend(loc="outside lower left", ncols=len(names))
    return figure


def _shares(part: pl.DataFrame, samples: Sequence[str]) -> Any:
    by_sample = dict(part.select("sample", "share").iter_rows())
    return np.array([by_sample[sample] for sample in samples])


def draw_tracked_clones(
    tracked: pl.DataFrame, *, samples: Sequence[str], ranked_at: str, named: int = 10
) -> Figure:
    """Stacked shares of every tracked clone in every sample; the largest have colours.

    Parameters
    ----------
    tracked : DataFrame [rank, sample, share]
        From `track_clones`.
    """
    ranks = tracked["rank"].unique().sort().to_list()
    place = np.arange(len(samples), dtype=np.float64)
    with themed():
        figure = new_figure(SINGLE_COLUMN + 0.6, 3.0)
        axes = figure.subplots()
        shares = np.array([_shares(tracked.filter(pl.col("rank") == r), samples) for r in ranks])
        colours = [CYCLE[n % len(CYCLE)] if n < named else LIGHT for n in range(len(ranks))]
        axes.stackplot(place, shares, colors=colours, edgecolor="white", linewidth=0.3)
        axes.set_xticks(place, list(samples))
        axes.set_xlim(0, len(samples) - 1)
        axes.set_ylim(0, min(1.0, 1.15 * float(shares.sum(axis=0).max())))
        axes.set_ylabel("Share of the repertoire")
        axes.set_title(f"Top {len(ranks)} clones at {ranked_at}, traced back")
    return figure


def draw_rarefaction(spectra: Mapping[str, Spectrum], *, points: int = 40) -> Figure:
    """Clones expected at every depth up to each sample's own reads; no extrapolation."""
    with themed():
        figure = new_figure(SINGLE_COLUMN + 0.8, 2.9)
        axes = figure.subplots()
        for n, (name, spectrum) in enumerate(spectra.items()):
            depths = np.unique(np.linspace(1, spectrum.reads, points).round())
            curve = rarefaction_curve(spectrum, depths=depths.tolist())
            style = ("-", "--", ":")[n // len(CYCLE) % 3]
            axes.plot(depths, curve, style, color=CYCLE[n % len(CYCLE)], label=name)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel("Reads")
        axes.set_ylabel("Clones expected")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside right upper")
    return figure


def draw_overlap(
    table: pl.DataFrame, *, measure: str = "morisita_horn", samples: Sequence[str] | None = None
) -> Figure:
    """Overlap of all pairs of samples as a heat map with its numbers, in the order given."""
    found = pl.concat([table["sample_a"], table["sample_b"]]).unique().sort().to_list()
    names = list(samples or found)
    matrix = np.full((len(names), len(names)), np.nan)
    for a, b, value in table.select("sample_a", "sample_b", measure).iter_rows():
        if a in names and b in names:
            first, second = sorted((names.index(a), names.index(b)))
            matrix[second, first] = value
    top = float(np.nanmax(matrix)) or 1.0
    with themed():
        side = 1.2 + 0.42 * len(names)
        figure = new_figure(side + 0.6, side)
        axes = figure.subplots()
        image = axes.imshow(matrix, cmap="viridis", vmin=0, vmax=top)
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_yticks(range(len(names)), names)
        for (row, column), value in np.ndenumerate(matrix):
            if len(names) <= 14 and not np.isnan(value):
                colour = "white" if value < 0.6 * top else BLACK
                text = f"{value:.2f}" if value >= 0.01 or value == 0 else f"{value:.0e}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=5.5)
        figure.colorbar(image, ax=axes, label=_OVERLAPS.get(measure, measure), shrink=0.8)
    return figure


def draw_expansion(table: pl.DataFrame, *, before: str, after: str) -> Figure:
    """Share before against share after of every tested clone, expanded and contracted marked.

    Parameters
    ----------
    table : DataFrame
        From `expansion_test`. Clones absent on one side are drawn on that axis's edge.
    """
    seen = table.select(pl.concat_list("share_before", "share_after").explode()).to_series()
    floor = float(seen.filter(seen > 0).min() or 1e-6) / 2  # type: ignore[arg-type]  # floats
    colours = {"expanded": VERMILION, "contracted": BLUE, "unchanged": GREY}
    with themed():
        figure = new_figure(SINGLE_COLUMN, 3.3)
        axes = figure.subplots()
        for call in ("unchanged", "contracted", "expanded"):
            part = table.filter(pl.col("call") == call)
            x, y = (np.maximum(part[c].to_numpy(), floor) for c in ("share_before", "share_after"))
            axes.plot(x, y, "o", color=colours[call], alpha=0.7, label=f"{call} ({part.height})")
        axes.set_xscale("log")
        axes.set_yscale("log")
        top = max(axes.get_xlim()[1], axes.get_ylim()[1])
        axes.plot([floor, top], [floor, top], "-", color=GREEN, linewidth=0.6)
        axes.set_xlabel(f"Share in {before}")
        axes.set_ylabel(f"Share in {after}")
        figure.legend(loc="outside lower left", ncols=3, handletextpad=0.1, columnspacing=0.8)
    return figure
