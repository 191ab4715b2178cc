"""Sections on response and on the time-to-event endpoints."""

from graftline.figures.cumulative_incidence import CauseCurve, draw_incidence
from graftline.figures.stacked_incidence import draw_stacked_incidence
from graftline.figures.survival_curves import Curve, draw_survival, marks_censored
from graftline.figures.swimmer import draw_swimmer, shown_lanes, swimmer_lanes, swimmer_marks
from graftline.report.value import Inputs, ReportFigure, Section, assumed_times, filled
from graftline.tables.analyses import (
    Analysis,
    analyses,
    estimate_incidence,
    estimate_survival,
    observed_times,
)
from graftline.tables.published import published_table
from graftline.tables.published_facts import Facts
from graftline.tables.response import response_table
from graftline.tables.survival import endpoint_table, followup_table

_SURVIVAL_FIGURES = (
    "overall_survival",
    "disease_free_survival",
    "event_free_survival",
    "relapse_free_survival",
    "grfs",
)


def response_section(inputs: Inputs) -> Section:
    """Response, MRD and relapse."""
    tables, missing = filled(
        inputs.trial,
        response_table(inputs.trial, inputs.assessed.chosen),
        "response",
        ("marrow", "events"),
    )
    return Section("response", "Response", tables=tables, missing=missing)


def survival_section(inputs: Inputs) -> Section:
    """Endpoints and follow-up, with the curves."""
    trial = inputs.trial
    tables, missing = filled(
        trial, endpoint_table(trial, inputs.endpoints), "time-to-event endpoints", ("followup",)
    )
    follow = followup_table(trial, inputs.endpoints)
    if follow.rows:
        tables = (*tables, follow)
    everything = list(analyses(trial, inputs.endpoints))
    found = [a for a in everything if not a.undated]
    figures = [
        *_survival_figures(inputs, found),
        *_relapse_figure(found),
        *_stacked_figure(found),
    ]
    undated = dict.fromkeys(a.title for a in everything if a.undated and not a.variant)
    if undated:
        missing = (
            *missing,
            "Printed as a proportion and not as a curve, because an event happened on a day that "
            f"is not recorded: {', '.join(undated)}.",
        )
    return Section(
        "survival",
        "Survival, relapse and mortality",
        tables=tables,
        figures=tuple(figures),
        missing=missing,
    )


def _survival_figures(inputs: Inputs, found: list[Analysis]) -> list[ReportFigure]:
    interval = inputs.trial.protocol.definitions.survival_interval
    made = []
    for name in _SURVIVAL_FIGURES:
        own = [a for a in found if a.endpoint == name]
        if not own:
            continue
        # the protocol's own counting, and beside it the one that entered late
        first = own[0]
        late = [a for a in own[1:] if a.late_entry and a.origin == first.origin][:1]
        curves = [
            Curve(
                a.variant or "as the protocol counts",
                estimate_survival(a, interval=interval),
                *observed_times(a),
                band=not a.variant,
            )
            for a in (first, *late)
        ]
        ticks = "; ticks: censored" if marks_censored(curves[0].estimate) else ""
        caption = (
            f"Kaplan-Meier; shaded: 95% {interval} intervals{ticks}. "
            f"n = {first.rows.height}, events {int((first.rows['status'] == 1).sum())}, "
            f"times assumed {int(first.rows['assumed'].sum())}."
        )
        figure = draw_survival(curves, title=first.title, origin=first.origin)
        made.append(ReportFigure(f"curve-{name.replace('_', '-')}", first.title, caption, figure))
    return made


def _relapse_figure(found: list[Analysis]) -> list[ReportFigure]:
    plain = [a for a in found if not a.late_entry and not a.variant]
    chosen: list[Analysis] = []
    for name in ("relapse", "non_relapse_mortality"):
        own = [a for a in plain if a.endpoint == name]
        if own and (not chosen or own[0].origin == chosen[0].origin):
            chosen.append(own[0])
    if not chosen:
        return []
    curves = [CauseCurve(a.title, estimate_incidence(a), *observed_times(a)) for a in chosen]
    title = "Relapse and non-relapse mortality"
    figure = draw_incidence(curves, title=title, origin=chosen[0].origin)
    caption = (
        "Cumulative incidence (Aalen-Johansen); each is the competing event of the other. "
        f"Shaded: 95% intervals (log-log). {assumed_times(chosen)}"
    )
    return [ReportFigure("relapse-nrm", title, caption, figure)]


def _stacked_figure(found: list[Analysis]) -> list[ReportFigure]:
    """Relapse and death without it on one scale with the event-free, where both have days."""
    plain = [a for a in found if a.endpoint == "relapse" and not a.variant and not a.late_entry]
    if not plain or int((plain[0].rows["status"] > 0).sum()) == 0:
        return []
    own = plain[0]
    title = "Relapse, death without relapse, and event-free"
    figure = draw_stacked_incidence(
        CauseCurve(own.title, estimate_incidence(own, causes=(1, 2)), *observed_times(own)),
        title=title,
        origin=own.origin,
        labels=("event-free", "relapse or\nprogression", "death without\nrelapse"),
    )
    caption = (
        "Cumulative incidences (Aalen-Johansen) stacked: at each time the three sum to 100%. "
        f"n = {own.rows.height}. {assumed_times([own])}"
    )
    return [ReportFigure("stacked-incidence", title, caption.strip(), figure)]


def swimmer_section(inputs: Inputs) -> Section:
    """Every patient's course at a glance."""
    lanes = swimmer_lanes(inputs.trial)
    if lanes.is_empty():
        return Section(
            "courses", "Courses", missing=("No course can be drawn: no follow-up has a day.",)
        )
    shown = shown_lanes(lanes)
    caption = "Bars: follow-up; hatched: its end is assumed; arrows: alive at last contact."
    if shown.height < lanes.height:
        caption += (
            f" {shown.height} of {lanes.height:,} patients, evenly spread over the lengths of "
            "follow-up."
        )
    figure = draw_swimmer(shown, swimmer_marks(inputs.trial, inputs.assessed.chosen))
    title = "Course of each patient"
    return Section("courses", "Courses", figures=(ReportFigure("swimmer", title, caption, figure),))


def published_section(inputs: Inputs) -> Section | None:
    """Published figures held against the recorded facts; none without ``published``."""
    if inputs.trial["published"].is_empty():
        return None
    table = published_table(Facts(inputs.trial, inputs.assessed.chosen, inputs.endpoints))
    text = (
        "Each printed figure is computed again from the facts recorded of each patient, where "
        "there are such facts. A figure known for the cohort only is shown as printed; nothing is "
        "attributed to a patient that the publication does not attribute.",
    )
    return Section("published", "Published figures", text, (table,))
