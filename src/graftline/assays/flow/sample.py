"""One sample of a study: its row, its tables, its rows of the trial, its plots."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from graftline.assays.flow.gates import GatedSample
from graftline.assays.flow.gating_file import gate_axes
from graftline.assays.flow.markers import cd7_axis, gate_markers, is_cd7
from graftline.assays.flow.panels import (
    GatePanel,
    Intensities,
    car_panel,
    cd7_intensities,
    gate_panels,
)
from graftline.assays.flow.populations import (
    Reference,
    choose_reference,
    role_events,
    role_gate,
    t_cell_labs,
)
from graftline.assays.flow.residual import marrow_row
from graftline.assays.flow.sample_tables import (
    blast_table,
    gate_table,
    has_roles,
    mrd_table,
    t_cell_table,
)
from graftline.assays.flow.spillover import changes_nothing
from graftline.problems import InputError, Problem, Severity

Specimen = Literal["blood", "marrow", "csf"]


@dataclass(frozen=True, slots=True)
class FlowThresholds:
    """Events that a result needs.

    ``least_events`` to count cells per microlitre; ``detection_events`` and
    ``quantification_events`` for MRD; ``sensitivity`` is what a negative MRD must have been able to
    see, among at least ``nucleated_events``.
    """

    least_events: int = 20
    detection_events: int = 20
    quantification_events: int = 50
    sensitivity: float = 1e-4
    nucleated_events: int = 500_000


@dataclass(frozen=True, slots=True)
class FlowRow:
    """One sample: a row of the sheet, or a file alone (then only ``file`` and ``gating``)."""

    file: Path
    gating: Path
    row: int | None = None
    patient: str | None = None
    day: float | None = None
    specimen: Specimen | None = None
    timepoint: str | None = None
    control: str | None = None
    wbc_1e9_per_l: float | None = None
    lymphocytes_1e9_per_l: float | None = None
    beads_per_ul: float | None = None
    data_set: int | None = None


@dataclass(frozen=True, slots=True)
class SamplePanels:
    """Plots of one sample: its gates, CD7 against CAR on T cells, CD7 on T cells and on blasts."""

    row: FlowRow
    gates: tuple[GatePanel, ...]
    car: GatePanel | None
    cd7_t: Intensities | None
    cd7_blasts: Intensities | None


@dataclass(frozen=True, slots=True)
class SampleResult:
    """What one sample gave; a table is None where its roles or the specimen do not ask for it."""

    row: FlowRow
    facts: pl.DataFrame
    gates: pl.DataFrame
    t_cells: pl.DataFrame | None
    blasts: pl.DataFrame | None
    mrd: pl.DataFrame | None
    labs: pl.DataFrame | None
    marrow: pl.DataFrame | None
    panels: SamplePanels
    problems: tuple[Problem, ...]


def measure_sample(
    row: FlowRow, gated: GatedSample, thresholds: FlowThresholds, file: str
) -> SampleResult:
    """Everything that one gated sample tells.

    Parameters
    ----------
    file : str
        The sheet, named in findings about its columns.

    Raises
    ------
    InputError
        CD7 gates that hold CAR-T cells, an MRD gate that holds more than nucleated cells.
    """
    sample, spillover = gated.sample, gated.spillover
    facts = pl.DataFrame(
        {
            "version": [sample.version],
            "events": [sample.events],
            "channels": [len(sample.channels)],
            "compensated": [not (spillover is None or changes_nothing(spillover))],
            "gating": [gated.gating.file],
        }
    )
    own = None if row.control else row
    t_cells, labs, of_t = _t_cells(own, gated, thresholds, file)
    mrd, marrow, of_mrd = _residual(own, gated, thresholds)
    blasts = None
    if own is not None and has_roles(gated, "blasts") and _tells_of_disease(row):
        blasts = blast_table(gated, least_events=thresholds.detection_events)
    return SampleResult(
        row,
        facts,
        gate_table(gated),
        t_cells,
        blasts,
        mrd,
        labs,
        marrow,
        SamplePanels(
            row,
            gate_panels(gated),
            car_panel(gated),
            cd7_intensities(gated, population="car_negative_t", positive="cd7_positive_t"),
            cd7_intensities(gated, population="blasts", positive="cd7_positive_blasts"),
        ),
        (*sample.problems, *of_t, *of_mrd),
    )


def _tells_of_disease(row: FlowRow) -> bool:
    """Blood tubes of T cells share a gating file with marrow, and have no blasts to speak of."""
    return row.specimen != "blood" or row.timepoint is not None


def _t_cells(
    row: FlowRow | None, gated: GatedSample, thresholds: FlowThresholds, file: str
) -> tuple[pl.DataFrame | None, pl.DataFrame | None, list[Problem]]:
    """T cells of a blood sample: the table, the rows of ``labs``, and findings."""
    if row is None or not has_roles(gated, "car_negative_t") or row.specimen not in (None, "blood"):
        return None, None, []
    least = thresholds.least_events
    reference, problems = _reference(row, gated, file, least)
    table = t_cell_table(gated, reference, least_events=least)
    if row.patient is None or row.day is None:
        return table, None, problems
    concentrations = {} if reference is None else _concentration(row)
    labs = t_cell_labs(
        gated, patient=row.patient, day=row.day, least_events=least, **concentrations
    )
    return table, labs, problems


def _concentration(row: FlowRow) -> dict[str, float]:
    """The reference to count by; beads before blood counts, because they were in the tube."""
    for name in ("beads_per_ul", "lymphocytes_1e9_per_l", "wbc_1e9_per_l"):
        value = getattr(row, name)
        if value is not None:
            return {name: value}
    return {}


def _reference(
    row: FlowRow, gated: GatedSample, file: str, least: int
) -> tuple[Reference | None, list[Problem]]:
    given = _concentration(row)
    name, value = next(iter(given.items()), ("", 1.0))
    # Blood of deep aplasia is printed as 0 white cells; nothing else is 0 or less.
    if value < 0 or (value == 0 and name == "beads_per_ul"):
        problem = Problem(
            file, "a number above 0", "correct it", row=row.row, column=name, found=f"{value:g}"
        )
        return None, [problem]
    try:
        reference = choose_reference(gated, least_events=least, **given)
        return reference, [] if reference is None else _outside_reference(gated, reference)
    except InputError as error:
        return None, [_of_sheet(p, row, file, name) for p in error.problems]


def _outside_reference(gated: GatedSample, reference: Reference) -> list[Problem]:
    """A finding where T cells are no share of the cells that the blood count is of."""
    if reference.role == "beads":
        return []
    inner = gated.inside[role_gate(gated, reference.role)]
    cells = [r for r in ("car_negative_t", "car_t") if has_roles(gated, r)]
    t_cells = np.any([gated.inside[role_gate(gated, role)] for role in cells], axis=0)
    outside, total = int((t_cells & ~inner).sum()), int(t_cells.sum())
    if outside == 0:
        return []
    expected = f"T cells inside the gate of {reference.role}, whose count they are a share of"
    remedy = "make that gate an ancestor of the T cells; cells outside it are not in the count"
    found = f"{outside:,} of {total:,} T cells outside"
    return [Problem(gated.sample.name, expected, remedy, Severity.WARNING, found=found)]


def _of_sheet(problem: Problem, row: FlowRow, file: str, name: str) -> Problem:
    """A finding about the reference: an error where a role lacks, else no cells per microlitre."""
    if problem.column == "[roles]":
        return replace(problem, severity=Severity.ERROR, row=row.row, file=file, column=name)
    remedy = f"{problem.remedy}; no cells per microlitre"
    return replace(problem, severity=Severity.WARNING, remedy=remedy, column=name)


def _residual(
    row: FlowRow | None, gated: GatedSample, thresholds: FlowThresholds
) -> tuple[pl.DataFrame | None, pl.DataFrame | None, list[Problem]]:
    """Residual disease, not of blood: the table, the row of ``marrow``, and findings."""
    if row is None or not has_roles(gated, "mrd", "nucleated") or row.specimen == "blood":
        return None, None, []
    name = gated.sample.name
    if role_events(gated, "nucleated") == 0:
        remedy = "check the gate and the acquisition; no residual disease is told"
        expected = "events in the gate of nucleated"
        return None, None, [Problem(name, expected, remedy, Severity.WARNING, patient=row.patient)]
    relied = gate_markers(gated, role_gate(gated, "mrd"))
    markers = "+".join(label.replace("+", " ") for label in relied)
    table = mrd_table(
        gated,
        markers=markers,
        detection_events=thresholds.detection_events,
        quantification_events=thresholds.quantification_events,
        sensitivity=thresholds.sensitivity,
        nucleated_events=thresholds.nucleated_events,
    )
    axis = cd7_axis(gated)
    marrow = None
    if row.patient is not None and row.day is not None:
        marrow = marrow_row(
            gated,
            patient=row.patient,
            day=row.day,
            specimen=row.specimen or "marrow",
            gate_markers=markers,
            detection_events=thresholds.detection_events,
            cd7_channel=None if axis is None else axis.channel,
        )
    return table, marrow, _relies_on_cd7(gated, row)


def _relies_on_cd7(gated: GatedSample, row: FlowRow) -> list[Problem]:
    gate = role_gate(gated, "mrd")
    if not any(is_cd7(gated.sample, d.channel) for d in gate_axes(gated.gating, gate)):
        return []
    expected = "an MRD gate that does not need CD7: it misses CD7-negative leukaemia"
    remedy = "gate on other markers; the result stands, and says what it relies on"
    file = gated.gating.file
    return [Problem(file, expected, remedy, Severity.WARNING, column=f"gate {gate}", found="CD7")]
