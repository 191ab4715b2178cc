"""A report from a trial, its assessments and its endpoints."""

from collections.abc import Callable, Sequence

import polars as pl

from graftline.assess.assessment import Assessments
from graftline.report.biology import engraftment_section, immunity_section, kinetics_section
from graftline.report.cohort import (
    baseline_section,
    flow_section,
    gate_section,
    treatment_section,
)
from graftline.report.efficacy import (
    published_section,
    response_section,
    survival_section,
    swimmer_section,
)
from graftline.report.methods import methods_section
from graftline.report.path import groups_section, path_section
from graftline.report.patients import MOST_PAGES, patient_pages
from graftline.report.quality import quality_section
from graftline.report.safety import (
    adverse_event_section,
    gvhd_section,
    infection_section,
    monitoring_section,
    outcomes_section,
)
from graftline.report.value import Inputs, Report, Section
from graftline.tables.format import estimate_interval, median_range, months
from graftline.tables.selection import only_transplanted
from graftline.tables.survival import summarise_endpoints, summarise_followup
from graftline.trial import Trial

SMALL_TRIAL = 20

_SECTIONS: tuple[tuple[str, Callable[[Inputs], Section]], ...] = (
    ("Enrolment", flow_section),
    ("Baseline", baseline_section),
    ("Treatment", treatment_section),
    ("Gate to HSCT", gate_section),
    ("Courses", swimmer_section),
    ("Outcomes", outcomes_section),
    ("Survival", survival_section),
    ("Infusion to transplant", path_section),
    ("Subgroups", groups_section),
    ("Response", response_section),
    ("GVHD", gvhd_section),
    ("Adverse events", adverse_event_section),
    ("Infection", infection_section),
    ("Engraftment", engraftment_section),
    ("CAR-T kinetics", kinetics_section),
    ("Immunity", immunity_section),
)


def build_report(
    trial: Trial,
    assessed: Assessments,
    endpoints: pl.DataFrame,
    *,
    assays: Sequence[Section] = (),
    monitoring: bool = False,
    patient_limit: int = MOST_PAGES,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """The whole report as values; nothing is written.

    Parameters
    ----------
    trial : Trial
    assessed : Assessments
    endpoints : DataFrame of ``endpoints.derive_endpoints``
    assays : sequence of Section
        From `graftline.report.assays.assay_sections`; they stand after immunity.
    monitoring : bool
        Add the data-monitoring pack.
    patient_limit : int
        A trial with more patients gets no page per patient.
    progress : callable
        Told what is being made.
    """
    inputs = Inputs(trial, assessed, endpoints)
    sections = []
    for name, make in _SECTIONS:
        progress(f"Report: {name}")
        sections.append(make(inputs))
    sections += assays
    published = published_section(inputs)
    if published is not None:
        sections.append(published)
    if monitoring:
        sections.append(monitoring_section(inputs))
    printed = [table for section in sections for table in section.tables]
    sections += [quality_section(inputs), methods_section(inputs, printed)]
    progress("Report: pages of patients")
    pages = patient_pages(inputs, most=patient_limit)
    settings = trial.settings
    return Report(
        title=settings.title or settings.name,
        subtitle=trial.protocol.title,
        simulated=settings.simulated,
        facts=_facts(inputs),
        warnings=_warnings(inputs, pages, patient_limit),
        sections=tuple(sections),
        patients=pages,
    )


def _facts(inputs: Inputs) -> tuple[tuple[str, str], ...]:
    """What a reader wants first: how many, how long, how did it end."""
    status = inputs.trial.patients["status"]
    infused = int(status.is_in(["infused", "transplanted"]).sum())
    transplanted = int((status == "transplanted").sum())
    facts = [
        ("Patients infused", f"{infused:,}"),
        ("Transplanted", f"{transplanted:,}"),
    ]
    follow = summarise_followup(inputs.trial, inputs.endpoints)
    if follow.height and follow["survivors"][0]:
        row = follow.row(0, named=True)
        days = (row["survivor_median"], row["survivor_low"], row["survivor_high"])
        middle, low, high = (months(d) for d in days)
        text = median_range(middle, low, high)
        if row["assumed"]:
            text += f"; {row['assumed']} of {row['n']} times assumed"
        facts.append(("Follow-up of survivors, months (range)", text))
    summary = summarise_endpoints(inputs.trial, inputs.endpoints)
    for name in ("overall_survival", "disease_free_survival", "non_relapse_mortality", "relapse"):
        rows = summary.filter((pl.col("endpoint") == name) & (pl.col("variant") == ""))
        if rows.height and rows["estimate"][0] is not None and not rows["undated"][0]:
            row = rows.row(0, named=True)
            bounds = [None if row[k] is None else 100 * row[k] for k in ("lower", "upper")]
            text = estimate_interval(100 * row["estimate"], *bounds, digits=0)
            counted = f"; {row['n']} with HSPC" if row["n"] < infused else ""
            facts.append((f"{row['title']} at 12 months, % (95% CI{counted})", text))
    return tuple(facts)


def _warnings(inputs: Inputs, pages: tuple[Section, ...], patient_limit: int) -> tuple[str, ...]:
    found = []
    count = int(inputs.trial.patients["status"].is_in(["infused", "transplanted"]).sum())
    if inputs.trial.settings.simulated:
        found.append(
            "These patients are simulated. No patient was treated; intervals hold Monte Carlo "
            "uncertainty only, unless a section says otherwise."
        )
    if 0 < count < SMALL_TRIAL:
        found.append(
            f"{count} patient{'s' * (count > 1)}: estimates are uncertain, as their intervals "
            "show. No p-values of outcomes."
        )
    if only_transplanted(inputs.trial):
        found.append(
            "Only patients who reached HSCT are in this cohort: remission and aplasia are entry "
            "criteria, not rates, and survival until HSCT is guaranteed by the selection."
        )
    if not pages and count > patient_limit:
        found.append(
            f"No page per patient for {count:,} patients; graftline explain answers for any one."
        )
    return tuple(found)
