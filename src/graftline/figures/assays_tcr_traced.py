"""Clones followed back to the donor: rank bands, single clones, donor against late."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from graftline.assays.tcr.spectrum import Floats
from graftline.figures.assays_tcr import panel_grid
from graftline.figures.theme import (
    BLUE,
    CYCLE,
    GREY,
    LIGHT,
    ORANGE,
    SKY,
    VERMILION,
    themed,
)

_BANDS = (VERMILION, ORANGE, SKY)
_PANEL_SIGNS, _FEWEST_PLACES = 27, 4
_CALLS = {"unchanged": GREY, "contracted": BLUE, "expanded": VERMILION}


def draw_rank_bands(
    bands: pl.DataFrame, *, labels: Mapping[str, str], titles: Mapping[str, str], time: str
) -> Figure:
    """Share of every sample held by clones of rank bands at one time, as flowing areas.

    Parameters
    ----------
    bands : DataFrame [patient, sample, band, share]
        From `track_rank_bands`, a panel for each patient, samples in the order to draw them.
    labels : mapping of sample to what stands under its bar
    titles : mapping of patient to panel title
    time : str
        What the labels under the bars count.
    """
    names = bands["band"].unique(maintain_order=True).to_list()
    colours = dict(zip(names, [*_BANDS[: len(names) - 1], LIGHT], strict=True))
    with themed():
        figure, panels = panel_grid(len(titles), height=2.1, share=False)
        for axes, (patient, title) in zip(panels, titles.items(), strict=True):
            own = bands.filter(pl.col("patient") == patient)
            samples = own["sample"].unique(maintain_order=True).to_list()
            place = np.arange(len(samples), dtype=np.float64)
            bottom = np.zeros(len(samples))
            for name in names:
                share = _shares(own.filter(pl.col("band") == name), samples)
                axes.bar(place, share, 0.45, bottom=bottom, color=colours[name], label=name)
                _flow(axes, place, bottom, bottom + share, colours[name])
                bottom = bottom + share
            _sample_axis(axes, place, [labels[s] for s in samples], title, time)
            axes.set_ylim(0, 1)
        handles, found = panels[0].get_legend_handles_labels()
        figure.legend(handles, found, loc="outside lower left", ncols=len(names), title="Rank")
    return figure


def _flow(axes: Axes, place: Floats, low: Floats, high: Floats, colour: str) -> None:
    for i in range(len(place) - 1):
        across = [place[i] + 0.225, place[i + 1] - 0.225]
        axes.fill_between(
            across, low[i : i + 2], high[i : i + 2], color=colour, alpha=0.35, linewidth=0
        )


def _fit(labels: Sequence[str]) -> bool:
    """Whether no two neighbours touch under a panel."""
    wide = [(len(a) + len(b)) / 2 + 0.7 for a, b in pairwise(labels)]
    return max(wide, default=0) * len(labels) <= _PANEL_SIGNS


def _sample_axis(axes: Axes, place: Floats, labels: Sequence[str], title: str, time: str) -> None:
    axes.set_xticks(place, list(labels), rotation=0 if _fit(labels) else 90)
    # A bar stays a bar where there are one or two.
    spare = max(_FEWEST_PLACES - len(labels), 0) / 2
    axes.set_xlim(-0.6 - spare, len(labels) - 0.4 + spare)
    axes.set_title(title)
    axes.set_xlabel(time)
    axes.set_ylabel("Share of the repertoire")


def _shares(part: pl.DataFrame, samples: Sequence[str]) -> Floats:
    by_sample = dict(part.select("sample", "share").iter_rows())
    return np.array([by_sample[sample] for sample in samples])


def draw_tracked_clones(
    tracked: pl.DataFrame,
    *,
    labels: Mapping[str, str],
    titles: Mapping[str, str],
    time: str,
    named: int = 8,
) -> Figure:
    """Stacked shares of every tracked clone in every sample; the largest have colours.

    Parameters
    ----------
    tracked : DataFrame [patient, rank, sample, share]
        From `track_clones`, a panel for each patient, samples in the order to draw them.
    labels, titles, time
        As in `draw_rank_bands`.
    """
    with themed():
        figure, panels = panel_grid(len(titles), height=2.1, share=False)
        for axes, (patient, title) in zip(panels, titles.items(), strict=True):
            own = tracked.filter(pl.col("patient") == patient)
            samples = own["sample"].unique(maintain_order=True).to_list()
            ranks = own["rank"].unique().sort().to_list()
            place = np.arange(len(samples), dtype=np.float64)
            stacked = np.array([_shares(own.filter(pl.col("rank") == r), samples) for r in ranks])
            tops = np.cumsum(stacked, axis=0)
            for n in range(min(named, len(CYCLE), len(ranks))):
                low = tops[n] - stacked[n]
                axes.bar(place, stacked[n], 0.45, bottom=low, color=CYCLE[n])
                _flow(axes, place, low, tops[n], CYCLE[n])
            rest = tops[min(named, len(ranks)) - 1]
            axes.bar(place, tops[-1] - rest, 0.45, bottom=rest, color=LIGHT)
            lines = [
                [(x - 0.225, y), (x + 0.225, y)]
                for x, ys in zip(place, tops.T, strict=True)
                for y in ys
            ]
            axes.add_collection(LineCollection(lines, colors="white", linewidths=0.25))
            bottom = tops[-1]
            for x, top in zip(place, bottom, strict=True):
                axes.text(x, top + 0.02, f"{100 * top:.0f}%", ha="center", fontsize=6.5)
            _sample_axis(axes, place, [labels[s] for s in samples], title, time)
            axes.set_ylim(0, 1.08)
    return figure


def draw_expansion(
    table: pl.DataFrame, *, titles: Mapping[str, str], before: str, after: str
) -> Figure:
    """Share before against share after of every tested clone, expanded and contracted marked.

    Parameters
    ----------
    table : DataFrame
        From `expansion_test`, with ``patient``: a panel for each. Clones absent on one side are
        drawn on that axis's edge.
    before, after : str
        What the axes show.
    """
    shares = [s for c in ("share_before", "share_after") for s in table[c].to_list() if s > 0]
    floor, top = min(shares, default=1e-6) / 2, max(shares, default=1.0) * 1.6
    with themed():
        figure, panels = panel_grid(len(titles), height=2.2)
        for axes, (patient, title) in zip(panels, titles.items(), strict=True):
            own = table.filter(pl.col("patient") == patient)
            axes.plot([floor, top], [floor, top], "-", color=LIGHT, linewidth=0.8, zorder=0)
            counts = []
            for call, colour in _CALLS.items():
                part = own.filter(pl.col("call") == call)
                x, y = (
                    np.maximum(part[c].to_numpy(), floor) for c in ("share_before", "share_after")
                )
                axes.plot(x, y, "o", color=colour, alpha=0.6, markersize=3, label=call)
                counts.append(f"{part.height} {call}")
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.minorticks_off()
            axes.set_title(f"{title}: {counts[2]}")
            axes.set_xlabel(f"Share in {before}")
            axes.set_ylabel(f"Share in {after}")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=3, handletextpad=0.1)
    return figure
