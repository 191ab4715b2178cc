"""STR chimerism: every locus of every sample, and the course over time."""

from collections.abc import Callable

import numpy as np
import polars as pl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graftline.figures.theme import BLACK, CYCLE, DOUBLE_COLUMN, GREY, new_figure, themed

_LINEAGES = ("unsorted", "cd3", "cd33", "cd15", "cd19", "nk")


def draw_chimerism_loci(
    samples: pl.DataFrame, loci: pl.DataFrame, *, full_percent: float = 95.0
) -> Figure:
    """A row per sample: loci as dots, the joint percent as a bar with two standard errors.

    Parameters
    ----------
    samples : DataFrame [patient, day, lineage, donor_percent, standard_error, detection_percent]
    loci : DataFrame [patient, day, lineage, donor_percent]
    """
    with themed():
        figure = new_figure(DOUBLE_COLUMN * 0.8, 0.9 + 0.24 * samples.height)
        axes = figure.subplots()
        names = []
        for place, row in enumerate(samples.iter_rows(named=True)):
            own = loci.filter(
                pl.col("patient") == row["patient"],
                pl.col("day") == row["day"],
                pl.col("lineage") == row["lineage"],
            )["donor_percent"].drop_nulls()
            spread = np.linspace(-0.22, 0.22, own.len()) if own.len() > 1 else np.zeros(own.len())
            colour = _colour(row["lineage"])
            axes.plot(own.to_numpy(), place + spread, "o", color=colour, markersize=2.4, alpha=0.55)
            error = 2 * (row["standard_error"] or 0.0)
            axes.errorbar(
                row["donor_percent"], place, xerr=error, fmt="|", color=BLACK, markersize=9
            )
            names.append(f"{row['patient']}, day {row['day']:g}, {_word(row['lineage'])}")
        axes.set_yticks(range(samples.height), names)
        axes.set_ylim(samples.height - 0.5, -0.5)
        _limits(axes.axvline, samples, full_percent)
        shown = loci["donor_percent"].drop_nulls().clip(-40, 140).to_list()
        axes.set_xlim(min([0.0, *shown]) - 3, max([100.0, *shown]) + 3)
        axes.set_xlabel("Donor (%)")
    return figure


def draw_chimerism_course(
    samples: pl.DataFrame, *, full_percent: float = 95.0, columns: int = 3
) -> Figure:
    """A panel per patient: donor percent of every lineage over days, two standard errors."""
    patients = samples["patient"].unique(maintain_order=True).to_list()
    columns = min(columns, len(patients))
    rows = -(-len(patients) // columns)
    with themed():
        figure = new_figure(DOUBLE_COLUMN * (0.4 + 0.2 * columns), 0.5 + 1.9 * rows)
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axes, patient in zip(grid, patients, strict=False):
            _course(axes, samples.filter(pl.col("patient") == patient), full_percent)
            axes.set_title(patient)
        for n, axes in enumerate(grid):
            axes.set_visible(n < len(patients))
            if n % columns == 0:
                axes.set_ylabel("Donor (%)")
            if len(patients) > n >= len(patients) - columns:
                axes.set_xlabel("Day")
        known: dict[str, Artist] = {}
        for axes in grid[: len(patients)]:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                known.setdefault(label, handle)
        figure.legend(list(known.values()), list(known), loc="outside lower left", ncols=6)
    return figure


def _course(axes: Axes, own: pl.DataFrame, full_percent: float) -> None:
    for lineage in (name for name in _LINEAGES if (own["lineage"] == name).any()):
        part = own.filter(pl.col("lineage") == lineage).sort("day")
        axes.errorbar(
            part["day"].to_numpy(),
            part["donor_percent"].to_numpy(),
            yerr=2 * part["standard_error"].fill_null(0.0).to_numpy(),
            fmt="-o",
            color=_colour(lineage),
            markersize=3.5,
            linewidth=1.0,
            label=_word(lineage),
        )
    _limits(axes.axhline, own, full_percent)
    axes.set_ylim(-3, 103)
    axes.margins(x=0.1)


def _limits(draw: Callable[..., object], samples: pl.DataFrame, full_percent: float) -> None:
    for limit in sorted({full_percent, *samples["detection_percent"].to_list()}):
        draw(limit, color=GREY, linewidth=0.6, linestyle="--", zorder=0)


def _colour(lineage: str) -> str:
    return CYCLE[_LINEAGES.index(lineage) % len(CYCLE)]


def _word(lineage: str) -> str:
    return lineage if lineage == "unsorted" else lineage.upper()
