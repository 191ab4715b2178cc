"""A page that compares plans on the same virtual patients."""

from collections.abc import Sequence

import polars as pl

from graftline.figures.cumulative_incidence import CauseCurve, draw_incidence
from graftline.figures.plan_comparison import draw_plan_differences
from graftline.figures.survival_curves import Curve, draw_survival
from graftline.report.value import Report, ReportFigure, Section
from graftline.stats import kaplan_meier
from graftline.stats.aalen_johansen import cumulative_incidence
from graftline.tables.plan_comparison import plan_comparison_table

_CURVES = (
    ("overall_survival", "Overall survival"),
    ("disease_free_survival", "Disease-free survival"),
    ("relapse", "Relapse"),
    ("non_relapse_mortality", "Non-relapse mortality"),
)
_SURVIVAL = ("overall_survival", "disease_free_survival")


def comparison_report(
    rows: pl.DataFrame,
    endpoints: pl.DataFrame,
    *,
    patients: int,
    seed: int,
    caveat: str,
    assumed: Sequence[str] = (),
    failures: Sequence[str] = (),
) -> Report:
    """The page: differences, then the curves behind them, then what the plans assume.

    Parameters
    ----------
    rows : DataFrame
        As `graftline.tables.plan_comparison.plan_differences` returns them.
    endpoints : DataFrame [plan, patient, endpoint, entry_days, time_days, status, cause]
    """
    plans = rows["plan"].unique(maintain_order=True).to_list()
    figures = [
        ReportFigure(
            "plan-differences",
            "Paired differences",
            f"Each plan against {plans[0]}, patient by patient.",
            draw_plan_differences(rows),
        )
    ]
    for endpoint, title in _CURVES:
        mine = endpoints.filter(pl.col("endpoint") == endpoint)
        if mine.height:
            figures.append(_curves(mine, plans, endpoint, title))
    text = (
        f"{patients:,} virtual patients of seed {seed} were treated by every plan: patient 17 has "
        "the same body, disease, measurement errors and luck under each.",
    )
    notes = (*(f"Assumed: {line}" for line in assumed), *(f"Left out: {line}" for line in failures))
    sections = (
        Section(
            "differences",
            "Differences",
            text,
            (plan_comparison_table(rows, patients=patients, caveat=caveat),),
            tuple(figures),
        ),
        *((Section("assumed", "What the plans assume", notes),) if notes else ()),
    )
    return Report(
        title="Plans compared on the same virtual patients",
        subtitle=", ".join(plans),
        simulated=True,
        facts=(("Virtual patients", f"{patients:,}"), ("Seed", str(seed))),
        warnings=(f"No patient was treated. {caveat}",),
        sections=sections,
    )


def _curves(rows: pl.DataFrame, plans: Sequence[str], endpoint: str, title: str) -> ReportFigure:
    """Curves of one endpoint, one per plan, from CAR-T infusion."""
    survival, incidence = [], []
    for plan in plans:
        mine = rows.filter(pl.col("plan") == plan).sort("patient")
        time, entry = mine["time_days"].to_numpy(), mine["entry_days"].to_numpy()
        status = mine["status"].to_numpy()
        if endpoint in _SURVIVAL:
            estimate = kaplan_meier(time, (status == 1).astype(int))
            survival.append(Curve(plan, estimate, time, entry))
        else:
            causes = range(1, max(1, int(status.max())) + 1)
            found = cumulative_incidence(time, status, causes=causes)
            incidence.append(CauseCurve(plan, found, time, entry))
    origin = "CAR-T"
    figure = (
        draw_survival(survival, title=title, origin=origin)
        if survival
        else draw_incidence(incidence, title=title, origin=origin)
    )
    caption = "From CAR-T infusion; intervals hold Monte Carlo error only."
    return ReportFigure(endpoint.replace("_", "-"), title, caption, figure)
