"""Sections on kinetics, T cells, chimerism, engraftment and immune reconstitution."""

from collections.abc import Sequence

import polars as pl

from graftline.figures.cumulative_incidence import CauseCurve, draw_incidence
from graftline.figures.kinetics import draw_analytes, draw_blood_counts, draw_chimerism
from graftline.figures.theme import MANY_PATIENTS
from graftline.report.value import (
    Inputs,
    ReportFigure,
    Section,
    assumed_times,
    filled,
    no_course,
    no_records,
)
from graftline.tables.analyses import analyses, estimate_incidence, observed_times
from graftline.tables.engraftment import engraftment_table
from graftline.tables.kinetics import kinetics_listing, kinetics_rules, kinetics_summary_table
from graftline.tables.reconstitution import reconstitution_table
from graftline.trial import Trial

_LINES = "Lines are patients"
_BANDS = "Bands hold 50% and 90% of the patients seen, the line is their median"


def _courses(trial: Trial, analytes: Sequence[str]) -> str:
    """What is drawn: patients, or above sixty of them bands."""
    rows = trial["labs"].filter(pl.col("analyte").is_in(list(analytes)))
    many = rows["patient"].n_unique()
    if many > MANY_PATIENTS:
        return (
            f"{_BANDS}; {many:,} patients. Values below the limit of quantification (dotted) count "
            "as the limit; dashed: median day of HSCT, grey: its quartiles."
        )
    return (
        f"{_LINES}; open symbols are below the limit of quantification (dotted); triangles mark "
        "HSCT."
    )


def kinetics_section(inputs: Inputs) -> Section:
    """CAR-T kinetics by qPCR and by flow cytometry, never mixed."""
    trial, chosen = inputs.trial, inputs.assessed.chosen
    asked = trial.protocol.definitions
    rules = kinetics_rules(
        blq=asked.blq,
        trapezoid=asked.auc_trapezoid,
        start=asked.auc_start,
        samples=asked.peak_samples,
        half_life_r2=asked.half_life_r2,
    )
    summary = kinetics_summary_table(chosen, rules=rules)
    tables, missing = filled(trial, summary, "CAR-T kinetics", ("labs",))
    listing = kinetics_listing(chosen)
    if listing.rows:
        tables = (*tables, listing)
    title = "CAR-T cells in blood"
    figure = draw_analytes(trial, ("car_t_qpcr", "car_t_flow"))
    if figure is None:
        missing = (no_records(trial, "CAR-T kinetics", ("labs",)),)
    caption = _courses(trial, ("car_t_qpcr", "car_t_flow"))
    figures = () if figure is None else (ReportFigure("kinetics", title, caption, figure),)
    return Section("kinetics", "CAR-T kinetics", (), tables, figures, missing)


def immunity_section(inputs: Inputs) -> Section:
    """T cells by CD7, and immune reconstitution."""
    trial = inputs.trial
    tables, missing = filled(
        trial, reconstitution_table(inputs.assessed.chosen), "immune reconstitution", ("labs",)
    )
    figures = []
    for id, title, what, analytes in (
        (
            "t-cells",
            "T cells with and without CD7",
            "T cells by CD7",
            ("cd3_cd7_positive", "cd3_cd7_negative"),
        ),
        (
            "reconstitution",
            "Immune reconstitution",
            "the course of immune reconstitution",
            ("cd4", "cd8", "nk", "nk_cd7_positive", "nk_cd7_negative", "cd19"),
        ),
    ):
        figure = draw_analytes(trial, analytes)
        if figure is None:
            missing = (*missing, no_records(trial, what, ("labs",)))
        else:
            figures.append(ReportFigure(id, title, _courses(trial, analytes), figure))
    return Section(
        "immunity", "T cells and immune reconstitution", (), tables, tuple(figures), missing
    )


def engraftment_section(inputs: Inputs) -> Section:
    """Blood counts, engraftment and chimerism."""
    trial = inputs.trial
    tables, missing = filled(
        trial,
        engraftment_table(inputs.assessed.chosen),
        "engraftment and chimerism",
        ("labs", "chimerism", "events"),
    )
    figures = []
    counts = draw_blood_counts(trial)
    if counts is None:
        missing = (*missing, no_records(trial, "blood counts after HSPC", ("labs",)))
    else:
        many = trial["labs"].filter(pl.col("analyte") == "anc")["patient"].n_unique()
        caption = (
            f"Dashed: thresholds of engraftment. {_LINES if many <= MANY_PATIENTS else _BANDS}."
        )
        figures.append(ReportFigure("blood-counts", "Blood counts after HSPC", caption, counts))
    incidence = _incidence(inputs)
    figures += incidence
    if not incidence:
        missing = (*missing, no_course("engraftment"))
    tests = _chimerism_tests(inputs)
    if tests is None:
        missing = (*missing, no_records(trial, "the course of donor chimerism", ("chimerism",)))
    else:
        many = tests["patient"].n_unique()
        caption = (
            "Dashed: limits of autologous (5%) and full donor (95%). "
            f"{_LINES if many <= MANY_PATIENTS else _BANDS}."
        )
        title = "Donor chimerism"
        figures.append(ReportFigure("chimerism", title, caption, draw_chimerism(tests)))
    return Section("engraftment", "Engraftment and chimerism", (), tables, tuple(figures), missing)


def _incidence(inputs: Inputs) -> list[ReportFigure]:
    names = ("neutrophil_engraftment", "platelet_engraftment")
    own = [
        a
        for a in analyses(inputs.trial, inputs.endpoints)
        if a.endpoint in names and not a.variant and not a.late_entry and not a.undated
    ]
    if not own:
        return []
    title = "Cumulative incidence of engraftment"
    figure = draw_incidence(
        [CauseCurve(a.title, estimate_incidence(a), *observed_times(a)) for a in own],
        title=title,
        origin=own[0].origin,
    )
    caption = (
        f"Death and a second graft compete. Shaded: 95% intervals (log-log). {assumed_times(own)}"
    )
    return [ReportFigure("engraftment-incidence", title, caption, figure)]


def _chimerism_tests(inputs: Inputs) -> pl.DataFrame | None:
    tests = inputs.assessed.details.get("chimerism_tests")
    if tests is None:
        return None
    dated = tests.drop_nulls(["hsct_day", "donor_percent"]).filter(pl.col("hsct_day") >= 0)
    return None if dated.is_empty() else dated
