"""What plots of gates and of CD7 need of a sample: densities and intensities, not its events."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graftline.assays.flow.gates import Floats, GatedSample, gate_values
from graftline.assays.flow.gating_file import Dimension, Gate
from graftline.assays.flow.markers import car_axis, cd7_axis, cd7_threshold, channel_label
from graftline.assays.flow.scales import Scale

_BINS = 128
_MOST_VALUES = 20_000


@dataclass(frozen=True, slots=True)
class PanelAxis:
    """Label and scale (None: linear) of an axis, and the edges of its bins on that scale."""

    label: str
    scale: Scale | None
    edges: Floats


@dataclass(frozen=True, slots=True)
class GatePanel:
    """Events of a gate's parent in bins of one or two axes.

    ``counts`` has shape (bins,) or (bins of x, bins of y); ``parent_events`` counts all of them,
    also those outside the edges.
    """

    gate: Gate
    axes: tuple[PanelAxis, ...]
    counts: NDArray[np.int64]
    events: int
    parent_events: int


@dataclass(frozen=True, slots=True)
class Intensities:
    """CD7 of one population of a sample on its display scale: all events or every n-th of many.

    ``threshold`` is where the gate of CD7+ cells begins, None where it is not a box.
    """

    events: int
    values: Floats
    axis: PanelAxis
    threshold: float | None


def gate_panels(gated: GatedSample) -> tuple[GatePanel, ...]:
    """A panel for every gate that is drawn: boxes, polygons, ellipses, in the file's order."""
    return tuple(_panel(gated, gate) for gate in gated.gating.gates if gate.dimensions)


def car_panel(gated: GatedSample) -> GatePanel | None:
    """CD7 against CAR on T cells: the parent of the CAR-negative gate; None without the roles.

    The gate of the panel is a box of the CAR-negative CD7+ cells, its bounds those of the gates.
    """
    gates = {gate.name: gate for gate in gated.gating.gates}
    car = gates.get(gated.gating.roles.get("car_t", ""))
    cd7, other = cd7_axis(gated), car_axis(gated)
    if car is None or cd7 is None or other is None or "cd7_positive_t" not in gated.gating.roles:
        return None
    low = cd7_threshold(gated, "cd7_positive_t")
    x = Dimension(cd7.channel, cd7.scale, low, compensated=cd7.compensated)
    y = Dimension(other.channel, other.scale, None, other.min, compensated=other.compensated)
    box = Gate(gated.gating.roles["cd7_positive_t"], car.parent, "bounds", (x, y))
    return _panel(gated, box)


def _panel(gated: GatedSample, gate: Gate) -> GatePanel:
    parent = gate.parent or "all"
    shown = gate.dimensions[:2]
    values = [gate_values(gated, axis, gate=parent) for axis in shown]
    axes = tuple(
        _panel_axis(gated, axis, column) for axis, column in zip(shown, values, strict=True)
    )
    edges = [axis.edges for axis in axes]
    counts, _ = np.histogramdd(np.column_stack(values), bins=edges)
    events = int(gated.inside[gate.name].sum())
    return GatePanel(gate, axes, counts.astype(np.int64), events, int(gated.inside[parent].sum()))


def _panel_axis(gated: GatedSample, axis: Dimension, values: Floats) -> PanelAxis:
    scale = None if axis.scale is None else gated.gating.scales[axis.scale]
    low, high = span(values, (axis.min, axis.max))
    return PanelAxis(
        channel_label(gated.sample, axis.channel), scale, np.linspace(low, high, _BINS + 1)
    )


def span(values: Floats, bounds: Sequence[float | None] = ()) -> tuple[float, float]:
    """Range that shows all but the outermost values, and the bounds of a gate."""
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, [0.001, 0.999]) if known.size else (0.0, 1.0)
    ends = [b for b in bounds if b is not None]
    low, high = min([low, *ends]), max([high, *ends])
    room = 0.05 * (high - low) or 1.0
    return float(low - room), float(high + room)


def cd7_intensities(gated: GatedSample, *, population: str, positive: str) -> Intensities | None:
    """CD7 of the cells that play the role ``population``; None where the axis cannot be told.

    Parameters
    ----------
    population, positive : str
        Roles: the cells shown, and the CD7+ cells whose gate gives the threshold.
    """
    axis = cd7_axis(gated)
    name = gated.gating.roles.get(population)
    if axis is None or name is None:
        return None
    values = gate_values(gated, axis, gate=name)
    known = values[np.isfinite(values)]
    step = -(-known.size // _MOST_VALUES) or 1
    return Intensities(
        int(gated.inside[name].sum()),
        known[::step],
        _panel_axis(gated, axis, known),
        cd7_threshold(gated, positive),
    )
