"""Division and stimulation: CFSE with its generations, and bars of every subject's wells."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from graftline.assays.generations import Floats, GenerationFit, UndividedPeak
from graftline.figures.theme import (
    BLACK,
    BLUE,
    CYCLE,
    LIGHT,
    SINGLE_COLUMN,
    new_figure,
    themed,
)


def draw_cfse(
    stimulated: Floats, unstimulated: Floats, undivided: UndividedPeak, fit: GenerationFit
) -> Figure:
    """CFSE of a stimulated well over the unstimulated one, with the fitted generations."""
    logs = [np.log2(v[np.isfinite(v) & (v > 0)]) for v in (stimulated, unstimulated)]
    low, high = min(float(v.min()) for v in logs), max(float(v.max()) for v in logs)
    edges = np.arange(low, high + 1 / 16, 1 / 16)
    with themed():
        figure = new_figure(SINGLE_COLUMN + 0.5, 2.6)
        axes = figure.subplots()
        counts = [np.histogram(v, edges)[0] for v in logs]
        scale = counts[0].max() / max(counts[1].max(), 1)
        axes.fill_between(
            2 ** edges[:-1],
            counts[1] * scale,
            step="post",
            color=LIGHT,
            label="unstimulated (scaled)",
        )
        axes.step(2 ** edges[:-1], counts[0], where="post", color=BLACK, label="stimulated")
        grid = np.linspace(low, high, 600)
        for i, (cells, peak) in enumerate(zip(fit.cells, fit.peaks, strict=True)):
            width = fit.width if i == 0 else fit.divided_width
            z = (grid - np.log2(peak)) / width
            curve = cells / 16 * np.exp(-0.5 * z**2) / (width * np.sqrt(2 * np.pi))
            if cells >= 1:
                axes.plot(2**grid, curve, color=BLUE, linewidth=0.7)
                axes.annotate(
                    str(i),
                    (peak, curve.max()),
                    ha="center",
                    va="bottom",
                    fontsize=6.5,
                    color=BLUE,
                )
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
