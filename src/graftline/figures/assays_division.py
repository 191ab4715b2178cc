"""Division and stimulation: CFSE with its generations, and bars of every subject's wells."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from graftline.assays.generation_model import peak_density
from graftline.assays.generations import Floats, GenerationFit, UndividedPeak
from graftline.assays.mlr import JudgedWell
from graftline.figures.theme import (
    BLACK,
    BLUE,
    CYCLE,
    DOUBLE_COLUMN,
    GREY,
    LIGHT,
    SINGLE_COLUMN,
    new_figure,
    themed,
)

_BINS = 16
_BAR = 0.38


def draw_division_overlays(
    judged: Sequence[JudgedWell], at_rest: Mapping[str, Floats], *, columns: int = 3
) -> Figure:
    """A panel per subject: unstimulated cells filled, the first well of every stimulus as a line.

    Histograms are scaled to their own maximum; dashed: below it a cell is CFSE-low.
    """
    subjects = list(dict.fromkeys(one.well.subject for one in judged))
    stimuli = sorted({one.well.stimulus for one in judged} - {"none"})
    colours = {stimulus: CYCLE[n % len(CYCLE)] for n, stimulus in enumerate(stimuli)}
    with themed():
        figure, grid = _panels(len(subjects), columns, 1.9)
        for axes, subject in zip(grid, subjects, strict=False):
            own = _first_wells([one for one in judged if one.well.subject == subject])
            wells = {one.well.stimulus: one.well.cfse for one in own if one.well.stimulus != "none"}
            edges = _edges([at_rest[subject], *wells.values()], own)
            rest = _scaled_counts(at_rest[subject], edges)
            axes.fill_between(2 ** edges[:-1], rest, step="post", color=LIGHT, label="unstimulated")
            for stimulus, values in wells.items():
                axes.step(
                    2 ** edges[:-1],
                    _scaled_counts(values, edges),
                    where="post",
                    color=colours[stimulus],
                    label=stimulus.replace("_", " "),
                    linewidth=1.0,
                )
            cut = own[0].peak.intensity / np.sqrt(2)
            axes.axvline(cut, color=BLACK, linewidth=0.6, linestyle="--")
            _log_axis(axes, subject)
        _outer_labels(figure, grid[: len(subjects)], columns, "% of maximum")
        _one_legend(figure, grid[: len(subjects)])
    return figure


def draw_division_fits(judged: Sequence[JudgedWell], *, columns: int = 3, most: int = 24) -> Figure:
    """A panel per subject and stimulus: events, the fitted generations with numbers, their sum."""
    shown = [one for one in _first_wells(judged) if one.well.stimulus != "none"][:most]
    edges = _edges([one.well.cfse for one in shown], shown)
    with themed():
        figure, grid = _panels(len(shown), columns, 1.9)
        for axes, one in zip(grid, shown, strict=False):
            counts = np.histogram(_logs(one.well.cfse), edges)[0]
            axes.fill_between(2 ** edges[:-1], counts, step="post", color=LIGHT, label="events")
            grid_logs = np.linspace(edges[0], edges[-1], 400)
            curves = [_generation_curve(one.fit, i, grid_logs) for i in range(one.fit.cells.size)]
            axes.plot(2**grid_logs, np.sum(curves, axis=0), color=GREY, linewidth=0.9, label="fit")
            _draw_generations(axes, one.fit, curves, grid_logs)
            _log_axis(axes, f"{one.well.subject}, {one.well.stimulus.replace('_', ' ')}")
            axes.margins(y=0.12)
            axes.set_ylim(bottom=0)
        _outer_labels(figure, grid[: len(shown)], columns, "Events")
        _one_legend(figure, grid[: len(shown)])
    return figure


def draw_person_bars(
    wells: pl.DataFrame, *, value: str, label: str, columns: int = 3, start: str = "none"
) -> Figure:
    """A panel per patient: bars of the donor and the patient for each stimulus, wells as points.

    Parameters
    ----------
    wells : DataFrame [patient, person, stimulus, value]
        ``person`` is patient or donor.
    start : str
        Stimulus that stands first.
    """
    patients = wells["patient"].unique().sort().to_list()
    stimuli = sorted(wells["stimulus"].unique().to_list(), key=lambda s: (s != start, s))
    sides = (("donor", LIGHT), ("patient", BLUE))
    with themed():
        figure, grid = _panels(len(patients), columns, 1.9)
        for axes, patient in zip(grid, patients, strict=False):
            for n, (person, colour) in enumerate(sides):
                for m, stimulus in enumerate(stimuli):
                    points = wells.filter(
                        (pl.col("patient") == patient)
                        & (pl.col("person") == person)
                        & (pl.col("stimulus") == stimulus)
                    )[value].drop_nulls()
                    place = m + (n - 0.5) * (_BAR + 0.02)
                    if points.is_empty():
                        continue
                    axes.bar(
                        place,
                        float(points.mean()),  # type: ignore[arg-type]  # numbers, not empty
                        _BAR,
                        color=colour,
                        edgecolor=BLACK,
                        linewidth=0.5,
                        label=person,
                    )
                    spread = np.linspace(-0.3, 0.3, points.len()) if points.len() > 1 else [0.0]
                    axes.plot(
                        place + _BAR * np.asarray(spread),
                        points.to_numpy(),
                        "o",
                        color=BLACK,
                        markersize=2.2,
                    )
            axes.axhline(0, color=BLACK, linewidth=0.6)
            axes.set_title(patient)
            axes.set_xticks(
                range(len(stimuli)), [s.replace("_", "\n") for s in stimuli], fontsize=6.5
            )
        for n, axes in enumerate(grid[: len(patients)]):
            if n % columns == 0:
                axes.set_ylabel(label)
        _one_legend(figure, grid[: len(patients)])
    return figure


def _panels(count: int, columns: int, height: float) -> tuple[Figure, list[Axes]]:
    columns = min(columns, max(count, 1))
    rows = -(-max(count, 1) // columns)
    figure = new_figure(DOUBLE_COLUMN * (0.4 + 0.2 * columns), 0.5 + height * rows)
    grid = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes in grid[count:]:
        axes.set_visible(False)
    return figure, grid


def _first_wells(judged: Sequence[JudgedWell]) -> list[JudgedWell]:
    """The lowest replicate of every subject and stimulus."""
    first: dict[tuple[str, str], JudgedWell] = {}
    for one in sorted(judged, key=lambda j: (j.well.subject, j.well.stimulus, j.well.replicate)):
        first.setdefault((one.well.subject, one.well.stimulus), one)
    return list(first.values())


def _logs(values: Floats) -> Floats:
    return np.asarray(np.log2(values[np.isfinite(values) & (values > 0)]))


def _edges(values: Sequence[Floats], judged: Sequence[JudgedWell] = ()) -> Floats:
    """Bins from the dimmest to the brightest events; debris below the last peak is not shown."""
    logs = np.concatenate([_logs(v) for v in values])
    low, high = np.quantile(logs, [0.0005, 0.9995]) if logs.size else (0.0, 1.0)
    if judged:
        low = max(low, min(float(np.log2(one.fit.peaks[-1])) for one in judged) - 1)
    return np.asarray(np.arange(low - 0.5, high + 0.5 + 1 / _BINS, 1 / _BINS))


def _scaled_counts(values: Floats, edges: Floats) -> Floats:
    counts = np.histogram(_logs(values), edges)[0]
    smooth = np.convolve(counts, [0.25, 0.5, 0.25], mode="same")
    return np.asarray(100 * smooth / max(float(smooth.max()), 1e-12))


def _generation_curve(fit: GenerationFit, generation: int, logs: Floats) -> Floats:
    width = fit.widths[generation]
    z = (logs - np.log2(fit.peaks[generation])) / width
    density = peak_density(z, fit.undivided)[0] / width
    return np.asarray(fit.cells[generation] / _BINS * density)


def _draw_generations(
    axes: Axes, fit: GenerationFit, curves: Sequence[Floats], logs: Floats
) -> None:
    for i, curve in enumerate(curves):
        if fit.cells[i] < 1:
            continue
        axes.plot(2**logs, curve, color=BLUE, linewidth=0.7)
        axes.annotate(
            str(i), (fit.peaks[i], curve.max()), ha="center", va="bottom", fontsize=6.5, color=BLUE
        )


def _log_axis(axes: Axes, title: str) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(bottom=0)
    axes.set_title(title)


def _outer_labels(figure: Figure, grid: Sequence[Axes], columns: int, label: str) -> None:
    for n, axes in enumerate(grid):
        if n % columns == 0:
            axes.set_ylabel(label)
        if n + columns >= len(grid):
            axes.set_xlabel("CFSE")


def _one_legend(figure: Figure, grid: Sequence[Axes]) -> None:
    known: dict[str, Artist] = {}
    for axes in grid:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            known.setdefault(label, handle)
    if known:
        figure.legend(
            list(known.values()), list(known), loc="outside lower left", ncols=min(len(known), 6)
        )


def draw_cfse(
    stimulated: Floats, unstimulated: Floats, undivided: UndividedPeak, fit: GenerationFit
) -> Figure:
    """CFSE of a stimulated well over the unstimulated one, with the fitted generations."""
    edges = _edges([stimulated, unstimulated])
    counts = [np.histogram(_logs(v), edges)[0] for v in (stimulated, unstimulated)]
    scale = counts[0].max() / max(counts[1].max(), 1)
    logs = np.linspace(edges[0], edges[-1], 600)
    curves = [_generation_curve(fit, i, logs) for i in range(fit.cells.size)]
    with themed():
        figure = new_figure(SINGLE_COLUMN + 0.5, 2.6)
        axes = figure.subplots()
        axes.fill_between(
            2 ** edges[:-1],
            counts[1] * scale,
            step="post",
            color=LIGHT,
            label="unstimulated (scaled)",
        )
        axes.step(2 ** edges[:-1], counts[0], where="post", color=BLACK, label="stimulated")
        axes.axvline(undivided.intensity, color=GREY, linewidth=0.6, linestyle=":")
        _draw_generations(axes, fit, curves, logs)
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("CFSE (numbers: generations)")
        axes.set_ylabel("Events")
        figure.legend(loc="outside lower left", ncols=2)
    return figure


def draw_stimulation_bars(
    wells: pl.DataFrame,
    *,
    value: str = "net_cfse_low_percent",
    label: str = "CFSE-low, net of unstimulated (%)",
    stimuli: Sequence[str] | None = None,
) -> Figure:
    """Mean of every subject and stimulus as bars, every replicate as a point.

    Parameters
    ----------
    wells : DataFrame [subject, stimulus, value]
        From `summarize_wells` or `net_responses`.
    """
    subjects = wells["subject"].unique().sort().to_list()
    shown = list(stimuli or wells["stimulus"].unique().sort().to_list())
    width = 0.8 / len(subjects)
    with themed():
        figure = new_figure(SINGLE_COLUMN + 0.5, 2.7)
        axes = figure.subplots()
        for n, subject in enumerate(subjects):
            for m, stimulus in enumerate(shown):
                here = (pl.col("subject") == subject) & (pl.col("stimulus") == stimulus)
                points = wells.filter(here)[value].drop_nulls().to_numpy()
                place = m - 0.4 + width * (n + 0.5)
                name = subject if m == 0 else None
                if points.size:
                    axes.bar(
                        place,
                        points.mean(),
                        0.9 * width,
                        color=CYCLE[n % len(CYCLE)],
                        alpha=0.6,
                        label=name,
                    )
                spread = np.linspace(-0.2, 0.2, points.size) * width if points.size > 1 else [0.0]
                axes.plot(
                    place + np.asarray(spread)[: points.size],
                    points,
                    "o",
                    color=BLACK,
                    markersize=2.5,
                )
        axes.axhline(0, color=BLACK, linewidth=0.6)
        axes.set_xticks(range(len(shown)), [s.replace("_", " ") for s in shown])
        axes.set_ylabel(label)
        figure.legend(loc="outside lower left", ncols=min(len(subjects), 4))
    return figure
