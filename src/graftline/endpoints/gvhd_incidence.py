"""Incidence of acute and chronic GVHD after HSCT, with what competes."""

import polars as pl

from graftline.endpoints.events import (
    Happenings,
    deaths,
    event_rows,
    graft_failures,
    later_grafts,
    relapses,
    without_records,
)
from graftline.endpoints.people import Answers, answers_to
from graftline.trial import Trial

COMPETING = ("death", "relapse", "second graft or DLI", "graft failure")
SEVERITIES = ("mild", "moderate", "severe")
_ACUTE = {
    "patient": pl.String(),
    "hsct_day": pl.Float64(),
    "grade": pl.Float64(),
    "timing": pl.String(),
    "source": pl.String(),
}
_CHRONIC = {
    "patient": pl.String(),
    "hsct_day": pl.Float64(),
    "severity": pl.String(),
    "systemic_treatment": pl.Boolean(),
    "source": pl.String(),
}


def _course(assessed: Answers, name: str, columns: dict[str, pl.DataType]) -> pl.DataFrame:
    """A course of the assessments in the columns read here; without rows where there is none."""
    course = assessed.details.get(name)
    if course is None:
        return pl.DataFrame(schema=columns)
    return course.select(pl.col(column).cast(dtype) for column, dtype in columns.items())


def acute_gvhd_from(people: pl.DataFrame, assessed: Answers, *, grade: int) -> pl.DataFrame:
    """First assessment of acute GVHD after HSPC of at least one grade, by the preferred source.

    Returns
    -------
    DataFrame [patient, at, assumed], ``at`` from the index infusion, null on an unknown day
    """
    chosen = answers_to(assessed, "acute_gvhd").select(
        "patient", "state", "source", "assumed", worst="value", worst_day="day"
    )
    grafts = people.select("patient", "hsct_day")
    course = _course(assessed, "acute_gvhd_course", _ACUTE)
    after = (pl.col("hsct_day") >= 0) | (
        pl.col("hsct_day").is_null() & (pl.col("timing") == "after HSPC")
    )
    seen = (
        course.filter(after & (pl.col("grade") >= grade))
        .join(chosen, on=["patient", "source"], how="inner", validate="m:1")
        .group_by("patient")
        .agg(
            at=pl.col("hsct_day").min(),
            undated=pl.col("hsct_day").is_null().any(),
            assumed=pl.col("assumed").any(),
        )
        .select("patient", "at", assumed=pl.col("assumed") | pl.col("undated"))
    )
    stated = (
        chosen.filter((pl.col("state") == "yes") & (pl.col("worst") >= grade))
        .join(seen, on="patient", how="anti")
        .select("patient", at="worst_day", assumed="assumed")
    )
    return (
        pl.concat([seen, stated])
        .join(grafts, on="patient", how="inner", validate="1:1")
        .select("patient", at=pl.col("at") + pl.col("hsct_day"), assumed="assumed")
    )


def acute_gvhd(people: pl.DataFrame, trial: Trial, assessed: Answers, *, grade: int) -> Happenings:
    """Acute GVHD of at least ``grade`` (1); death (2), relapse (3), DLI (4), graft failure (5).

    Relapse before HSCT is no competing event: the patient comes to HSCT at risk. Patients for whom
    nobody recorded GVHD are not evaluable.

    Parameters
    ----------
    people : DataFrame of ``people_of``
    trial : Trial
    assessed : Answers
        Rules ``acute_gvhd``, ``relapse``, ``graft_failure``; detail ``acute_gvhd_course``.
    grade : int
        Smallest grade that counts.

    Notes
    -----
    Source: Harris 2016 (grades), Iacobelli 2013 (competing events).
    """
    name = f"acute GVHD grade {grade}-4"
    return Happenings(
        pl.concat(
            [
                event_rows(acute_gvhd_from(people, assessed, grade=grade), status=1, cause=name),
                event_rows(deaths(people), status=2, cause=COMPETING[0]),
                event_rows(relapses(assessed), status=3, cause=COMPETING[1]),
                event_rows(later_grafts(trial), status=4, cause=COMPETING[2]),
                event_rows(graft_failures(people, assessed), status=5, cause=COMPETING[3]),
            ]
        ),
        without_records(people, assessed, "acute_gvhd"),
    )


def chronic_gvhd_from(
    people: pl.DataFrame, assessed: Answers, *, severities: tuple[str, ...] = SEVERITIES
) -> pl.DataFrame:
    """First assessment of chronic GVHD of the severities named, by the preferred source.

    Returns
    -------
    DataFrame [patient, at, severity, systemic_treatment, assumed], one row per assessment, ``at``
    from the index infusion, null on an unknown day
    """
    chosen = answers_to(assessed, "chronic_gvhd").select(
        "patient", "state", "source", "assumed", "label", worst_day="day"
    )
    course = (
        _course(assessed, "chronic_gvhd_course", _CHRONIC)
        .join(chosen, on=["patient", "source"], how="inner", validate="m:1")
        .filter(pl.col("severity").is_in(severities))
        .select("patient", "severity", "systemic_treatment", "assumed", at="hsct_day")
    )
    # an investigator may state chronic GVHD without its severity
    named = pl.col("label").is_in(severities)
    anyhow = ~pl.col("label").is_in(SEVERITIES).fill_null(value=False)
    stated = (
        chosen.filter(
            (pl.col("state") == "yes")
            & (named.fill_null(value=False) | (anyhow & pl.lit(value=severities == SEVERITIES)))
        )
        .join(course, on="patient", how="anti")
        .select(
            "patient",
            severity="label",
            systemic_treatment=pl.lit(None, pl.Boolean),
            assumed="assumed",
            at="worst_day",
        )
    )
    return (
        pl.concat([course, stated])
        .join(people.select("patient", "hsct_day"), on="patient", how="inner", validate="m:1")
        .select(
            "patient",
            "severity",
            "systemic_treatment",
            "assumed",
            at=pl.col("at") + pl.col("hsct_day"),
        )
    )


def chronic_gvhd(
    people: pl.DataFrame,
    trial: Trial,
    assessed: Answers,
    *,
    severities: tuple[str, ...] = SEVERITIES,
) -> Happenings:
    """Chronic GVHD of the severities named (1), against death (2) and relapse (3).

    Parameters
    ----------
    people : DataFrame of ``people_of``
    trial
        Not read: every endpoint is called alike.
    assessed : Answers
        Rules ``chronic_gvhd`` and ``relapse``; detail ``chronic_gvhd_course``.

    Notes
    -----
    Source: Jagasia 2015. Chronic GVHD has no time limit; patients who died or are followed for
    less than 100 days are at risk until then.
    """
    seen = chronic_gvhd_from(people, assessed, severities=severities)
    return Happenings(
        pl.concat(
            [
                event_rows(seen, status=1, cause="chronic GVHD"),
                event_rows(deaths(people), status=2, cause="death"),
                event_rows(relapses(assessed), status=3, cause="relapse"),
            ]
        ),
        without_records(people, assessed, "chronic_gvhd"),
    )
