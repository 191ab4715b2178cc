"""Table 1: who the patients were, by how far they came."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from graftline.tables.format import DAYS_PER_MONTH
from graftline.tables.layout import statistics_table
from graftline.tables.statistics import count_rows, join_statistics, levels_of, spread_row
from graftline.tables.value import ReportTable
from graftline.trial import Trial

STATUSES = ("screened", "enrolled", "manufactured", "infused", "transplanted")
_ENROLLED_LATE = ("screened", "manufactured", "infused", "enrolled", "transplanted")


@dataclass(frozen=True, slots=True)
class BaselineLine:
    """One characteristic: its column, how it is summarised, and its heading."""

    column: str
    label: str
    kind: Literal["number", "class", "flag"]
    group: str
    unit: str | None = None
    digits: int = 1
    scale: float = 1.0


PATIENT_LINES = (
    BaselineLine("age_years", "Age", "number", "Patient", "years"),
    BaselineLine("sex", "Sex", "class", "Patient"),
    BaselineLine("weight_kg", "Weight", "number", "Patient", "kg"),
    BaselineLine("ecog", "ECOG performance status", "class", "Patient"),
    BaselineLine("hct_ci", "HCT comorbidity index", "number", "Patient", None, 0),
    BaselineLine("cmv_serostatus", "CMV serostatus", "class", "Patient"),
    BaselineLine("disease", "Disease", "class", "Disease"),
    BaselineLine("risk_group", "Risk group", "class", "Disease"),
    BaselineLine("diagnosis_months", "Diagnosis to first infusion", "number", "Disease", "months"),
    BaselineLine("marrow_blasts_percent", "Marrow blasts", "number", "Disease", "%"),
    BaselineLine("cd7_percent_of_blasts", "CD7 on blasts", "number", "Disease", "%"),
    BaselineLine("extramedullary_disease", "Extramedullary disease", "flag", "Disease"),
    BaselineLine("prior_lines", "Earlier courses of therapy", "number", "Earlier therapy", None, 1),
    BaselineLine("prior_allo_hsct", "Earlier allogeneic HSCT", "flag", "Earlier therapy"),
    BaselineLine("prior_car_t", "Earlier CAR-T", "flag", "Earlier therapy"),
    BaselineLine("prior_etoposide", "Earlier etoposide", "flag", "Earlier therapy"),
)
DONOR_LINES = (
    BaselineLine("relation", "Relation", "class", "HSPC donor"),
    BaselineLine("donor_age_years", "Age", "number", "HSPC donor", "years"),
    BaselineLine("donor_sex", "Sex", "class", "HSPC donor"),
    BaselineLine("hla_match_of_10", "HLA alleles matched of ten", "class", "HSPC donor"),
    BaselineLine("donor_cmv", "CMV serostatus", "class", "HSPC donor"),
)


def baseline_frame(trial: Trial) -> pl.DataFrame:
    """One row per patient: baseline, and the donor of the HSPC.

    Returns
    -------
    DataFrame
        Columns of ``patients`` plus diagnosis_months, relation, donor_age_years, donor_sex,
        hla_match_of_10, donor_cmv.
    """
    donors = (
        trial["donors"]
        .filter(pl.col("role") == "hspc")
        .sort("patient", "row")
        .group_by("patient", maintain_order=True)
        .agg(
            relation=pl.col("relation").first(),
            donor_age_years=pl.col("age_years").first(),
            donor_sex=pl.col("sex").first(),
            hla_match_of_10=pl.col("hla_match_of_10").first(),
            donor_cmv=pl.col("cmv_serostatus").first(),
        )
    )
    return (
        trial.patients.with_columns(diagnosis_months=-pl.col("diagnosis_day") / DAYS_PER_MONTH)
        .join(donors, on="patient", how="left", validate="1:1")
        .sort("patient")
    )


def status_order(trial: Trial) -> tuple[str, ...]:
    """Statuses in the order in which the patients of a trial came to them.

    Enrolment follows infusion where the protocol takes those who reached HSCT and every recorded
    day of enrolment is after CAR-T: then who was infused and went no further was never enrolled.
    """
    days = trial.patients["enrolled_day"].drop_nulls()
    late = days.len() > 0 and bool((days > 0).all())
    return _ENROLLED_LATE if late and trial.protocol.selection == "reached_hsct" else STATUSES


def populations(
    patients: pl.DataFrame, order: Sequence[str] = STATUSES
) -> list[tuple[str, pl.DataFrame]]:
    """Enrolled, infused and transplanted patients; equal sets share one column.

    Parameters
    ----------
    patients : DataFrame with ``status``
    order : sequence of str
        Statuses as ``status_order`` gives them.
    """
    found: list[tuple[list[str], pl.DataFrame]] = []
    for name in (status for status in order if status not in ("screened", "manufactured")):
        reached = order[order.index(name) :]
        chosen = patients.filter(pl.col("status").is_in(reached))
        if found and chosen.height == found[-1][1].height:
            found[-1][0].append(name)
        elif chosen.height:
            found.append(([name], chosen))
    named = [(f"{', '.join(n).capitalize()}, N = {f.height}", f) for n, f in found]
    return named or [(f"All, N = {patients.height}", patients)]


def describe_baseline(
    frame: pl.DataFrame,
    lines: Sequence[BaselineLine],
    *,
    everybody: pl.DataFrame | None = None,
    population: str = "All",
) -> pl.DataFrame:
    """Statistics of baseline characteristics; each keeps its missing count.

    Classes are those found in ``everybody`` (default: ``frame``), so that columns for smaller
    populations print 0 for a class that only others have.
    """
    everybody = frame if everybody is None else everybody
    rows = []
    for line in lines:
        values = frame[line.column]
        if line.kind == "number":
            rows.append(
                spread_row(
                    values / line.scale,
                    group=line.group,
                    label=line.label,
                    unit=line.unit,
                    digits=line.digits,
                    population=population,
                )
            )
        elif line.kind == "flag":
            rows.append(
                count_rows(values, [(True, line.label)], group=line.group, population=population)
            )
        else:
            levels = [
                (level, f"{line.label}: {text}")
                for level, text in _class_levels(everybody[line.column])
            ]
            # nobody has a class: one line carries the missing count
            levels = levels or [("", line.label)]
            rows.append(count_rows(values, levels, group=line.group, population=population))
    return join_statistics(rows)


def baseline_table(trial: Trial) -> ReportTable:
    """Table 1, with a column per population."""
    frame = baseline_frame(trial)
    lines = [*PATIENT_LINES, *(DONOR_LINES if "donors" in trial.present else ())]
    statistics = join_statistics(
        describe_baseline(chosen, lines, everybody=frame, population=name)
        for name, chosen in populations(frame, status_order(trial))
    )
    return statistics_table("baseline", "Baseline characteristics", statistics)


def _class_levels(values: pl.Series) -> list[tuple[object, str]]:
    if values.dtype.is_integer():
        return [(level, str(level)) for level in values.drop_nulls().unique().sort()]
    return levels_of(values)
