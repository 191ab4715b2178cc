"""Relapse and progression, and CD7 on the blasts at baseline and at relapse."""

from typing import Final

import polars as pl

from graftline.assess.adjudicated import adjudicated_events
from graftline.assess.lugano import grade_lugano
from graftline.assess.population import infused_patients
from graftline.assess.response import (
    adjudicated_responses,
    first_remission,
    response_visits,
)
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.rules import Read, Rule
from graftline.trial import Trial

_READS = (
    Read("marrow"),
    Read("labs", "analyte", ("blood_blasts",)),
    Read("imaging"),
    Read("events", "event", ("relapse", "response")),
)
_RELAPSE_LABELS: Final = ("positive", "dim", "negative", "unknown")

RULES = (
    Rule(
        "relapse",
        "Relapse after CR, CRh or CRi",
        "After the first remission: marrow blasts of 5 % or more (above 5 % by NCCN 2022), blood "
        "blasts in two samples at least a week apart, or extramedullary disease. Day of the first "
        "of these; label: CD7 on the blasts then (positive from 80 %, negative under 20 %, dim "
        "between or at under 30 % of the intensity of normal T cells).",
        "dohner2022",
        _READS,
        parameters=("response",),
    ),
    Rule(
        "progression",
        "Progression without remission",
        "Before any remission: marrow blasts up by half over baseline, by 15 points or more where "
        "baseline is under 30 %, or progression on imaging.",
        "dohner2017",
        (Read("marrow"), Read("imaging"), Read("events", "event", ("progression",))),
    ),
)


def classify_cd7(
    frame: pl.DataFrame,
    *,
    positive_from_percent: float = 80.0,
    negative_below_percent: float = 20.0,
    dim_below_mfi_percent: float = 30.0,
) -> pl.DataFrame:
    """CD7 class of blasts: positive, dim, negative or unknown.

    Parameters
    ----------
    frame : DataFrame with ``cd7_percent_of_blasts`` and ``cd7_mfi_percent_of_normal_t``
        Share of blasts in percent; intensity in percent of normal T cells.

    Returns
    -------
    DataFrame : ``frame`` with ``cd7``

    Notes
    -----
    Hu 2024 gives no cut-off; these are graftline's, and parameters.
    """
    share, bright = pl.col("cd7_percent_of_blasts"), pl.col("cd7_mfi_percent_of_normal_t")
    faint = (bright < dim_below_mfi_percent).fill_null(value=False)
    return frame.with_columns(
        cd7=pl.when(share.is_null())
        .then(pl.lit("unknown"))
        .when(share < negative_below_percent)
        .then(pl.lit("negative"))
        .when((share < positive_from_percent) | faint)
        .then(pl.lit("dim"))
        .otherwise(pl.lit("positive"))
    )


def relapse_type(relapse: pl.Expr, baseline: pl.Expr) -> pl.Expr:
    """CD7-negative, CD7-dim, CD7-positive or unknown, from the classes at relapse and baseline.

    CD7-negative and CD7-dim need blasts that were positive at baseline: otherwise nothing was lost.
    """
    return (
        pl.when((relapse == "negative") & (baseline == "positive"))
        .then(pl.lit("CD7-negative"))
        .when((relapse == "dim") & (baseline == "positive"))
        .then(pl.lit("CD7-dim"))
        .when(relapse == "positive")
        .then(pl.lit("CD7-positive"))
        .otherwise(pl.lit("unknown"))
    )


def find_relapse(
    visits: pl.DataFrame,
    labs: pl.DataFrame,
    exams: pl.DataFrame,
    remissions: pl.DataFrame,
    *,
    blasts_percent: float = 5.0,
    strict: bool = False,
    blood_weeks_apart: float = 1.0,
) -> pl.DataFrame:
    """First sign of relapse after the first remission.

    Parameters
    ----------
    visits : DataFrame [patient, day, blasts_percent]
    labs : DataFrame of the schema's ``labs``
        Analyte ``blood_blasts``, in percent.
    exams : DataFrame [patient, day, disease_present]
    remissions : DataFrame [patient, remission_day]
    strict : bool
        Whether marrow blasts must exceed ``blasts_percent`` (NCCN) or reach it (ELN).

    Returns
    -------
    DataFrame [patient, day, site], one row per relapsed patient
        ``site`` is marrow, blood or extramedullary; on one day in that order.
    """
    blasts = pl.col("blasts_percent")
    marrow = visits.filter(blasts > blasts_percent if strict else blasts >= blasts_percent)
    blood = (
        labs.filter(
            (pl.col("analyte") == "blood_blasts")
            & (pl.col("value") > 0)
            & (pl.col("quantification").fill_null("quantified") != "below")
        )
        .join(remissions, on="patient", how="inner", validate="m:1")
        .filter(pl.col("day") > pl.col("remission_day"))
        .with_columns(last=pl.col("day").max().over("patient"))
        .filter(pl.col("last") - pl.col("day") >= 7 * blood_weeks_apart)
    )
    signs = pl.concat(
        [
            marrow.select("patient", "day", site=pl.lit("marrow"), _order=0),
            blood.select("patient", "day", site=pl.lit("blood"), _order=1),
            exams.filter(pl.col("disease_present")).select(
                "patient", "day", site=pl.lit("extramedullary"), _order=2
            ),
        ]
    )
    return (
        signs.join(remissions, on="patient", how="inner", validate="m:1")
        .filter(pl.col("day") > pl.col("remission_day"))
        .sort("patient", "day", "_order")
        .unique("patient", keep="first", maintain_order=True)
        .select("patient", "day", "site")
    )


def find_progression(
    visits: pl.DataFrame,
    remissions: pl.DataFrame,
    *,
    rise: float = 0.5,
    rise_points: float = 15.0,
    baseline_below_percent: float = 30.0,
) -> pl.DataFrame:
    """First visit with progression before any remission.

    Parameters
    ----------
    visits : DataFrame [patient, response_day, blasts_percent, baseline_blasts_percent, overall]
    remissions : DataFrame [patient, remission_day]
        Patients not in it never had a remission.

    Returns
    -------
    DataFrame [patient, day]
    """
    blasts, baseline = pl.col("blasts_percent"), pl.col("baseline_blasts_percent")
    grown = (blasts > (1 + rise) * baseline) & (
        (baseline >= baseline_below_percent) | (blasts - baseline >= rise_points)
    )
    progressed = grown.fill_null(value=False) | (pl.col("overall") == "PD").fill_null(value=False)
    return (
        visits.filter(progressed)
        .join(remissions, on="patient", how="left", validate="m:1")
        .filter(
            (pl.col("response_day") < pl.col("remission_day")).fill_null(value=True),
        )
        .group_by("patient")
        .agg(day=pl.col("response_day").min())
        .sort("patient")
    )


def cd7_classes(trial: Trial, relapses: pl.DataFrame, *, within_days: float = 14.0) -> pl.DataFrame:
    """CD7 class at baseline and at relapse, and the type of relapse.

    Parameters
    ----------
    relapses : DataFrame [patient, day]
    within_days : float
        Marrow (or blood, CSF) this far from the relapse speaks for it; the nearest.

    Returns
    -------
    DataFrame [patient, day, cd7_baseline, cd7_relapse, type], one row per relapse
    """
    samples = classify_cd7(trial["marrow"]).filter(pl.col("cd7") != "unknown").drop_nulls("day")
    first = (
        samples.filter(pl.col("day") <= 0)
        .sort("patient", "day")
        .group_by("patient", maintain_order=True)
        .agg(sampled=pl.col("cd7").last())
    )
    stated = classify_cd7(
        trial.patients.with_columns(cd7_mfi_percent_of_normal_t=pl.lit(None, pl.Float64))
    ).select("patient", stated="cd7")
    away = (pl.col("day_sample") - pl.col("day")).abs()
    near = (
        relapses.select("patient", "day")
        .join(
            samples.select("patient", day_sample="day", cd7_relapse="cd7"),
            on="patient",
            how="inner",
            validate="1:m",
        )
        .filter((away <= within_days) & (pl.col("day_sample") > 0))
        .sort("patient", away, "day_sample", "cd7_relapse")
        .unique("patient", keep="first", maintain_order=True)
        .select("patient", "cd7_relapse")
    )
    return (
        relapses.select("patient", "day")
        .join(near, on="patient", how="left", validate="1:1")
        .join(first, on="patient", how="left", validate="1:1")
        .join(stated, on="patient", how="left", validate="1:1")
        .with_columns(
            cd7_baseline=pl.coalesce("sampled", "stated", pl.lit("unknown")),
            cd7_relapse=pl.col("cd7_relapse").fill_null("unknown"),
        )
        .with_columns(type=relapse_type(pl.col("cd7_relapse"), pl.col("cd7_baseline")))
        .select("patient", "day", "cd7_baseline", "cd7_relapse", "type")
        .sort("patient")
    )


def _derived(
    infused: pl.DataFrame, found: pl.DataFrame, looked: pl.DataFrame, *, never: str
) -> pl.DataFrame:
    """Yes where found, no where somebody looked, else not evaluable.

    ``looked`` has [patient, looked]: true = assessed for it, false = never at risk of it (reason
    ``never``); a patient not in it has no records.
    """
    looked_at = pl.col("looked")
    return (
        infused.join(found, on="patient", how="left", validate="1:1")
        .join(looked, on="patient", how="left", validate="1:1")
        .with_columns(
            state=pl.when(pl.col("day").is_not_null())
            .then(pl.lit("yes"))
            .when(looked_at)
            .then(pl.lit("no"))
            .otherwise(pl.lit("not_evaluable")),
            reason=pl.when(pl.col("day").is_not_null() | looked_at.fill_null(value=False))
            .then(None)
            .when(looked_at.is_null())
            .then(pl.lit("no_records"))
            .otherwise(pl.lit(never)),
        )
    )


def _adjudicated(trial: Trial, event: str) -> pl.DataFrame:
    """First occurrence per patient; only rows of not occurred make a no."""
    rows = adjudicated_events(trial, [event])
    when = pl.col("occurred")
    first = rows.group_by("patient", maintain_order=True).agg(
        state=pl.when(when.any()).then(pl.lit("yes")).otherwise(pl.lit("no")),
        day=pl.col("day").filter(when).first(),
        label=pl.col("cd7").filter(when).first(),
        site=pl.col("site").filter(when).first(),
        flags=pl.when(pl.col("assumed").filter(when).is_not_null().any()).then(pl.lit("assumed")),
    )
    if event != "relapse":
        return first.with_columns(label=pl.lit(None, pl.String))
    return first.with_columns(
        label=pl.when(pl.col("state") == "yes").then(pl.col("label").fill_null("unknown"))
    )


def _remission_days(trial: Trial, visits: pl.DataFrame) -> pl.DataFrame:
    """Day of first remission: derived, else as the investigator states it."""
    called = adjudicated_responses(trial).with_columns(overall_reason=pl.lit(None, pl.String))
    mine = first_remission(visits).filter(pl.col("state") == "yes").select("patient", "day")
    theirs = first_remission(called).filter(pl.col("state") == "yes").select("patient", "day")
    return (
        pl.concat([mine, theirs.join(mine, on="patient", how="anti")])
        .drop_nulls("day")
        .rename({"day": "remission_day"})
    )


def _examinations(trial: Trial) -> pl.DataFrame:
    """Imaging and CSF, and whether they show disease outside marrow and blood."""
    imaging = grade_lugano(trial["imaging"]).select("patient", "day", "disease_present")
    csf = trial["marrow"].select(
        "patient",
        "day",
        disease_present=pl.any_horizontal(pl.col("csf_blasts"), pl.col("cns_signs")),
    )
    return pl.concat([imaging, csf]).drop_nulls()


def assess(trial: Trial) -> Assessed:
    """Relapse and progression of every infused patient, derived and adjudicated.

    Returns
    -------
    Assessed
        Results of ``RULES``; details ``relapse_types`` [patient, day, cd7_baseline, cd7_relapse,
        type, site, source].
    """
    visits = response_visits(trial)
    infused = infused_patients(trial)
    remissions = _remission_days(trial, visits)
    exams = _examinations(trial)
    found = find_relapse(
        visits,
        trial["labs"],
        exams,
        remissions,
        strict=trial.protocol.definitions.response == "nccn2022",
    )
    types = cd7_classes(trial, found).join(
        found.select("patient", "site"), on="patient", how="left", validate="1:1"
    )
    later = (
        visits.join(remissions, on="patient", how="left", validate="m:1")
        .filter(pl.col("overall").is_not_null() | pl.col("blasts_percent").is_not_null())
        .group_by("patient")
        .agg(looked=pl.col("remission_day").is_not_null().any())
    )
    stated = _adjudicated(trial, "relapse")
    progressed = find_progression(visits, remissions)
    assessed = later.with_columns(looked=pl.lit(value=True))
    results = [
        as_results(
            _derived(
                infused,
                types.select("patient", "day", label="cd7_relapse"),
                later,
                never="never_in_remission",
            ),
            rule="relapse",
        ),
        as_results(stated, rule="relapse", source="adjudicated"),
        as_results(_derived(infused, progressed, assessed, never=""), rule="progression"),
        as_results(_adjudicated(trial, "progression"), rule="progression", source="adjudicated"),
    ]
    theirs = _adjudicated_types(trial, stated)
    detail = pl.concat([types.with_columns(source=pl.lit("derived")), theirs])
    return Assessed(combine_results(results), {"relapse_types": detail.sort("patient", "source")})


def _adjudicated_types(trial: Trial, stated: pl.DataFrame) -> pl.DataFrame:
    """Type of the relapses that investigators called, with their CD7 where they state it."""
    relapses = stated.filter(pl.col("state") == "yes")
    sampled = cd7_classes(trial, relapses)
    both = sampled.join(
        relapses.select("patient", "label", "site"), on="patient", how="left", validate="1:1"
    ).with_columns(
        cd7_relapse=pl.when(pl.col("label") != "unknown").then("label").otherwise("cd7_relapse")
    )
    return both.with_columns(
        type=relapse_type(pl.col("cd7_relapse"), pl.col("cd7_baseline")),
        source=pl.lit("adjudicated"),
    ).select("patient", "day", "cd7_baseline", "cd7_relapse", "type", "site", "source")
