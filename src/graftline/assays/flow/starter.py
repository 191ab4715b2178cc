"""What is in FCS files, and a gating file to begin with."""

import json
import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from graftline.assays.flow.fcs import FlowSample, channel_values
from graftline.assays.flow.fcs_data import Parameter
from graftline.assays.flow.markers import NO_DYE, SCATTER
from graftline.assays.flow.scales import Floats, Scale, apply_scale
from graftline.assays.flow.spillover import compensate

# Keywords about the machine and the file; others may hold names and record numbers.
SHOWN_KEYWORDS = (
    *("$CYT", "$CYTSN", "CREATOR", "APPLICATION", "$SYS", "$DATE", "$BTIM", "$ETIM", "$VOL"),
    *("$DATATYPE", "$BYTEORD", "$MODE", "$TIMESTEP", "$NEXTDATA"),
)
_HIGHEST_RANGE = 1e12
_MARKERS = {
    "cd45": r"CD45(?!R|\d)",
    "cd3": r"CD3(?!\d)",
    "car": r"CAR(?![A-Z])",
    "cd7": r"CD7(?!\d)",
    "cd34": r"CD34",
}


def channel_table(samples: Sequence[FlowSample]) -> pl.DataFrame:
    """Every channel of every sample, with its range, scale and whether the file's matrix has it.

    Returns
    -------
    DataFrame [sample, number, channel, marker, bits, range, decades, gain, in_matrix, lowest,
        median, highest]
        The last three on the linear scale, uncompensated; null without events.
    """
    rows = []
    for sample in samples:
        detectors = () if sample.spillover is None else sample.spillover.detectors
        for channel, p in zip(sample.channels, sample.parameters, strict=True):
            values = channel_values(sample, channel)
            known = values[np.isfinite(values)]
            ends = (
                [float(f(known)) for f in (np.min, np.median, np.max)] if known.size else [None] * 3
            )
            rows.append(
                (
                    *(sample.name, p.number, channel, p.marker or None, p.bits, p.range),
                    *(p.decades, p.gain, channel in detectors, *ends),
                )
            )
    schema = {
        **{"sample": pl.String, "number": pl.Int64, "channel": pl.String, "marker": pl.String},
        **{"bits": pl.Int64, "range": pl.Float64, "decades": pl.Float64, "gain": pl.Float64},
        **{"in_matrix": pl.Boolean, "lowest": pl.Float64, "median": pl.Float64},
        "highest": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def keyword_table(samples: Sequence[FlowSample]) -> pl.DataFrame:
    """Keywords about machine and file; the others are counted, because they may name a person.

    Returns
    -------
    DataFrame [sample, keyword, value]
    """
    rows = []
    for sample in samples:
        shown = [
            (name, sample.keywords[name]) for name in SHOWN_KEYWORDS if name in sample.keywords
        ]
        rows += [(sample.name, name, value.strip()) for name, value in shown]
        rows.append((sample.name, "further keywords", str(len(sample.keywords) - len(shown))))
    schema = {"sample": pl.String, "keyword": pl.String, "value": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def starter_gating(sample: FlowSample) -> str:
    """A gating file (TOML) for a sample's channels, to be corrected by eye and by controls.

    Scatter and singlets from quantiles, markers that the study asks for (CD45, CD3, CAR, CD7, CD34)
    split where the variance between both sides is largest (Otsu 1979).
    """
    top = max((_top(p) for p in sample.parameters if not NO_DYE.match(p.name)), default=262144.0)
    scale = Scale("logicle", t=top)
    parts = [_head(sample, top), *_scatter_gates(sample)]
    within = "cells" if len(parts) > 1 else None
    if any('name = "singlets"' in part for part in parts):
        within = "singlets"
    found = _found_markers(sample)
    roles: dict[str, str] = {}
    parts += _marker_gates(sample, found, scale, within, roles)
    if not found:
        dyes = [c for c in sample.channels if not NO_DYE.match(c)]
        parts += [_box(c, within, c, _split(sample, c, scale)) for c in dyes[:1]]
    if roles:
        parts.append("[roles]\n" + "".join(f"{r} = {_quoted(g)}\n" for r, g in roles.items()))
    return "\n".join(part for part in parts if part)


def _head(sample: FlowSample, top: float) -> str:
    listed = "\n".join(
        f"#   {_quoted(c)}" + (f", {_quoted(p.marker)}" if p.marker else "")
        for c, p in zip(sample.channels, sample.parameters, strict=True)
    )
    matrix = "none" if sample.spillover is None else "file"
    return f"""\
# Gates to begin with. Every number is a guess from one file: move it to where the plots and your
# controls say. Channels (and markers) of that file; gates may use either:
{listed}

[compensation]
matrix = "{matrix}"  # "file": the matrix in the FCS file; "none"; or a CSV file beside this one

[scales.fluor]
kind = "logicle"  # or biex (FlowJo), asinh, fasinh, log, linear
t = {top:g}
w = 0.5
m = 4.5
"""


def _top(parameter: Parameter) -> float:
    """Largest linear value of a channel."""
    top = parameter.range / (parameter.gain or 1.0)
    if parameter.kind == "I" and parameter.decades > 0:
        top = (parameter.offset or 1.0) * 10**parameter.decades
    return top if 1 < top < _HIGHEST_RANGE else 262144.0


def _scatter_gates(sample: FlowSample) -> list[str]:
    names = [c for c in sample.channels if SCATTER.match(c)]
    forward = next((c for c in names if c.upper().startswith("FS")), None)
    if forward is None or sample.events == 0:
        return []
    values = channel_values(sample, forward)
    known = values[np.abs(values) < _HIGHEST_RANGE]
    if not known.size:
        return []
    low = float(np.quantile(known, 0.05))
    bound = f"{{ channel = {_quoted(forward)}, min = {low:.6g} }}"
    parts = [f'[[gates]]\nname = "cells"\nbounds = [{bound}]\n']
    area = next((c for c in names if c.upper() == "FSC-A"), None)
    height = next((c for c in names if c.upper() == "FSC-H"), None)
    if area is not None and height is not None:
        parts += _singlets(sample, area, height)
    return parts


def _singlets(sample: FlowSample, area: str, height: str) -> list[str]:
    x, y = channel_values(sample, area), channel_values(sample, height)
    with np.errstate(all="ignore"):
        ratio = y / x
    # NaN and what is infinite are not below either.
    known = np.all([np.abs(part) < _HIGHEST_RANGE for part in (x, y, ratio)], axis=0)
    if not known.any():
        return []
    slopes = np.quantile(ratio[known], [0.02, 0.995])
    ends = np.quantile(x[known], [0.05, 0.9999]) * [0.8, 1.2]
    corners = [
        (e, e * s) for e, s in zip(np.repeat(ends, 2), [*slopes, *slopes[::-1]], strict=True)
    ]
    listed = ", ".join(f"[{a:.6g}, {b:.6g}]" for a, b in corners)
    return [
        f'[[gates]]\nname = "singlets"\nparent = "cells"\nx = {{ channel = {_quoted(area)} }}\n'
        f"y = {{ channel = {_quoted(height)} }}\nvertices = [{listed}]\n"
    ]


def _found_markers(sample: FlowSample) -> dict[str, str]:
    """Channels of the markers that the study asks for."""
    found = {}
    for marker, pattern in _MARKERS.items():
        sought = re.compile(rf"(?<![A-Z0-9]){pattern}", re.IGNORECASE)
        for channel, p in zip(sample.channels, sample.parameters, strict=True):
            if any(sought.search(label) for label in (p.marker, p.name)):
                found[marker] = channel
                break
    return found


def _marker_gates(
    sample: FlowSample,
    found: dict[str, str],
    scale: Scale,
    within: str | None,
    roles: dict[str, str],
) -> list[str]:
    parts = []
    at = {marker: _split(sample, channel, scale) for marker, channel in found.items()}

    def add(name: str, parent: str | None, marker: str, *played: str) -> str:
        parts.append(_box(name, parent, found[marker], at[marker]))
        roles.update(dict.fromkeys(played, name))
        return name

    if "cd45" in found:
        within = add("leukocytes", within, "cd45", "leukocytes", "nucleated")
    if "cd3" in found:
        t = add("T", within, "cd3")
        if "car" in found:
            add("CAR+", t, "car", "car_t")
            parts.append(_rest("CAR-", t, "CAR+"))
            roles["car_negative_t"] = t = "CAR-"
        if "cd7" in found and "car" in found:
            add("CD7+ T", t, "cd7", "cd7_positive_t")
            parts.append(_rest("CD7- T", t, "CD7+ T"))
            roles["cd7_negative_t"] = "CD7- T"
    if "cd34" in found:
        blasts = add("blasts", within, "cd34", "blasts", "mrd")
        if "cd7" in found:
            add("CD7+ blasts", blasts, "cd7", "cd7_positive_blasts")
    return parts


def _box(name: str, parent: str | None, channel: str, low: float) -> str:
    above = "" if parent is None else f"parent = {_quoted(parent)}\n"
    bound = f'{{ channel = {_quoted(channel)}, scale = "fluor", min = {low:.3g} }}'
    return f"[[gates]]\nname = {_quoted(name)}\n{above}bounds = [{bound}]\n"


def _rest(name: str, parent: str, other: str) -> str:
    return (
        f"[[gates]]\nname = {_quoted(name)}\nparent = {_quoted(parent)}\n"
        f"none_of = [{_quoted(other)}]\n"
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _split(sample: FlowSample, channel: str, scale: Scale) -> float:
    matrix = sample.spillover
    if matrix is not None and channel in matrix.detectors:
        raw = np.column_stack([channel_values(sample, d) for d in matrix.detectors])
        values = compensate(raw, matrix)[:, matrix.detectors.index(channel)]
    else:
        values = channel_values(sample, channel)
    scaled = apply_scale(values, scale)
    known = scaled[np.isfinite(scaled)]
    return _otsu(known) if known.size > 1 and known.min() < known.max() else 0.5


def _otsu(values: Floats) -> float:
    """Where a cut makes the variance between both sides largest (Otsu 1979)."""
    counts, edges = np.histogram(values, 256)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    mass = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = (mass[:-1] / below - (mass[-1] - mass[:-1]) / above) ** 2 * below * above
    return float(edges[1:-1][np.nanargmax(apart)])
