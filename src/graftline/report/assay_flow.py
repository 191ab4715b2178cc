"""The section on flow cytometry, from a study of a sample sheet or of files alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from graftline.assays.flow.sample import FlowThresholds, SamplePanels
from graftline.assays.flow.study import FlowStudy
from graftline.figures.assays_flow import (
    draw_blast_overlays,
    draw_car_gates,
    draw_cd7_courses,
    draw_gate_panels,
)
from graftline.report.assay_page import AssayPage
from graftline.report.value import ReportFigure, Section
from graftline.tables.assay_flow import (
    blasts_table,
    eradication_table,
    gates_table,
    mrd_listing,
    t_cells_table,
    terminal_tables,
)

MOST_PATIENTS = 12
MOST_GATE_PLOTS = 40


@dataclass(frozen=True, slots=True)
class FlowOptions:
    """What is asked of the samples beside their gates.

    ``cells_per_ul_below`` and ``percent_of_cd3_below``: below which CD7+ T cells are eradicated;
    ``every_gate``: gate plots of every sample, not of the first of each gating file and specimen.
    """

    thresholds: FlowThresholds = field(default_factory=FlowThresholds)
    cells_per_ul_below: float = 1
    percent_of_cd3_below: float = 0.1
    every_gate: bool = False


def flow_study_page(study: FlowStudy, options: FlowOptions) -> AssayPage:
    """What the tubes show, with the rows they give the trial's tables."""
    shown = terminal_tables(
        study,
        cells_per_ul_below=options.cells_per_ul_below,
        percent_of_cd3_below=options.percent_of_cd3_below,
    )
    rows = {"labs": study.labs, "marrow": study.marrow}
    return AssayPage(
        flow_section(study, options),
        shown,
        study.problems,
        flow_facts(study),
        {name: table for name, table in rows.items() if table.height},
    )


def flow_section(study: FlowStudy, options: FlowOptions | None = None) -> Section:
    """What the tubes say: T cells by CD7 and their eradication, CD7 on blasts, residual disease."""
    options = options or FlowOptions()
    tables = []
    if study.t_cells.height:
        tables.append(t_cells_table(study))
        if study.labs.height:
            tables.append(
                eradication_table(
                    study,
                    cells_per_ul_below=options.cells_per_ul_below,
                    percent_of_cd3_below=options.percent_of_cd3_below,
                )
            )
    if _cd7_of_blasts_known(study):
        tables.append(blasts_table(study))
    if study.mrd.height:
        tables.append(mrd_listing(study))
    tables.append(gates_table(study))
    return Section(
        "flow",
        "Flow cytometry",
        _text(study),
        tuple(table for table in tables if table.rows),
        (*_courses(study), *_gates(study, every=options.every_gate)),
        _missing(study, every_gate=options.every_gate),
    )


def flow_facts(study: FlowStudy) -> tuple[tuple[str, str], ...]:
    """What a reader of the page wants first."""
    patients = study.samples["patient"].drop_nulls().n_unique()
    facts = [("Samples", f"{study.samples.height:,}")]
    if patients:
        facts.insert(0, ("Patients", f"{patients:,}"))
    low, high = min(study.samples["events"]), max(study.samples["events"])
    return (
        *facts,
        ("Events per sample", f"{low:,} to {high:,}" if low < high else f"{low:,}"),
        ("Gating files", ", ".join(study.samples["gating"].unique().sort())),
    )


def _text(study: FlowStudy) -> tuple[str, ...]:
    bare = study.samples.filter(~study.samples["compensated"])
    whole = bare.height == study.samples.height
    compensation = "No sample was compensated." if whole else "Values are compensated."
    if bare.height and not whole:
        names = ", ".join(bare["sample"].head(5))
        compensation = f"Values are compensated, except those of {names}."
    counted = (
        "T cells are counted in the CAR-negative gate: CAR-T cells carry CD3 and may carry CD7. "
    )
    return (f"{'' if study.t_cells.is_empty() else counted}{compensation}",)


def _missing(study: FlowStudy, *, every_gate: bool) -> tuple[str, ...]:
    sentences = []
    if study.t_cells.is_empty():
        sentences.append(
            "No T cells by CD7: they need a blood sample and the roles car_negative_t and "
            "cd7_positive_t in its gating file."
        )
    elif study.t_cells["reference"].is_null().all():
        sentences.append(
            "No cells per microlitre: they need counting beads, a lymphocyte or a white-cell count "
            "in the sheet, and the role of its gate."
        )
    if not _cd7_of_blasts_known(study):
        sentences.append(
            "No CD7 on blasts: it needs a marrow sample, or one with a timepoint, and the roles "
            "blasts and cd7_positive_blasts."
        )
    if study.mrd.is_empty():
        sentences.append(
            "No residual disease: it needs a marrow or CSF sample and the roles mrd and nucleated."
        )
    patients = study.samples["patient"].drop_nulls().n_unique()
    if patients > MOST_PATIENTS:
        sentences.append(f"Figures by patient show the first {MOST_PATIENTS} of {patients}.")
    if every_gate and len(study.panels) > MOST_GATE_PLOTS:
        sentences.append(f"Gates are drawn of the first {MOST_GATE_PLOTS} samples.")
    return tuple(sentences)


def _cd7_of_blasts_known(study: FlowStudy) -> bool:
    """Whether any sample has blasts judged by CD7: a gate of CD7+ ones, or its axis."""
    if study.blasts.is_empty():
        return False
    told = ("cd7_positive_events", "cd7_median")
    return any(bool(study.blasts[name].is_not_null().any()) for name in told)


def _courses(study: FlowStudy) -> list[ReportFigure]:
    known = study.samples["patient"].drop_nulls().unique(maintain_order=True)
    shown = set(known.head(MOST_PATIENTS))
    panels = [p for p in study.panels if p.row.patient is None or p.row.patient in shown]
    drawn = (
        (
            "car-gates",
            "CD7 and CAR on T cells",
            "Boxes hold the CAR-negative CD7+ T cells, counted above them.",
            draw_car_gates(panels),
        ),
        (
            "cd7-t",
            "CD7 on CAR-negative T cells over time",
            "Each histogram is scaled to its mode; dashed: where the CD7+ gate begins.",
            draw_cd7_courses(panels),
        ),
        (
            "cd7-blasts",
            "CD7 on blasts at baseline, in remission and at relapse",
            "Scaled to the mode; fewer than 20 cells are marks on the axis. Dashed: where the "
            "CD7+ gate begins.",
            draw_blast_overlays(panels),
        ),
    )
    return [
        ReportFigure(f"flow-{id}", title, caption, figure)
        for id, title, caption, figure in drawn
        if figure is not None
    ]


def _gates(study: FlowStudy, *, every: bool) -> list[ReportFigure]:
    chosen = list(study.panels)[:MOST_GATE_PLOTS] if every else _first_of_each(study.panels)
    return [
        ReportFigure(
            f"flow-gates-{number}",
            f"Gates of {panel.row.file.name}",
            "The parent's events, the gate, and its percent of the parent.",
            draw_gate_panels(panel.gates),
        )
        for number, panel in enumerate(chosen, start=1)
        if panel.gates
    ]


def _first_of_each(panels: Sequence[SamplePanels]) -> list[SamplePanels]:
    """The first sample with events of each gating file and specimen."""
    first: dict[object, SamplePanels] = {}
    for panel in panels:
        drawn = any(g.parent_events for g in panel.gates)
        if drawn and panel.row.control is None:
            first.setdefault((panel.row.gating, panel.row.specimen), panel)
    return list(first.values())
