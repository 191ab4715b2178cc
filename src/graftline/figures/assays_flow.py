"""Flow cytometry: gates, CD7 on blasts."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Polygon, Rectangle

from graftline.assays.flow.gates import GatedSample, axis_values
from graftline.assays.flow.gating_file import Dimension, Gate
from graftline.assays.flow.spillover import Floats
from graftline.figures.theme import (
    BLACK,
    CYCLE,
    DOUBLE_COLUMN,
    GREY,
    LIGHT,
    SINGLE_COLUMN,
    VERMILION,
    new_figure,
    themed,
)

_SHAPES = ("bounds", "vertices", "covariance")


def draw_gates(gated: GatedSample, *, columns: int = 3) -> Figure:
    """One panel per drawn gate: the parent's events, the gate, and its percent of the parent."""
    gates = [g for g in gated.gating.gates if g.kind in _SHAPES and g.dimensions]
    rows = -(-len(gates) // columns)
    with themed():
        figure = new_figure(DOUBLE_COLUMN, 0.3 + 2.35 * rows)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, gate in zip(grid, gates, strict=False):
            _gate_panel(axes, gated, gate)
        for axes in grid[len(gates) :]:
            axes.set_visible(False)
    return figure


def _gate_panel(axes: Axes, gated: GatedSample, gate: Gate) -> None:
    parent = gated.inside[gate.parent or "all"]
    values = [_values(gated, d)[parent] for d in gate.dimensions[:2]]
    _labels(axes, gate)
    share = 100 * gated.inside[gate.name].sum() / parent.sum() if parent.any() else np.nan
    axes.set_title(f"{gate.name}: {share:.3g} %")
    values = [v[np.isfinite(v)] if len(values) == 1 else v for v in values]
    if not parent.any() or not values[0].size:
        axes.text(0.5, 0.5, "no events", transform=axes.transAxes, ha="center", color=GREY)
        return
    if len(values) == 1:
        axes.hist(values[0], bins=100, range=_span(values[0]), color=LIGHT, histtype="stepfilled")
        for edge in (gate.dimensions[0].min, gate.dimensions[0].max):
            if edge is not None:
                axes.axvline(edge, color=VERMILION)
        return
    extent = [_span(v) for v in values]
    first, second = values
    counts, x, y = np.histogram2d(first, second, bins=128, range=np.array(extent))
    shown = np.where(counts > 0, np.log1p(counts), np.nan)
    axes.pcolormesh(x, y, shown.T, cmap="viridis", rasterized=True)
    axes.add_patch(_outline(gate, axes))


def _values(gated: GatedSample, axis: Dimension) -> Floats:
    bare = Dimension(axis.channel, axis.scale, compensated=axis.compensated)
    return axis_values(gated.sample, gated.gating, gated.spillover, bare)


def _labels(axes: Axes, gate: Gate) -> None:
    names = [d.channel + (f" ({d.scale})" if d.scale else "") for d in gate.dimensions]
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1] if len(names) > 1 else "Events")


def _span(values: Floats) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, [0.001, 0.999]) if known.size else (0.0, 1.0)
    room = 0.05 * (high - low) or 1.0
    return float(low - room), float(high + room)


def _outline(gate: Gate, axes: Axes) -> Rectangle | Polygon | Ellipse:
    if gate.kind == "vertices":
        return Polygon(gate.vertices, fill=False, edgecolor=VERMILION)
    if gate.kind == "covariance":
        sizes, turns = np.linalg.eigh(np.array(gate.covariance))
        width, height = 2 * np.sqrt(sizes * gate.distance_square)
        angle = float(np.degrees(np.arctan2(turns[1, 0], turns[0, 0])))
        centre = gate.centre[0], gate.centre[1]
        return Ellipse(centre, width, height, angle=angle, fill=False, edgecolor=VERMILION)
    limits = (axes.get_xlim(), axes.get_ylim())
    low, high = zip(
        *(
            (
                d.min if d.min is not None else limit[0],
                d.max if d.max is not None else limit[1],
            )
            for d, limit in zip(gate.dimensions[:2], limits, strict=True)
        ),
        strict=True,
    )
    return Rectangle(low, high[0] - low[0], high[1] - low[1], fill=False, edgecolor=VERMILION)


def draw_intensity_overlay(
    populations: Mapping[str, Floats], *, label: str, threshold: float | None = None
) -> Figure:
    """Histograms of one marker laid over each other: blasts at baseline, remission, relapse.

    Parameters
    ----------
    populations : mapping
        Values of the marker on its display scale by name; each histogram is scaled to its mode.
        Populations without events are named in the legend with n = 0.
    """
    known = {name: v[np.isfinite(v)] for name, v in populations.items()}
    pooled = np.concatenate([v for v in known.values() if v.size] or [np.array([0.0, 1.0])])
    edges = np.linspace(*_span(pooled), 101)
    with themed():
        figure = new_figure(SINGLE_COLUMN, 2.5)
        axes = figure.subplots()
        for n, (name, values) in enumerate(known.items()):
            counts = np.convolve(np.histogram(values, edges)[0], [0.25, 0.5, 0.25], mode="same")
            height = 100 * counts / max(counts.max(), 1e-12)
            colour = CYCLE[n % len(CYCLE)]
            axes.fill_between(edges[:-1], height, step="mid", color=colour, alpha=0.25, linewidth=0)
            axes.step(
                edges[:-1], height, where="mid", color=colour, label=f"{name} (n = {values.size})"
            )
        if threshold is not None:
            axes.axvline(threshold, color=BLACK, linestyle="--", linewidth=0.8)
        axes.set_xlabel(label)
        axes.set_ylabel("% of mode")
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside lower left", ncols=1)
    return figure
