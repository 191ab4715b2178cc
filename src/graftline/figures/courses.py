"""Courses of a measurement over time: each patient, or quantile bands where there are too many."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from numpy.typing import NDArray

from graftline.figures.theme import (
    BLUE,
    CYCLE,
    GREY,
    LINES,
    MANY_PATIENTS,
    VERMILION,
    plain_log_axis,
)

Floats = NDArray[np.float64]

_NAMED = 10
_LEAST_PER_BAND = 5
_DENSE, _FEW_VALUES = 40, 12
_NEAR_DAYS, _LEAST_SHARE = 7.0, 0.25
_WIDER_DAYS = (7.0, 14.0, 28.0)


def quantile_bands(frame: pl.DataFrame, *, width_days: float) -> pl.DataFrame:
    """Median and the 5th, 25th, 75th and 95th percentile per time window.

    A value below the limit of quantification counts as the limit, so no quantile is shown lower
    than the assay can see. A patient counts once per window, with the median of the values in it:
    the ill are measured more often. Where patients come less often than the window is wide, it is
    a week, two or four: else each window would hold other patients, and the bands would jump.
    Windows with fewer than five patients are left out, and so are those with at most a quarter of
    the patients of a window up to a week away: between visits only the ill are measured.

    Parameters
    ----------
    frame : DataFrame [patient, day, value]

    Returns
    -------
    DataFrame [day, n, q05, q25, q50, q75, q95], sorted by day (the median of those measured on)
    """
    known = frame.drop_nulls(["day", "value"])
    quantiles = {
        f"q{round(100 * q):02d}": pl.col("value").quantile(q, interpolation="linear")
        for q in (0.05, 0.25, 0.5, 0.75, 0.95)
    }
    windows = np.searchsorted(_edges(known, width_days), known["day"].to_numpy(), side="right")
    bands = (
        known.with_columns(window=pl.Series(windows))
        .group_by("patient", "window")
        .agg(pl.col("day", "value").median())
        .group_by("window")
        .agg(pl.col("day").median(), n=pl.len(), **quantiles)
        .filter(pl.col("n") >= _LEAST_PER_BAND)
        .sort("day")
        .drop("window")
    )
    day, size = bands["day"].to_numpy(), bands["n"].to_numpy()
    near = np.abs(day[:, None] - day[None, :]) <= _NEAR_DAYS
    most = np.where(near, size[None, :], 0).max(axis=1, initial=0)
    return bands.filter(pl.Series(size > _LEAST_SHARE * most))


def _edges(known: pl.DataFrame, width_days: float) -> Floats:
    """Edges of windows as wide as patients' values lie apart, week by week, or as asked."""
    if known.is_empty():
        return np.empty(0)
    gaps = (
        known.select("patient", "day")
        .unique()
        .sort("patient", "day")
        .with_columns(gap=pl.col("day").shift(-1).over("patient") - pl.col("day"))
        .group_by(week=pl.col("day") // 7)
        .agg(pl.col("gap").median())
        .drop_nulls()
    )
    typical: dict[float, float] = dict(gaps.iter_rows())
    days = known["day"].to_numpy()
    edges, width = [(round(float(days.min()) / width_days) - 0.5) * width_days], width_days
    while edges[-1] <= days.max():
        gap = typical.get(edges[-1] // 7)
        if gap is not None:
            wider = (w for w in (width_days, *_WIDER_DAYS) if w >= min(gap, _WIDER_DAYS[-1]))
            width = next(wider, width_days)
        edges.append(edges[-1] + width)
    return np.array(edges)


def draw_courses(
    axes: Axes,
    frame: pl.DataFrame,
    *,
    log: bool,
    width_days: float = 3.0,
    lloq: Sequence[float] = (),
    patients: Sequence[str] = (),
) -> None:
    """Draw courses into axes: lines per patient up to sixty patients, quantile bands above.

    Parameters
    ----------
    frame : DataFrame [patient, day, value, below]
        ``below`` true where the value is a limit: drawn as an open symbol at that limit.
    log : bool
        Logarithmic axis; zeros are drawn at its lower end as open symbols.
    width_days : float
        Window of the quantile bands.
    lloq : sequence of float
        Limits of quantification, drawn as dotted lines.
    patients : sequence of str
        Everybody in the figure: gives each the same colour in every panel.
    """
    known = frame.drop_nulls(["day", "value"]).sort("patient", "day")
    if known.is_empty():
        return
    if log:
        known = on_log_axis(known, lloq)
    if known["patient"].n_unique() > MANY_PATIENTS:
        _draw_bands(axes, quantile_bands(known, width_days=width_days))
    else:
        _draw_lines(axes, known, patients or known["patient"].unique().sort().to_list())
    if log:
        plain_log_axis(axes)
    for limit in lloq:
        axes.axhline(limit, color=GREY, linestyle=":", linewidth=0.9)
    if lloq:
        axes.annotate(
            "LLOQ",
            (1, lloq[0]),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            ha="left",
            va="center",
            fontsize=6.5,
            color=GREY,
        )


def on_log_axis(frame: pl.DataFrame, lloq: Sequence[float]) -> pl.DataFrame:
    """Values as a logarithmic axis can show them: zeros at its lower end, marked as below.

    Parameters
    ----------
    frame : DataFrame [value, below, ...]
    lloq : sequence of float
        Limits of quantification; the lowest of them and of the positive values takes the zeros.
    """
    positive = frame.filter(pl.col("value") > 0)["value"]
    lowest = positive.min()
    floor = min([*lloq, float(lowest) if isinstance(lowest, int | float) else 1.0])
    return frame.with_columns(
        below=pl.col("below") | (pl.col("value") <= 0),
        value=pl.when(pl.col("value") <= 0).then(floor).otherwise("value"),
    )


def _draw_lines(axes: Axes, frame: pl.DataFrame, patients: Sequence[str]) -> None:
    parts = frame.partition_by("patient", maintain_order=True)
    named = len(patients) <= _NAMED
    places = {patient: place for place, patient in enumerate(patients)}
    for part in parts:
        place = places[part["patient"][0]]
        colour = CYCLE[place % len(CYCLE)] if named else BLUE
        line = LINES[place // len(CYCLE) % len(LINES)] if named else "-"
        day, value = part["day"].to_numpy(), part["value"].to_numpy()
        below = part["below"].fill_null(value=False).to_numpy()
        axes.plot(
            day,
            value,
            color=colour,
            linestyle=line,
            linewidth=0.9,
            alpha=0.95 if named else 0.45,
            label=part["patient"][0] if named else None,
        )
        size = 2.6 if named and part.height <= _DENSE else 1.2
        # many lines are hidden by their own dots
        if named or part.height <= _FEW_VALUES:
            axes.plot(day[~below], value[~below], ".", color=colour, markersize=size + 1.3)
        axes.plot(
            day[below],
            value[below],
            "o",
            markerfacecolor="white",
            markeredgewidth=0.7,
            color=colour,
            markersize=size + 0.6,
        )
    if not named:
        bands = quantile_bands(frame, width_days=3.0)
        axes.plot(
            bands["day"].to_numpy(),
            bands["q50"].to_numpy(),
            color=VERMILION,
            linewidth=1.8,
            label="median",
        )


def _draw_bands(axes: Axes, bands: pl.DataFrame) -> None:
    day = bands["day"].to_numpy()
    for low, high, alpha, label in (
        ("q05", "q95", 0.15, "5th to 95th percentile"),
        ("q25", "q75", 0.3, "25th to 75th percentile"),
    ):
        axes.fill_between(
            day,
            bands[low].to_numpy(),
            bands[high].to_numpy(),
            color=BLUE,
            alpha=alpha,
            linewidth=0,
            label=label,
        )
    axes.plot(day, bands["q50"].to_numpy(), color=BLUE, label="median")


def mark_transplants(axes: Axes, days: pl.Series) -> None:
    """Mark the days of HSCT: a tick per patient, or median and quartiles where there are many."""
    known = days.drop_nulls().sort().to_numpy()
    if known.size == 0:
        return
    transform = axes.get_xaxis_transform()
    if known.size > MANY_PATIENTS:
        low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
        axes.axvspan(float(low), float(high), color=GREY, alpha=0.12, linewidth=0)
        axes.axvline(
            float(middle), color=GREY, linewidth=0.8, linestyle="--", label="HSCT (median)"
        )
        return
    axes.plot(
        known,
        np.full(known.size, 1.0),
        linestyle="none",
        marker="v",
        markersize=4.5,
        color="black",
        markeredgewidth=0,
        transform=transform,
        clip_on=False,
        label="HSCT",
    )
