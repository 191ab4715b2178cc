"""Repertoires: courses, rarefaction, overlap."""

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from graftline.assays.tcr.depth import rarefaction_curve
from graftline.assays.tcr.spectrum import Spectrum
from graftline.figures.theme import (
    BLACK,
    CYCLE,
    DOUBLE_COLUMN,
    LINES,
    SINGLE_COLUMN,
    new_figure,
    plain_log_axis,
    themed,
)

_MEASURES = {
    "clonality": "Clonality",
    "hill_1": "Diversity, exp(Shannon)",
    "inverse_simpson": "Diversity, inverse Simpson",
    "estimate": "Value at the common depth",
}
_OVERLAPS = {"morisita_horn": "Morisita-Horn", "jaccard": "Jaccard", "f": "F", "f2": "F2"}
_LOGARITHMIC = ("hill_1", "inverse_simpson", "richness")
_MONTHS = (1, 3, 6, 9, 12, 18, 24, 36, 48, 60)
_LONG = 20
_MOST_NAMED = 24
_MOST_NUMBERS = 14
_WIDEST_MAP = 5.2
_MANY = 20
_MARKS = ("o", "s", "^", "v")
_LEGEND_SIGNS = 95


def panel_grid(
    count: int, *, height: float, share: bool = True, columns: int = 3
) -> tuple[Figure, list[Axes]]:
    """Panels side by side, up to three in a row; the caller draws inside ``themed``."""
    wide = min(columns, count)
    rows = math.ceil(count / wide)
    width = {1: SINGLE_COLUMN + 0.8, 2: 5.6}.get(wide, DOUBLE_COLUMN)
    figure = new_figure(width, height * rows + 0.5)
    grid = figure.subplots(rows, wide, squeeze=False, sharex=share, sharey=share)
    panels = list(grid.ravel())
    for spare in panels[count:]:
        spare.remove()
    for axes in panels[:count]:
        axes.tick_params(labelbottom=True, labelleft=True)
    return figure, panels[:count]


def draw_repertoire_courses(
    table: pl.DataFrame,
    *,
    measures: Sequence[str] = ("clonality", "hill_1"),
    time: str = "Months from HSPC",
) -> Figure:
    """Clonality and diversity over time, one line per patient, the donor's sample first.

    Parameters
    ----------
    table : DataFrame [patient, month, measures]
        Null ``month`` for the donor's sample, drawn left of the axis and joined by a dotted line to
        the first sample from month 0 on.
        Patients beyond the colours repeat them with another mark.
    time : str
        What the months count from.
    """
    patients = table["patient"].unique().sort().to_list()
    months = [0.0, *table["month"].drop_nulls().to_list()]
    first, last = min(months), max(months) or 1.0
    donor_place = first - 0.12 * (last - first)
    donors = table["month"].is_null().any()
    with themed():
        figure = new_figure(DOUBLE_COLUMN, 2.8)
        panels = figure.subplots(1, len(measures), squeeze=False)[0]
        for axes, measure in zip(panels, measures, strict=True):
            for n, patient in enumerate(patients):
                own = table.filter(pl.col("patient") == patient).sort("month")
                look = (CYCLE[n % len(CYCLE)], _MARKS[n // len(CYCLE) % len(_MARKS)])
                _course(axes, own, measure, donor_place, look, patient)
            axes.set_title(_MEASURES.get(measure, measure))
            if measure in _LOGARITHMIC:
                plain_log_axis(axes)
                axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0), numticks=12))
            else:
                axes.set_ylim(bottom=0)
            axes.set_xlabel(time)
            ticks = [t for t in _MONTHS if t <= last + 0.5 and (t > 1 or last < _LONG)]
            if first < 0:
                ticks = [0, *(t for t in ticks if t > 1)]
            donor = {donor_place: "donor"} if donors else {}
            axes.set_xticks([*donor, *ticks], [*donor.values(), *map(str, ticks)])
        handles, labels = panels[0].get_legend_handles_labels()
        if len(labels) <= _MOST_NAMED:
            across = max(1, _LEGEND_SIGNS // (max(map(len, labels)) + 8))
            figure.legend(
                handles, labels, loc="outside lower left", ncols=min(len(labels), 8, across)
            )
    return figure


def _course(
    axes: Axes,
    own: pl.DataFrame,
    measure: str,
    donor_place: float,
    look: tuple[str, str],
    label: str,
) -> None:
    colour, mark = look
    timed = own.drop_nulls(["month", measure])
    axes.plot(timed["month"], timed[measure], f"{mark}-", color=colour, label=label)
    donor = own.filter(pl.col("month").is_null()).drop_nulls(measure)
    after = timed.filter(pl.col("month") >= 0)
    for value in donor[measure]:
        axes.plot([donor_place], [value], "D", color=colour, markerfacecolor="white")
        if not after.is_empty():
            ends = [donor_place, after["month"][0]], [value, after[measure][0]]
            axes.plot(*ends, ":", color=colour, linewidth=0.8)


def draw_rarefaction(
    spectra: Mapping[str, Mapping[str, Spectrum]],
    *,
    months: Mapping[str, float | None],
    labels: Mapping[str, str] | None = None,
    dashed: str = "donor",
    time: str = "Months from HSPC",
    points: int = 40,
) -> Figure:
    """Clones expected at every depth up to each sample's own reads; no extrapolation.

    Parameters
    ----------
    spectra : mapping of panel title (patient) to mapping of sample to Spectrum
    months : mapping of sample to month
        Samples without a month are black and dashed: those of ``dashed``. Where none has one,
        every sample has its own colour and, up to 24, a line in the legend.
    labels : mapping of sample to its name in that legend, optional
    """
    named = labels or {}
    known = [month for month in months.values() if month is not None]
    last = max(known, default=0.0)
    shades = mpl.colormaps["viridis_r"]
    with themed():
        figure, panels = panel_grid(len(spectra), height=2.1, share=False)
        for axes, (title, samples) in zip(panels, spectra.items(), strict=True):
            for n, (name, spectrum) in enumerate(samples.items()):
                depths = np.unique(np.linspace(1, spectrum.reads, points).round())
                curve = rarefaction_curve(spectrum, depths=depths.tolist())
                month = months.get(name)
                if not known:
                    style = LINES[n // len(CYCLE) % len(LINES)]
                    label = named.get(name, name)
                    axes.plot(depths, curve, style, color=CYCLE[n % len(CYCLE)], label=label)
                elif month is None:
                    axes.plot(depths, curve, "--", color=BLACK)
                else:
                    axes.plot(depths, curve, color=shades(0.1 + 0.9 * month / max(last, 1.0)))
            axes.locator_params(axis="x", nbins=4)
            axes.set_title(title)
            axes.set_xlabel("Reads or templates")
            axes.set_ylabel("Clones expected")
            axes.set_xlim(left=0)
            axes.set_ylim(bottom=0)
        if known:
            scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(0, max(last, 1.0)), shades)
            label = f"{time}\n(dashed: {dashed})" if len(known) < len(months) else time
            figure.colorbar(scale, ax=list(panels), label=label, shrink=0.8)
        elif len(months) <= _MOST_NAMED:
            figure.legend(loc="outside right upper")
    return figure


def draw_overlap(
    table: pl.DataFrame,
    *,
    measure: str = "morisita_horn",
    samples: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Overlap of all pairs of samples as a heat map with its numbers, in the order given.

    ``labels`` are names to show instead of those of the samples.
    """
    found = pl.concat([table["sample_a"], table["sample_b"]]).unique().sort().to_list()
    names = list(samples or found)
    matrix = np.full((len(names), len(names)), np.nan)
    for a, b, value in table.select("sample_a", "sample_b", measure).iter_rows():
        if a in names and b in names:
            first, second = sorted((names.index(a), names.index(b)))
            matrix[second, first] = value
    top = float(np.nanmax(matrix)) or 1.0
    with themed():
        side = 1.2 + min(0.42 * len(names), _WIDEST_MAP)
        figure = new_figure(side + 0.6, side)
        axes = figure.subplots()
        image = axes.imshow(matrix, cmap="viridis", vmin=0, vmax=top)
        shown = [(labels or {}).get(name, name) for name in names]
        small = 5.0 if len(names) > _MANY else None
        axes.set_xticks(range(len(names)), shown, rotation=90, fontsize=small)
        axes.set_yticks(range(len(names)), shown, fontsize=small)
        for (row, column), value in np.ndenumerate(matrix):
            if len(names) <= _MOST_NUMBERS and not np.isnan(value):
                colour = "white" if value < 0.6 * top else BLACK
                text = f"{value:.2f}" if value >= 0.01 else f"{value:.1g}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=5.5)
        figure.colorbar(image, ax=axes, label=_OVERLAPS.get(measure, measure), shrink=0.8)
    return figure
