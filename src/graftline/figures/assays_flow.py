"""Flow cytometry: gates, CD7 on T cells over time, CD7 on blasts over the disease."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Polygon, Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from graftline.assays.flow.gates import GatedSample
from graftline.assays.flow.gating_file import Gate
from graftline.assays.flow.panels import GatePanel, Intensities, PanelAxis, gate_panels, span
from graftline.assays.flow.sample import SamplePanels
from graftline.assays.flow.scales import Scale, apply_scale, invert_scale
from graftline.assays.flow.spillover import Floats
from graftline.figures.theme import (
    BLACK,
    BLUE,
    CYCLE,
    DOUBLE_COLUMN,
    GREEN,
    GREY,
    LIGHT,
    SINGLE_COLUMN,
    VERMILION,
    new_figure,
    themed,
)

_TIMEPOINTS = {"baseline": BLUE, "remission": GREEN, "relapse": VERMILION}
_BINS = 100
# Fewer cells than this have no histogram worth the name: each is a mark on the axis.
_FEW = 20
# Minor ticks nearer than this share of the axis run into each other.
_LEAST_APART = 0.012
_MOST_LETTERS = 18


def draw_gates(gated: GatedSample, *, columns: int = 3) -> Figure:
    """One panel per drawn gate: the parent's events, the gate, and its percent of the parent."""
    return draw_gate_panels(gate_panels(gated), columns=columns)


def draw_gate_panels(panels: Sequence[GatePanel], *, columns: int = 3) -> Figure:
    """As `draw_gates`, from panels made before."""
    rows = -(-len(panels) // columns)
    with themed():
        figure = new_figure(DOUBLE_COLUMN, 0.3 + 2.3 * rows)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, panel in zip(grid, panels, strict=False):
            axes.set_title(_gate_title(panel))
            _gate_panel(axes, panel)
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
    return figure


def _gate_title(panel: GatePanel) -> str:
    if not panel.parent_events:
        return f"{panel.gate.name}: no events"
    return f"{panel.gate.name}: {100 * panel.events / panel.parent_events:.3g} %"


def _gate_panel(axes: Axes, panel: GatePanel) -> None:
    _scale_axis(axes.xaxis, panel.axes[0])
    if len(panel.axes) > 1:
        _scale_axis(axes.yaxis, panel.axes[1])
    else:
        axes.set_ylabel("Events")
    _events_and_gate(axes, panel)


def _events_and_gate(axes: Axes, panel: GatePanel) -> None:
    if not panel.parent_events:
        axes.text(0.5, 0.5, "no events", transform=axes.transAxes, ha="center", color=GREY)
        if len(panel.axes) == 1:
            axes.set_yticks([])
        return
    x = panel.axes[0].edges
    if len(panel.axes) == 1:
        axes.stairs(panel.counts, x, fill=True, color=LIGHT)
        for edge in (panel.gate.dimensions[0].min, panel.gate.dimensions[0].max):
            if edge is not None:
                axes.axvline(edge, color=VERMILION)
        return
    shown = np.where(panel.counts > 0, np.log1p(panel.counts), np.nan)
    y = panel.axes[1].edges
    # An image of one pixel per bin: a mesh of as many cells takes ten times as long to write.
    axes.imshow(
        shown.T,
        cmap="viridis",
        origin="lower",
        extent=(x[0], x[-1], y[0], y[-1]),
        aspect="auto",
        interpolation="none",
    )
    axes.add_patch(_outline(panel.gate, panel.axes))
    axes.set_xlim(_ends(panel.axes[:1]))
    axes.set_ylim(_ends(panel.axes[1:]))


def _outline(gate: Gate, shown: Sequence[PanelAxis]) -> Rectangle | Polygon | Ellipse:
    if gate.kind == "vertices":
        return Polygon(gate.vertices, fill=False, edgecolor=VERMILION)
    if gate.kind == "covariance":
        sizes, turns = np.linalg.eigh(np.array(gate.covariance))
        width, height = 2 * np.sqrt(sizes * gate.distance_square)
        angle = float(np.degrees(np.arctan2(turns[1, 0], turns[0, 0])))
        centre = gate.centre[0], gate.centre[1]
        return Ellipse(centre, width, height, angle=angle, fill=False, edgecolor=VERMILION)
    # An open side runs out of the panel.
    corners = [
        (
            2 * axis.edges[0] - axis.edges[-1] if d.min is None else d.min,
            2 * axis.edges[-1] - axis.edges[0] if d.max is None else d.max,
        )
        for d, axis in zip(gate.dimensions[:2], shown, strict=True)
    ]
    (left, right), (bottom, top) = corners
    return Rectangle(
        (left, bottom), right - left, top - bottom, fill=False, edgecolor=VERMILION, linewidth=1.2
    )


def _scale_axis(axis: Axis, shown: PanelAxis, *, room: float = 0.12, between: bool = True) -> None:
    """Label an axis, with linear values as ticks whatever its scale, and minor ones between."""
    axis.set_label_text(shown.label)
    if shown.scale is None:
        axis.set_major_locator(MaxNLocator(4))
        if shown.edges[-1] >= 20_000:
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:g}k"))
        return
    ends = float(shown.edges[0]), float(shown.edges[-1])
    places = scale_ticks(shown.scale, *ends, room=room)
    axis.set_ticks(list(places), labels=[_power(value) for value in places.values()])
    if between:
        minor = scale_ticks(shown.scale, *ends, room=_LEAST_APART, multiples=range(2, 10))
        axis.set_ticks([place for place, value in minor.items() if value], minor=True)


def scale_ticks(
    scale: Scale, low: float, high: float, *, room: float = 0.12, multiples: Sequence[int] = (1,)
) -> dict[float, float]:
    """Positions on a scale of 0 and of powers of ten, with their values.

    ``room`` is the least distance between two of them, as a share of the axis. ``multiples`` are
    those of the powers of ten; where fewer than two of these are on the axis, 2 and 5 are added.
    """
    kept = _ticks_of(scale, low, high, room, multiples)
    return kept if len(kept) > 1 else _ticks_of(scale, low, high, room, (1, 2, 5))


def _ticks_of(
    scale: Scale, low: float, high: float, room: float, multiples: Sequence[int]
) -> dict[float, float]:
    sizes = (m * 10.0**k for m in multiples for k in range(7, 0, -1))
    values = np.array([0.0, *(sign * size for size in sizes for sign in (1, -1))])
    found = apply_scale(values, scale)
    # A scale that ends keeps what lies beyond at its end: no place of its own.
    own = np.isclose(invert_scale(found, scale), values, rtol=1e-6, atol=1e-6)
    kept: dict[float, float] = {}
    for place, value in zip(found[own].tolist(), values[own].tolist(), strict=True):
        apart = all(abs(place - other) >= room * (high - low) for other in kept)
        if low <= place <= high and apart:
            kept[place] = value
    return dict(sorted(kept.items()))


def _power(value: float) -> str:
    if value == 0:
        return "0"
    sign = "\N{MINUS SIGN}" if value < 0 else ""
    exponent = math.floor(math.log10(abs(value)) + 1e-9)
    multiple = round(abs(value) / 10.0**exponent)
    times = "" if multiple == 1 else f"{multiple}\\cdot"
    return f"{sign}${times}10^{{{exponent}}}$"


def draw_car_gates(samples: Sequence[SamplePanels], *, columns: int = 5) -> Figure | None:
    """CD7 against CAR on T cells, a panel per blood sample; the box holds CAR-negative CD7+ cells.

    Parameters
    ----------
    samples : sequence of SamplePanels
        Drawn in the order of patient and day; those without such a panel are left out.
    """
    shown = sorted(
        ((s, s.car) for s in samples if s.car is not None and _is_blood(s)),
        key=lambda pair: _when(pair[0]),
    )
    if not shown:
        return None
    patients = list(dict.fromkeys(s.row.patient for s, _ in shown))
    courses = [[pair for pair in shown if pair[0].row.patient == p] for p in patients]
    most = max(len(course) for course in courses)
    columns = -(-most // -(-most // columns))
    rows = [course[i : i + columns] for course in courses for i in range(0, len(course), columns)]
    first = {id(course[0][0]) for course in courses}
    ends = tuple(_ends(panel.axes[at] for _, panel in shown) for at in (0, 1))
    with themed():
        figure = new_figure(min(DOUBLE_COLUMN, 0.6 + 1.7 * columns), 0.35 + 1.8 * len(rows))
        grid = figure.subplots(len(rows), columns, squeeze=False)
        for line, row, below in zip(grid, rows, [*rows[1:], []], strict=True):
            for axes in line[len(row) :]:
                axes.set_visible(False)
            for place, (axes, (sample, panel)) in enumerate(zip(line, row, strict=False)):
                _events_and_gate(axes, panel)
                _outer_axis(axes.xaxis, panel.axes[0], ends[0], named=place >= len(below))
                _outer_axis(axes.yaxis, panel.axes[1], ends[1], named=place == 0)
                axes.set(xlim=ends[0], ylim=ends[1])
                axes.set_title(_sample_title(sample, first=id(sample) in first))
                _count_above_box(axes, panel)
    return figure


def _outer_axis(axis: Axis, shown: PanelAxis, ends: tuple[float, float], *, named: bool) -> None:
    """An axis of a grid of panels: named and numbered at the grid's edge, ticks alone within.

    Axes are not shared: matplotlib sets the ticks of shared ones anew for each of them.
    """
    _scale_axis(axis, replace(shown, edges=np.array(ends)), room=0.2, between=named)
    if not named:
        axis.set_label_text("")
        axis.set_major_formatter(NullFormatter())


def _count_above_box(axes: Axes, panel: GatePanel) -> None:
    top = panel.gate.dimensions[1].max
    axes.annotate(
        f"{panel.events:,} of {panel.parent_events:,}",
        (1.0, axes.get_ylim()[1] if top is None else top),
        xycoords=("axes fraction", "data"),
        xytext=(-1, 2),
        textcoords="offset points",
        ha="right",
        fontsize=6.5,
    )


def _is_blood(sample: SamplePanels) -> bool:
    return sample.row.control is None and sample.row.specimen in (None, "blood")


def _when(sample: SamplePanels) -> tuple[str, float, str]:
    row = sample.row
    return row.patient or "", -math.inf if row.day is None else row.day, row.file.name


def _sample_title(sample: SamplePanels, *, first: bool) -> str:
    """The day; above the first panel of a patient also who it is, on a line of its own."""
    row = sample.row
    if row.patient is None:
        return _short(row.file.name)
    return f"{row.patient}\n{_day(sample)}" if first else _day(sample)


def _short(name: str) -> str:
    """A name that fits above a panel: its ends, where files of a plate differ."""
    return name if len(name) <= _MOST_LETTERS else f"{name[:6]}\N{HORIZONTAL ELLIPSIS}{name[-11:]}"


def _ends(axes: Iterable[PanelAxis]) -> tuple[float, float]:
    edges = [axis.edges for axis in axes]
    return min(float(e[0]) for e in edges), max(float(e[-1]) for e in edges)


def draw_cd7_courses(samples: Sequence[SamplePanels], *, columns: int = 3) -> Figure | None:
    """CD7 of CAR-negative T cells: a panel per patient, a histogram per day, the earliest on top.

    Each histogram is scaled to its mode; the dashed line is where the CD7+ gate begins.
    """
    shown = [(s, s.cd7_t) for s in samples if s.cd7_t is not None and _is_blood(s)]
    patients = list(dict.fromkeys(s.row.patient for s, _ in sorted(shown, key=_first_when)))
    if not patients:
        return None
    columns = min(columns, len(patients))
    rows = -(-len(patients) // columns)
    most = max(sum(s.row.patient == p for s, _ in shown) for p in patients)
    with themed():
        figure = new_figure(
            min(DOUBLE_COLUMN, 0.6 + 2.6 * columns), rows * (0.85 + 0.38 * max(most, 2))
        )
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid[len(patients) :]:
            axes.set_visible(False)
        for axes, patient in zip(grid, patients, strict=False):
            course = sorted((p for p in shown if p[0].row.patient == patient), key=_first_when)
            _ridges(axes, course)
            axes.set_title(patient or "")
    return figure


def _first_when(pair: tuple[SamplePanels, object]) -> tuple[str, float, str]:
    return _when(pair[0])


def _ridges(axes: Axes, course: Sequence[tuple[SamplePanels, Intensities]]) -> None:
    ends = _ends(values.axis for _, values in course)
    edges = np.linspace(*ends, _BINS + 1)
    for place, (_, found) in enumerate(course):
        base = float(len(course) - 1 - place)
        height = base + 0.9 * _of_mode(found.values, edges) / 100
        axes.stairs(height, edges, baseline=base, fill=True, color=BLUE, alpha=0.45)
        axes.stairs(height, edges, baseline=base, color=BLUE, linewidth=0.7)
    labels = [f"{_day(sample)}\n(n = {found.events:,})" for sample, found in reversed(course)]
    axes.set_yticks(range(len(course)), labels)
    axes.tick_params(axis="y", length=0, labelsize=6.5)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.05, len(course))
    _cd7_axis(axes, [found for _, found in course], ends)


def _day(sample: SamplePanels) -> str:
    day = sample.row.day
    return sample.row.file.name if day is None else f"day {day:g}".replace("-", "\N{MINUS SIGN}")


def _cd7_axis(axes: Axes, found: Sequence[Intensities], ends: tuple[float, float]) -> None:
    first = found[0].axis
    _scale_axis(axes.xaxis, PanelAxis(first.label, first.scale, np.array(ends)))
    axes.set_xlim(ends)
    for threshold in {f.threshold for f in found if f.threshold is not None}:
        axes.axvline(threshold, color=BLACK, linestyle="--", linewidth=0.8)


def _of_mode(values: Floats, edges: Floats) -> Floats:
    """A smoothed histogram in percent of its mode."""
    counts = np.convolve(np.histogram(values, edges)[0], [0.25, 0.5, 0.25], mode="same")
    return np.asarray(100 * counts / max(float(counts.max()), 1e-12))


def draw_blast_overlays(samples: Sequence[SamplePanels], *, columns: int = 3) -> Figure | None:
    """CD7 on blasts at baseline, remission and relapse, laid over each other; a panel per patient.

    Controls of the patient are grey lines; fewer than twenty cells are marks on the axis.
    """
    shown = [
        (s, s.cd7_blasts)
        for s in sorted(samples, key=_when)
        if s.cd7_blasts is not None and (s.row.timepoint or s.row.control)
    ]
    patients = list(dict.fromkeys(s.row.patient for s, _ in shown if s.row.timepoint))
    if not patients:
        return None
    columns = min(columns, len(patients))
    rows = -(-len(patients) // columns)
    with themed():
        figure = new_figure(min(DOUBLE_COLUMN, 0.5 + 2.9 * columns), 2.9 * rows)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid[len(patients) :]:
            axes.set_visible(False)
        for axes, patient in zip(grid, patients, strict=False):
            _blast_panel(axes, [pair for pair in shown if pair[0].row.patient == patient])
            axes.set_title(patient or "")
    return figure


def _blast_panel(axes: Axes, found: Sequence[tuple[SamplePanels, Intensities]]) -> None:
    ends = (
        _ends(values.axis for _, values in found if values.values.size)
        if any(v.values.size for _, v in found)
        else (0.0, 1.0)
    )
    edges = np.linspace(*ends, _BINS + 1)
    for sample, values in found:
        state = sample.row.timepoint
        name = state or f"control, {sample.row.control}"
        label = f"{name}, {_day(sample)} (n = {values.events:,})"
        colour = _TIMEPOINTS.get(state or "", GREY)
        _curve(axes, values.values, edges, colour, label, filled=state is not None)
    _cd7_axis(axes, [values for _, values in found], ends)
    axes.set_ylabel("% of mode")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.22), handlelength=1.2)


def _curve(
    axes: Axes, values: Floats, edges: Floats, colour: str, label: str, *, filled: bool
) -> None:
    if values.size < _FEW:
        axes.plot(values, np.full(values.size, 2.5), "|", color=colour, markersize=6, label=label)
        return
    height = _of_mode(values, edges)
    if filled:
        axes.stairs(height, edges, fill=True, color=colour, alpha=0.25)
    axes.stairs(height, edges, color=colour, label=label, linewidth=1.1)


def draw_intensity_overlay(
    populations: Mapping[str, Floats], *, label: str, threshold: float | None = None
) -> Figure:
    """Histograms of one marker laid over each other, each scaled to its mode.

    Parameters
    ----------
    populations : mapping
        Values of the marker on its display scale by name. Populations without events are named in
        the legend with n = 0; fewer than twenty are marks on the axis.
    """
    known = {name: v[np.isfinite(v)] for name, v in populations.items()}
    pooled = np.concatenate([v for v in known.values() if v.size] or [np.array([0.0, 1.0])])
    edges = np.linspace(*span(pooled), _BINS + 1)
    with themed():
        figure = new_figure(SINGLE_COLUMN, 2.5)
        axes = figure.subplots()
        for n, (name, values) in enumerate(known.items()):
            colour = CYCLE[n % len(CYCLE)]
            _curve(axes, values, edges, colour, f"{name} (n = {values.size})", filled=True)
        if threshold is not None:
            axes.axvline(threshold, color=BLACK, linestyle="--", linewidth=0.8)
        axes.set_xlabel(label)
        axes.set_ylabel("% of mode")
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside lower left", ncols=1)
    return figure
