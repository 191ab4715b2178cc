"""Sections on the way from infusion to transplant and after, and on subgroups."""

from dataclasses import replace

from graftline.figures.forest import ForestRow, draw_forest
from graftline.figures.state_occupation import draw_occupation
from graftline.figures.survival_curves import Curve, draw_survival, marks_censored
from graftline.report.value import Inputs, ReportFigure, Section
from graftline.tables.comparisons import comparison_table
from graftline.tables.hsct_timing import AFTER, BEFORE, HsctTiming, hsct_timing_table, hsct_timings
from graftline.tables.states import (
    StatesEstimate,
    estimate_states,
    not_estimable,
    occupation_table,
    state_answers,
    stay_length_table,
    transition_table,
)
from graftline.tables.subgroups import (
    Subgroups,
    estimate_text,
    level_text,
    percent_text,
    subgroup_numbers,
    subgroup_table,
)
from graftline.tables.value import ReportTable


def path_section(inputs: Inputs) -> Section:
    """States from infusion to HSCT and after, and survival before and after HSCT."""
    tables: list[ReportTable] = []
    figures: list[ReportFigure] = []
    missing: list[str] = []
    for clinical in state_answers(inputs.trial, inputs.assessed):
        estimate = estimate_states(clinical)
        if estimate is None:
            missing.append(not_estimable(clinical))
            continue
        tables += [transition_table(estimate), occupation_table(estimate)]
        length = stay_length_table(estimate)
        tables += [] if length is None else [length]
        figures.append(_occupation_figure(estimate))
    timing = hsct_timing_table(inputs.trial, inputs.endpoints)
    if timing is not None:
        tables.append(timing)
        timings = hsct_timings(inputs.trial, inputs.endpoints)
        figures += [_timing_figure(inputs, found) for found in timings]
    if not tables and not missing:
        missing.append("No way from infusion to HSCT can be shown: no follow-up has a day.")
    return Section(
        "path",
        "From infusion to transplant and after",
        tables=tuple(tables),
        figures=tuple(figures),
        missing=tuple(missing),
    )


def _occupation_figure(estimate: StatesEstimate) -> ReportFigure:
    model = estimate.clinical.model
    patients = estimate.clinical.stays["patient"].n_unique()
    caption = (
        f"State occupation (Aalen-Johansen), n = {patients}. {model.words} Under the axis: "
        "patients under observation in each state, and those dead by then."
    )
    if float(estimate.clinical.stays["start_days"].min() or 0.0) > 0.0:  # type: ignore[arg-type]  # a Float64 column
        caption += " Observation begins at HSCT (delayed entry)."
    figure = draw_occupation(estimate, title=model.title)
    return ReportFigure(f"states-{model.name.replace('_', '-')}", model.title, caption, figure)


def _timing_figure(inputs: Inputs, timing: HsctTiming) -> ReportFigure:
    interval = inputs.trial.protocol.definitions.survival_interval
    curves = timing.curves(interval=interval)
    cut = timing.rows()
    drawn = []
    for place, (label, curve) in enumerate(((BEFORE, curves.unswitched), (AFTER, curves.switched))):
        own = cut.switched == place
        # the line begins where somebody is under observation
        begun = replace(curve, start_time=float(cut.start[own].min()))
        drawn.append(Curve(label, begun, cut.stop[own], cut.start[own]))
    ticked = any(marks_censored(curve.estimate) for curve in drawn)
    ticks = "; ticks: censored, or transplanted" if ticked else ""
    title = f"{timing.analysis.title} before and after HSCT"
    caption = (
        f"Simon-Makuch curves: patients pass to the other curve at HSCT. Shaded: 95% {interval} "
        f"intervals{ticks}. A curve follows no fixed set of patients, "
        "and the second one begins with the few who were transplanted first."
    )
    figure = draw_survival(drawn, title=title, origin=timing.analysis.origin)
    return ReportFigure(
        f"hsct-{timing.analysis.endpoint.replace('_', '-')}", title, caption, figure
    )


def groups_section(inputs: Inputs) -> Section:
    """Subgroups known before treatment, described and, where large enough, compared."""
    tables: list[ReportTable] = []
    figures: list[ReportFigure] = []
    compared = comparison_table(inputs.trial, inputs.endpoints)
    tables += [] if compared is None else [compared]
    found = subgroup_numbers(inputs.trial, inputs.assessed, inputs.endpoints)
    missing: tuple[str, ...] = ()
    if found is not None and found.numbers.height > 1:
        tables.append(subgroup_table(found))
        figures.append(_forest_figure(found))
    elif not tables:
        missing = ("No subgroups: no two groups of patients are recorded in patients.csv.",)
    return Section(
        "groups", "Subgroups", tables=tuple(tables), figures=tuple(figures), missing=missing
    )


def _forest_figure(found: Subgroups) -> ReportFigure:
    ratios = found.measure == "hazard ratio"
    scale = 1.0 if ratios else 100.0
    rows = [
        ForestRow(
            group=row["variable"],
            label=level_text(row),
            counts=f"{row['events']}/{row['n']}",
            text=estimate_text(row) if ratios else percent_text(row),
            estimate=scale * row["estimate"],
            low=None if row["lower"] is None else scale * row["lower"],
            high=None if row["upper"] is None else scale * row["upper"],
            n=row["n"],
        )
        for row in found.numbers.iter_rows(named=True)
    ]
    name = f"{found.outcome[:1].upper()}{found.outcome[1:]}"
    figure = draw_forest(
        rows,
        title=f"{name} by subgroup",
        axis="Hazard ratio (log scale)" if ratios else "Patients (%)",
        scale="ratio" if ratios else "percent",
        heads=("deaths/n" if ratios else "n/N", "HR (95% CI)" if ratios else "% (95% CI)"),
    )
    return ReportFigure("subgroups", f"{name} by subgroup", found.note, figure)
