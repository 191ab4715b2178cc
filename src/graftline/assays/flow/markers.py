"""Which channels gates stand on: the CD7 axis, and the markers that a gate relies on."""

import re

from graftline.assays.flow.fcs import FlowSample, channel_index
from graftline.assays.flow.gates import GatedSample
from graftline.assays.flow.gating_file import Dimension, gate_axes

_CD7 = re.compile(r"(?<![A-Za-z0-9])CD ?7(?![0-9])", re.IGNORECASE)
_CAR = re.compile(r"(?<![A-Za-z0-9])CAR(?![A-Za-z])|EGFRt|FMC63|G4S|Protein.?L", re.IGNORECASE)
# Scatter as BD, Beckman and Sony call it; headers of MACSQuant; what else counts no dye.
SCATTER = re.compile(r"FSC|SSC|BSC|(?:FS|SS)(?![A-Z0-9])", re.IGNORECASE)
NO_DYE = re.compile(rf"{SCATTER.pattern}|HDR|TIME|WIDTH|EVENT", re.IGNORECASE)


def channel_label(sample: FlowSample, channel: str) -> str:
    """Marker of a channel, or its name where it has none."""
    index = channel_index(sample, channel)
    return sample.parameters[index].marker or sample.channels[index]


def gate_markers(gated: GatedSample, name: str) -> tuple[str, ...]:
    """Markers that a gate relies on, without scatter and time, in the order of the panel."""
    sample = gated.sample
    places = {channel_index(sample, axis.channel) for axis in gate_axes(gated.gating, name)}
    labels = (channel_label(sample, sample.channels[place]) for place in sorted(places))
    return tuple(label for label in labels if not NO_DYE.match(label))


def is_cd7(sample: FlowSample, channel: str) -> bool:
    """Whether a channel's name or marker says CD7 (and not CD71 or CD79a)."""
    index = channel_index(sample, channel)
    parameter = sample.parameters[index]
    return any(_CD7.search(label) for label in (parameter.marker, parameter.name))


def cd7_axis(gated: GatedSample) -> Dimension | None:
    """The axis of CD7 in the gates that play a role about CD7; None where it cannot be told.

    The axis whose channel says CD7, else the only axis of such a gate.
    """
    gates = {gate.name: gate for gate in gated.gating.gates}
    roles = ("cd7_positive_t", "cd7_negative_t", "cd7_positive_blasts")
    axes = [
        gates[name].dimensions for role in roles if (name := gated.gating.roles.get(role)) in gates
    ]
    for dimensions in axes:
        for axis in dimensions:
            if is_cd7(gated.sample, axis.channel):
                return axis
    return next((dimensions[0] for dimensions in axes if len(dimensions) == 1), None)


def cd7_threshold(gated: GatedSample, role: str) -> float | None:
    """Where the gate of a role begins on the CD7 axis, None where it is not a box."""
    gates = {gate.name: gate for gate in gated.gating.gates}
    gate = gates.get(gated.gating.roles.get(role, ""))
    axis = cd7_axis(gated)
    if gate is None or axis is None:
        return None
    return next(
        (d.min for d in gate.dimensions if (d.channel, d.scale) == (axis.channel, axis.scale)),
        None,
    )


def car_axis(gated: GatedSample) -> Dimension | None:
    """The axis of CAR in the gate of CAR-T cells; None without the role or another axis than CD7.

    The axis whose channel says CAR, else the first that the gates above do not use.
    """
    gates = {gate.name: gate for gate in gated.gating.gates}
    gate = gates.get(gated.gating.roles.get("car_t", ""))
    if gate is None:
        return None
    cd7 = cd7_axis(gated)
    axes = [d for d in gate.dimensions if cd7 is None or d.channel != cd7.channel]
    for axis in axes:
        parameter = gated.sample.parameters[channel_index(gated.sample, axis.channel)]
        if any(_CAR.search(label) for label in (parameter.marker, parameter.name)):
            return axis
    above = {d.channel for d in gate_axes(gated.gating, gate.parent)}
    fresh = [axis for axis in axes if axis.channel not in above]
    return next(iter(fresh or axes), None)
