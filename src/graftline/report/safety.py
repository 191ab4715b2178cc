"""Sections on outcomes at a glance, adverse events, GVHD, infection and monitoring."""

import polars as pl

from graftline.assess.assessment import all_rules
from graftline.figures.cumulative_incidence import CauseCurve, draw_incidence
from graftline.report.value import (
    Inputs,
    ReportFigure,
    Section,
    assumed_times,
    filled,
    no_course,
    no_records,
)
from graftline.tables.adverse_events import (
    adverse_event_table,
    laboratory_grade_table,
    serious_event_table,
)
from graftline.tables.analyses import analyses, estimate_incidence, observed_times
from graftline.tables.gvhd import gvhd_listing, gvhd_table
from graftline.tables.infections import infection_density_table, infection_table
from graftline.tables.monitoring import stopping_tables
from graftline.tables.outcomes import outcomes_table


def outcomes_section(inputs: Inputs) -> Section:
    """Outcomes as such papers print them."""
    table = outcomes_table(inputs.trial, inputs.assessed.chosen)
    return Section("outcomes", "Outcomes at a glance", tables=(table,))


def adverse_event_section(inputs: Inputs) -> Section:
    """Adverse events by term and worst grade, and the serious ones."""
    trial = inputs.trial
    laboratory = laboratory_grade_table(inputs.assessed.chosen, all_rules())
    graded = (laboratory,) if laboratory.rows else ()
    if trial["ae"].is_empty():
        return Section(
            "adverse-events",
            "Adverse events",
            tables=graded,
            missing=(no_records(trial, "adverse events", ("ae",)),),
        )
    serious = serious_event_table(trial)
    tables = [adverse_event_table(trial)]
    missing = []
    if serious.rows:
        tables.append(serious)
    else:
        missing.append("No event is recorded as serious.")
    return Section(
        "adverse-events", "Adverse events", (), (*tables, *graded), missing=tuple(missing)
    )


def gvhd_section(inputs: Inputs) -> Section:
    """GVHD before and after HSPC, with its cumulative incidence."""
    trial, chosen = inputs.trial, inputs.assessed.chosen
    tables, missing = filled(trial, gvhd_table(chosen), "GVHD", ("gvhd", "events"))
    listing = gvhd_listing(chosen)
    if listing is not None:
        tables = (*tables, listing)
    figures = []
    for id, title, endpoints in (
        (
            "acute-gvhd-incidence",
            "Cumulative incidence of acute GVHD",
            ("acute_gvhd_1_4", "acute_gvhd_2_4", "acute_gvhd_3_4"),
        ),
        (
            "chronic-gvhd-incidence",
            "Cumulative incidence of chronic GVHD",
            ("chronic_gvhd", "chronic_gvhd_moderate_severe"),
        ),
    ):
        figure = _incidence_figure(inputs, id, title, endpoints)
        if figure is None:
            missing = (*missing, no_course(title.removeprefix("Cumulative incidence of ")))
        else:
            figures.append(figure)
    return Section("gvhd", "GVHD", tables=tables, figures=tuple(figures), missing=missing)


def infection_section(inputs: Inputs) -> Section:
    """Infection, viral reactivation, density of episodes."""
    trial = inputs.trial
    tables, missing = filled(
        trial,
        infection_table(inputs.assessed.chosen),
        "infection",
        ("infections", "viral", "events"),
    )
    density = inputs.assessed.details.get("infection_density")
    if density is not None and not density.is_empty():
        tables = (*tables, infection_density_table(density))
    return Section("infection", "Infection", tables=tables, missing=missing)


def monitoring_section(inputs: Inputs) -> Section:
    """Data-monitoring pack: safety to the cut, and the protocol's stopping rules."""
    trial = inputs.trial
    tables = stopping_tables(trial, inputs.assessed.chosen, inputs.endpoints)
    missing = () if tables else ("The protocol of this trial names no stopping rule.",)
    text = (
        "Safety to the data cut is in the sections above. A stopping rule is never shown without "
        "its operating characteristics.",
    )
    return Section("monitoring", "Data monitoring", text, tables, missing=missing)


def _incidence_figure(
    inputs: Inputs, id: str, title: str, endpoints: tuple[str, ...]
) -> ReportFigure | None:
    found = [
        a
        for a in analyses(inputs.trial, inputs.endpoints)
        if a.endpoint in endpoints
        and not a.late_entry
        and not a.variant
        and a.origin == "HSPC"
        and not a.undated
    ]
    if not found:
        return None
    found.sort(key=lambda a: endpoints.index(a.endpoint))
    curves = [CauseCurve(a.title, estimate_incidence(a), *observed_times(a)) for a in found]
    acute = all(a.endpoint.startswith("acute") for a in found)
    last = max(float(a.rows.select(pl.col("time_days").max()).item()) for a in found)
    figure = draw_incidence(
        curves, title=title, origin="HSPC", last_day=min(last, 100.0) if acute else last
    )
    rivals = pl.concat([a.rows.filter(pl.col("status") > 1).select("cause") for a in found])
    seen = ", ".join(sorted(str(c).replace("_", " ") for c in rivals["cause"].unique()))
    caption = (
        f"Competing events seen: {seen or 'none'}. Shaded: 95% intervals (log-log). "
        f"{assumed_times(found)}"
    )
    return ReportFigure(id, title, caption, figure)
