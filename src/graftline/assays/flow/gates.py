"""Gates applied to a sample: which events lie inside, how many, how bright."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from graftline.assays.flow.fcs import FlowSample, channel_index, channel_values
from graftline.assays.flow.gating_file import Dimension, Gate, Gating, gate_axes
from graftline.assays.flow.scales import Scale, apply_scale, invert_scale
from graftline.assays.flow.spillover import Spillover, read_spillover_csv
from graftline.problems import InputError, Problem

Floats = NDArray[np.float64]
Inside = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class GatedSample:
    """A sample with the events inside every gate; ``all`` is every event.

    ``linear`` are the values of the gates' axes, by axes without scale and bounds.
    """

    sample: FlowSample
    gating: Gating
    spillover: Spillover | None
    inside: dict[str, Inside]
    linear: Mapping[Dimension, Floats]


def gate_sample(sample: FlowSample, gating: Gating) -> GatedSample:
    """Events of a sample inside every gate of a gating file.

    Boxes hold ``min <= value < max`` as in GatingML 2.0; polygons (even-odd rule) and ellipses
    their edge. NaN is
    in no gate, and ``none_of`` holds only events whose values the gates named can be judged by.

    Raises
    ------
    InputError
        Channels that the sample does not have, all of them; a matrix that does not fit it.
    """
    spillover = choose_spillover(sample, gating)
    _check_channels(sample, gating)
    inside: dict[str, Inside] = {"all": np.ones(sample.events, dtype=np.bool_)}
    wanted = [axis for gate in gating.gates for axis in gate.dimensions]
    linear = _linear_axes(sample, spillover, wanted)
    for gate in gating.gates:
        values = [linear[_unscaled(axis)] for axis in gate.dimensions]
        parent = inside[gate.parent or "all"]
        if gate.kind in ("all_of", "any_of", "none_of"):
            inside[gate.name] = parent & _combined(gate, inside)
            if gate.kind == "none_of":
                inside[gate.name] &= _known(gate, gating, linear)
        elif gate.kind == "bounds":
            inside[gate.name] = parent & _in_box(gate, values, gating.scales)
        else:
            inside[gate.name] = _in_shape(gate, values, gating.scales, parent)
    return GatedSample(sample, gating, spillover, inside, linear)


def gate_values(gated: GatedSample, axis: Dimension, *, gate: str = "all") -> Floats:
    """Values of one of the gates' axes on its scale, of the events inside a gate.

    Raises
    ------
    KeyError
        No gate of the file has this axis.
    """
    linear = gated.linear[_unscaled(axis)]
    chosen = linear if gate == "all" else linear[gated.inside[gate]]
    return _scaled(chosen, axis, gated.gating.scales)


def choose_spillover(sample: FlowSample, gating: Gating) -> Spillover | None:
    """The matrix that the gating file asks for.

    Raises
    ------
    InputError
        A CSV matrix names detectors that the sample does not have.
    """
    if gating.matrix == "none":
        return None
    if gating.matrix == "file":
        return sample.spillover
    matrix = read_spillover_csv(gating.matrix)
    names = tuple(sample.channels[channel_index(sample, name)] for name in matrix.detectors)
    return Spillover(names, matrix.matrix)


def axis_values(
    sample: FlowSample, gating: Gating, spillover: Spillover | None, axis: Dimension
) -> Floats:
    """Values of one gate axis: linear, compensated where the matrix has the channel, scaled."""
    return axes_values(sample, gating, spillover, [axis])[_bare(axis)]


def axes_values(
    sample: FlowSample,
    gating: Gating,
    spillover: Spillover | None,
    axes: Sequence[Dimension],
) -> dict[Dimension, Floats]:
    """Values of several gate axes, as `axis_values`; keys are the axes without their bounds."""
    linear = _linear_axes(sample, spillover, axes)
    return {
        axis: _scaled(linear[_unscaled(axis)], axis, gating.scales)
        for axis in dict.fromkeys(_bare(axis) for axis in axes)
    }


def _bare(axis: Dimension) -> Dimension:
    return Dimension(axis.channel, axis.scale, compensated=axis.compensated)


def _unscaled(axis: Dimension) -> Dimension:
    return Dimension(axis.channel, compensated=axis.compensated)


def _scaled(linear: Floats, axis: Dimension, scales: Mapping[str, Scale]) -> Floats:
    return linear if axis.scale is None else apply_scale(linear, scales[axis.scale])


def _linear_axes(
    sample: FlowSample, spillover: Spillover | None, axes: Sequence[Dimension]
) -> dict[Dimension, Floats]:
    """Linear values of axes without their scale, compensated where the matrix has the channel."""
    wanted = dict.fromkeys(_unscaled(axis) for axis in axes)
    names = {axis: sample.channels[channel_index(sample, axis.channel)] for axis in wanted}
    detectors = () if spillover is None else spillover.detectors
    mixed = {n: None for axis, n in names.items() if axis.compensated and n in detectors}
    compensated: dict[str, Floats] = {}
    if spillover is not None and mixed:
        compensated = _compensated(sample, spillover, list(mixed))
    return {
        axis: compensated[name]
        if axis.compensated and name in compensated
        else channel_values(sample, name)
        for axis, name in names.items()
    }


# Events at a time: what is worked on stays in the processor's cache.
_CHUNK = 4096


def _compensated(
    sample: FlowSample, spillover: Spillover, channels: list[str]
) -> dict[str, Floats]:
    """The asked columns of events times the inverse matrix, from detectors that weigh in them."""
    size = len(spillover.detectors)
    columns = [spillover.detectors.index(channel) for channel in channels]
    weights = np.linalg.solve(spillover.matrix, np.eye(size))[:, columns]
    used = np.flatnonzero((weights != 0).any(axis=1))
    weighing = np.ascontiguousarray(weights[used].T)
    mixed = np.empty((len(channels), sample.events))
    linear = np.empty((used.size, _CHUNK))
    for start in range(0, sample.events, _CHUNK):
        events = slice(start, min(start + _CHUNK, sample.events))
        part = linear[:, : events.stop - start]
        for row, detector in enumerate(used):
            part[row] = channel_values(sample, spillover.detectors[detector], events)
        np.matmul(weighing, part, out=mixed[:, events])
    return dict(zip(channels, mixed, strict=True))


def _check_channels(sample: FlowSample, gating: Gating) -> None:
    problems: list[Problem] = []
    for name in dict.fromkeys(d.channel for gate in gating.gates for d in gate.dimensions):
        try:
            channel_index(sample, name)
        except InputError as absent:
            problems.extend(absent.problems)
    if problems:
        raise InputError(problems)


def _combined(gate: Gate, inside: Mapping[str, Inside]) -> Inside:
    others = np.stack([inside[name] for name in gate.gates])
    if gate.kind == "all_of":
        return np.asarray(others.all(axis=0))
    any_of = np.asarray(others.any(axis=0))
    return any_of if gate.kind == "any_of" else ~any_of


def _known(gate: Gate, gating: Gating, linear: Mapping[Dimension, Floats]) -> Inside:
    """Events that are not NaN on any axis of the gates that a gate excludes."""
    axes = {_unscaled(axis) for part in gate.gates for axis in gate_axes(gating, part)}
    return np.asarray(~np.any([np.isnan(linear[axis]) for axis in axes], axis=0))


def _in_box(gate: Gate, linear: Sequence[Floats], scales: Mapping[str, Scale]) -> Inside:
    result = np.ones(linear[0].shape, dtype=np.bool_)
    for axis, values in zip(gate.dimensions, linear, strict=True):
        scale = None if axis.scale is None else scales[axis.scale]
        if axis.min is not None:
            result &= _at_least(values, axis.min, scale)
        if axis.max is not None:
            # Not the complement of "at least": NaN is on neither side.
            result &= ~_at_least(values, axis.max, scale) & ~np.isnan(values)
        if axis.min is None and axis.max is None:
            result &= ~np.isnan(values)
    return result


def _at_least(linear: Floats, bound: float, scale: Scale | None) -> Inside:
    """Which values reach a bound given on a scale.

    Scales rise, so the bound is brought to linear values instead of every event to the scale.
    Events within rounding of the bound are put on the scale: the answer is that of doing so for
    all.
    """
    if scale is None:
        return np.asarray(linear >= bound)
    low, high = invert_scale(np.array([bound - _ROUNDING, bound + _ROUNDING]), scale)
    result = np.asarray(linear >= high)
    near = np.flatnonzero((linear >= low) & ~result)
    if near.size:
        result[near] = apply_scale(linear[near], scale) >= bound
    return result


# Far more than the scales' own rounding, on an axis of about one unit.
_ROUNDING = 1e-9


def _in_shape(
    gate: Gate, linear: Sequence[Floats], scales: Mapping[str, Scale], parent: Inside
) -> Inside:
    """Events of the parent inside a polygon or an ellipse; only those are put on the scales."""
    events = np.flatnonzero(parent)
    values = [_scaled(v[events], d, scales) for v, d in zip(linear, gate.dimensions, strict=True)]
    if gate.kind == "vertices":
        within = _in_polygon(values[0], values[1], np.array(gate.vertices))
    else:
        offset = np.stack(values) - np.array(gate.centre)[:, None]
        inverse = np.linalg.inv(np.array(gate.covariance))
        with np.errstate(invalid="ignore"):
            within = np.einsum("ie,ij,je->e", offset, inverse, offset) <= gate.distance_square
    result = np.zeros(parent.shape, dtype=np.bool_)
    result[events] = within
    return result


@njit(cache=True)
def _in_polygon(x: Floats, y: Floats, vertices: Floats) -> Inside:
    """Even-odd rule, as GatingML has it for outlines that cross themselves; or on an edge."""
    inside = np.zeros(x.size, dtype=np.bool_)
    n = vertices.shape[0]
    for e in range(x.size):
        odd = False
        for i in range(n):
            x0, y0 = vertices[i, 0], vertices[i, 1]
            x1, y1 = vertices[(i + 1) % n, 0], vertices[(i + 1) % n, 1]
            side = (x1 - x0) * (y[e] - y0) - (x[e] - x0) * (y1 - y0)
            within_box = min(x0, x1) <= x[e] <= max(x0, x1) and min(y0, y1) <= y[e] <= max(y0, y1)
            if side == 0 and within_box:
                odd = True
                break
            # A ray to the right crosses the side: upward sides have the event on their left.
            if (y0 <= y[e]) != (y1 <= y[e]) and (side > 0) == (y1 > y0):
                odd = not odd
        inside[e] = odd
    return inside


def count_gates(gated: GatedSample) -> pl.DataFrame:
    """Events in every gate.

    Returns
    -------
    DataFrame [sample, gate, parent, events, parent_events, percent_of_parent, percent_of_all]
        Gates in the order of the file, ``all`` first; a percentage of nothing is null.
    """
    counts = {name: int(inside.sum()) for name, inside in gated.inside.items()}
    parents = {gate.name: gate.parent or "all" for gate in gated.gating.gates}
    table = pl.DataFrame(
        {
            "gate": list(counts),
            "parent": [parents.get(name) for name in counts],
            "events": list(counts.values()),
            "parent_events": [counts[parents[n]] if n in parents else None for n in counts],
        },
        schema_overrides={"events": pl.Int64, "parent_events": pl.Int64, "parent": pl.String},
    )
    events, parent = pl.col("events"), pl.col("parent_events")
    total = counts["all"]
    return table.select(
        pl.lit(gated.sample.name).alias("sample"),
        *table.columns,
        pl.when(parent > 0).then(100 * events / parent).alias("percent_of_parent"),
        pl.when(pl.lit(total > 0)).then(100 * events / max(total, 1)).alias("percent_of_all"),
    )


def median_intensity(gated: GatedSample, *, gate: str, channels: list[str]) -> pl.DataFrame:
    """Median fluorescence of the events of a gate, linear and compensated.

    Returns
    -------
    DataFrame [sample, gate, channel, events, median]
        ``median`` null for no events. Values that are not numbers are left out.
    """
    inside = gated.inside[gate]
    rows = []
    for channel in channels:
        values = axis_values(gated.sample, gated.gating, gated.spillover, Dimension(channel))
        known = values[inside & ~np.isnan(values)]
        median = float(np.median(known)) if known.size else None
        rows.append((gated.sample.name, gate, channel, int(known.size), median))
    schema = {
        "sample": pl.String,
        "gate": pl.String,
        "channel": pl.String,
        "events": pl.Int64,
        "median": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")
