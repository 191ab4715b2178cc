"""Response of every marrow visit, best response, first remission, and day 28 after HSCT."""

from typing import Final

import polars as pl

from graftline.assess.adjudicated import adjudicated_events
from graftline.assess.answers import answer_everybody, join_flags
from graftline.assess.lugano import AS_RESPONSE, grade_lugano, response_rank, worse_response
from graftline.assess.population import infused_patients, transplanted_patients
from graftline.assess.response_classes import REMISSIONS, Adequacy, classify, classify_all
from graftline.assess.response_visits import response_findings
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.rules import Read, Rule
from graftline.trial import Trial, followup_ends, hsct_days, once_per_trial

RESPONDED: Final = (*REMISSIONS, "MLFS", "PR")
# which class of the marrow each definition uses; Lugano adds imaging to the marrow of NCCN
MARROW_PROFILE: Final = {
    "nejm2024": "nejm2024",
    "eln2022": "eln2022",
    "nccn2022": "nccn2022",
    "lugano2014": "nccn2022",
}
_READS = (
    Read("marrow"),
    Read("labs", "analyte", ("anc", "platelets", "blood_blasts")),
    Read("imaging"),
    Read("transfusions", "product", ("platelets",)),
    Read("patients"),
    Read("events", "event", ("response",)),
)

RULES = (
    Rule(
        "response",
        "Best response to CAR-T",
        "Best class of the visits after day 0 and up to HSCT (or to the end of follow-up without "
        "one), by the protocol's definition; day of the first visit of that class. Marrow with "
        "counts within 7 days; with extramedullary disease the worse of marrow and imaging. "
        "yes: CR, CRh, CRi, MLFS or PR.",
        "dohner2022",
        _READS,
        parameters=("response", "marrow_adequacy", "marrow_counts_within_days"),
    ),
    Rule(
        "remission",
        "First CR, CRh or CRi",
        "First visit after day 0, before or after HSCT, whose class is CR, CRh or CRi.",
        "dohner2022",
        _READS,
        parameters=("response", "marrow_adequacy", "marrow_counts_within_days"),
    ),
    Rule(
        "remission_day28_after_hsct",
        "Remission on day 28 after HSCT",
        "Class of the visit nearest to day 28 after HSCT, within 10 days. yes: CR, CRh or CRi.",
        "hu2024",
        _READS,
        origin="hspc",
        parameters=("response", "marrow_adequacy", "marrow_counts_within_days"),
    ),
)


def grade_response_visits(
    findings: pl.DataFrame, *, definition: str = "eln2022", marrow_adequacy: Adequacy = "all"
) -> pl.DataFrame:
    """Class of every visit under every profile, and the overall class by one definition.

    Parameters
    ----------
    findings : DataFrame of ``response_findings``
    definition : {"nejm2024", "eln2022", "nccn2022", "lugano2014"}
    marrow_adequacy : {"all", "mlfs_only"}

    Returns
    -------
    DataFrame : ``findings`` with ``nejm2024``, ``eln2022``, ``eln2022_literal``, ``nccn2022`` and
    their reasons, ``overall`` and ``overall_reason``
        ``overall`` is the worse of the marrow's class, extramedullary disease aside, and the class
        of the imaging; without a class of the imaging it is the profile's own class.
    """
    profile = MARROW_PROFILE[definition]
    visits = classify_all(findings, marrow_adequacy=marrow_adequacy)
    marrow_alone = classify(
        findings.with_columns(extramedullary=pl.lit(value=False)),
        profile,
        marrow_adequacy=marrow_adequacy,
    )
    visits = visits.with_columns(marrow_alone[profile].alias("_marrow"))
    overall = (
        pl.when(pl.col("lugano").is_null() | pl.col("extramedullary").is_null())
        .then(profile)
        .otherwise(worse_response(pl.col("_marrow"), pl.col("lugano")))
    )
    return visits.with_columns(
        overall=overall,
        overall_reason=pl.when(overall.is_null()).then(
            pl.coalesce(f"{profile}_reason", pl.lit("not_derivable"))
        ),
    ).drop("_marrow")


def _imaging_visits(
    exams: pl.DataFrame, visits: pl.DataFrame, patients: pl.DataFrame
) -> pl.DataFrame:
    """Examinations of patients without marrow visits and without marrow disease at baseline."""
    bare = patients.filter(pl.col("marrow_blasts_percent") < 5).join(
        visits, on="patient", how="anti"
    )
    seen = pl.col("lugano").replace_strict(AS_RESPONSE, default=None, return_dtype=pl.String)
    return (
        exams.filter(pl.col("day") > 0)
        .join(bare.select("patient"), on="patient", how="semi")
        .select(
            "patient",
            "day",
            "lugano",
            response_day="day",
            overall=seen,
            overall_reason=pl.when(seen.is_null()).then(pl.lit("not_derivable")),
            extramedullary="disease_present",
            flags=pl.lit("imaging only: no marrow disease at baseline"),
        )
    )


@once_per_trial
def response_visits(trial: Trial) -> pl.DataFrame:
    """Every response visit of a trial, graded.

    Returns
    -------
    DataFrame [patient, day, response_day, hsct_day, overall, overall_reason, nejm2024, eln2022,
    eln2022_literal, nccn2022, lugano, findings ..., flags], sorted by patient and day
        ``hsct_day`` is the visit's day counted from HSPC, null without HSCT.
    """
    settings = trial.protocol.definitions
    exams = grade_lugano(trial["imaging"])
    findings = response_findings(
        trial["marrow"],
        trial["labs"],
        trial.patients,
        exams,
        transfusions=trial["transfusions"],
        drugs=trial["drugs"],
        counts_within_days=settings.marrow_counts_within_days,
    )
    visits = grade_response_visits(
        findings, definition=settings.response, marrow_adequacy=settings.marrow_adequacy
    )
    visits = pl.concat(
        [visits, _imaging_visits(exams, visits, trial.patients)], how="diagonal_relaxed"
    )
    if settings.response in ("nccn2022", "lugano2014"):
        visits = _with_confirmation(visits, followup_ends(trial))
    grafts = hsct_days(trial).select("patient", "hsct_day")
    return (
        visits.join(grafts, on="patient", how="left", validate="m:1")
        .with_columns(hsct_day=pl.col("response_day") - pl.col("hsct_day"))
        .sort("patient", "response_day", "day")
    )


def _with_confirmation(
    visits: pl.DataFrame, ends: pl.DataFrame, *, confirmed_after_days: float = 28.0
) -> pl.DataFrame:
    """Flag remissions that no later visit and no four weeks of follow-up confirm (NCCN 2022)."""
    later = pl.col("response_day").shift(-1).over("patient").is_not_null()
    followed = pl.col("end_day") - pl.col("response_day") >= confirmed_after_days
    open_ = pl.col("overall").is_in(REMISSIONS) & ~later & ~followed.fill_null(value=False)
    said = pl.when(open_.fill_null(value=False)).then(pl.lit("unconfirmed"))
    return (
        visits.sort("patient", "response_day", "day")
        .join(ends.select("patient", "end_day"), on="patient", how="left", maintain_order="left")
        .with_columns(flags=join_flags([pl.col("flags"), said]))
        .drop("end_day")
    )


def adjudicated_responses(trial: Trial) -> pl.DataFrame:
    """Responses as investigators called them, with the day from HSPC.

    Returns
    -------
    DataFrame [patient, response_day, hsct_day, overall, flags, before_hsct]
        ``overall`` is the class at the start of the label (``CRi, MRD-negative`` is CRi); a
        response stated not to have occurred is NR. A day not stated leaves ``response_day`` null;
        ``before_hsct`` then follows ``timing``, else null.
    """
    rows = adjudicated_events(trial, ["response"])
    grafts = hsct_days(trial).select("patient", graft="hsct_day")
    label = (
        pl.col("label")
        .str.strip_chars()
        .str.extract(r"(?i)^(CRh|CRi|CR|CMR|MLFS|PR|PMR|NR|NMR|SD|PD|PMD)\b", 1)
        .str.to_lowercase()
        .replace_strict(
            {"crh": "CRh", "cri": "CRi", "mlfs": "MLFS"}
            | {word.lower(): word for word in ("CR", "PR", "NR", "PD")}
            | {"cmr": "CR", "pmr": "PR", "nmr": "NR", "sd": "NR", "pmd": "PD"},
            default=None,
            return_dtype=pl.String,
        )
    )
    by_timing = pl.col("timing").replace_strict(
        {"before HSPC": True, "after HSPC": False}, default=None, return_dtype=pl.Boolean
    )
    return (
        rows.join(grafts, on="patient", how="left", validate="m:1")
        .select(
            "patient",
            response_day="day",
            hsct_day=pl.col("day") - pl.col("graft"),
            overall=pl.when("occurred").then(label).otherwise(pl.lit("NR")),
            flags=pl.when(pl.col("assumed").is_not_null()).then(pl.lit("assumed")),
            before_hsct=pl.coalesce(
                pl.when(pl.col("graft").is_null()).then(pl.lit(value=True)),
                pl.col("day") <= pl.col("graft"),
                by_timing,
            ),
        )
        .drop_nulls("overall")
        .sort("patient", "response_day", nulls_last=True)
    )


def best_response(visits: pl.DataFrame) -> pl.DataFrame:
    """Best class per patient and the first day of it.

    Parameters
    ----------
    visits : DataFrame [patient, response_day, overall, overall_reason, flags]

    Returns
    -------
    DataFrame [patient, state, label, day, flags, reason]
        ``not_evaluable`` with the reason of the last visit where no visit has a class.
    """
    best = (
        visits.with_columns(_rank=response_rank(pl.col("overall")))
        .sort("patient", "_rank", "response_day", nulls_last=True)
        .group_by("patient", maintain_order=True)
        .agg(
            label=pl.col("overall").first(),
            day=pl.col("response_day").first(),
            flags=pl.col("flags").first(),
            reason=pl.col("overall_reason").last(),
        )
    )
    return best.with_columns(
        state=pl.when(pl.col("label").is_null())
        .then(pl.lit("not_evaluable"))
        .when(pl.col("label").is_in(RESPONDED))
        .then(pl.lit("yes"))
        .otherwise(pl.lit("no")),
        day=pl.when(pl.col("label").is_not_null()).then("day"),
        reason=pl.when(pl.col("label").is_null()).then("reason"),
    )


def first_remission(visits: pl.DataFrame) -> pl.DataFrame:
    """First visit in CR, CRh or CRi per patient.

    Parameters
    ----------
    visits : DataFrame [patient, response_day, overall, overall_reason, flags]

    Returns
    -------
    DataFrame [patient, state, label, day, flags, reason]
        Without one, ``no`` only where every visit has a class; a visit that could not be classed
        may have been the remission and makes the patient not evaluable.
    """
    in_remission = pl.col("overall").is_in(REMISSIONS).fill_null(value=False)
    # MLFS stands for a remission whose counts are missing where the profile has it at all
    unclear = pl.col("overall").is_null() | (pl.col("overall") == "MLFS")
    first = (
        visits.with_columns(_in=in_remission, _unclear=unclear)
        .sort("patient", "response_day", nulls_last=True)
        .group_by("patient", maintain_order=True)
        .agg(
            label=pl.col("overall").filter(pl.col("_in")).first(),
            day=pl.col("response_day").filter(pl.col("_in")).first(),
            flags=pl.col("flags").filter(pl.col("_in")).first(),
            unclear=pl.col("_unclear").any(),
            why=pl.col("overall_reason").drop_nulls().first(),
        )
    )
    return first.select(
        "patient",
        "label",
        "day",
        "flags",
        state=pl.when(pl.col("label").is_not_null())
        .then(pl.lit("yes"))
        .when("unclear")
        .then(pl.lit("not_evaluable"))
        .otherwise(pl.lit("no")),
        reason=pl.when(pl.col("label").is_null() & pl.col("unclear")).then(
            pl.coalesce("why", pl.lit("no_counts"))
        ),
    )


def remission_at(
    visits: pl.DataFrame, *, day: float = 28.0, within_days: float = 10.0
) -> pl.DataFrame:
    """Class of the visit nearest to a day after HSCT; at equal distance the earlier.

    Parameters
    ----------
    visits : DataFrame [patient, hsct_day, overall, overall_reason, flags]

    Returns
    -------
    DataFrame [patient, state, label, day, flags, reason], ``day`` from HSPC
    """
    away = (pl.col("hsct_day") - day).abs()
    near = (
        visits.filter((away <= within_days) & (pl.col("hsct_day") > 0))
        .sort("patient", away, "hsct_day")
        .unique("patient", keep="first", maintain_order=True)
    )
    label = pl.col("overall")
    return near.select(
        "patient",
        label=label,
        day="hsct_day",
        flags="flags",
        state=pl.when(label.is_null())
        .then(pl.lit("not_evaluable"))
        .when(label.is_in(REMISSIONS))
        .then(pl.lit("yes"))
        .otherwise(pl.lit("no")),
        reason=pl.when(label.is_null()).then("overall_reason"),
    )


def _absent_at(frame: pl.DataFrame, ends: pl.DataFrame, *, day: float) -> pl.DataFrame:
    """Say why nobody looked: died before, or not yet so far."""
    joined = frame.join(ends, on="patient", how="left", validate="1:1")
    none, reached = pl.col("reason") == "no_records", pl.col("end_hsct_day") >= day
    early = none & ~reached.fill_null(value=False)
    died = early & pl.col("dead").fill_null(value=False)
    return joined.with_columns(
        state=pl.when(early & ~died & pl.col("end_hsct_day").is_not_null())
        .then(pl.lit("not_yet_evaluable"))
        .otherwise("state"),
        until=pl.when(early & ~died & pl.col("end_hsct_day").is_not_null()).then(pl.lit(day)),
        reason=pl.when(died)
        .then(pl.lit("died_before"))
        .when(early & pl.col("end_hsct_day").is_not_null())
        .then(pl.lit("follow_up_too_short"))
        .otherwise("reason"),
    ).drop("dead", "end_hsct_day")


def assess(trial: Trial) -> Assessed:
    """Response of every infused patient, derived and adjudicated.

    Returns
    -------
    Assessed
        Results of ``RULES``; details ``response_visits``.
    """
    visits = response_visits(trial)
    called = adjudicated_responses(trial).with_columns(overall_reason=pl.lit(None, pl.String))
    infused, grafted = infused_patients(trial), transplanted_patients(trial).select("patient")
    if trial.protocol.index_infusion == "hspc":
        before, called_before = visits, called
    else:
        before = visits.filter((pl.col("hsct_day") <= 0).fill_null(value=True))
        called_before = called.filter("before_hsct")
    ends = (
        followup_ends(trial)
        .join(hsct_days(trial).select("patient", "hsct_day"), on="patient", validate="1:1")
        .select("patient", "dead", end_hsct_day=pl.col("end_day") - pl.col("hsct_day"))
    )
    late = remission_at(visits.drop_nulls("hsct_day"))
    results = [
        as_results(answer_everybody(infused, best_response(before)), rule="response"),
        as_results(best_response(called_before), rule="response", source="adjudicated"),
        as_results(answer_everybody(infused, first_remission(visits)), rule="remission"),
        as_results(first_remission(called), rule="remission", source="adjudicated"),
        as_results(
            _absent_at(answer_everybody(grafted, late), ends, day=28.0),
            rule="remission_day28_after_hsct",
        ),
        as_results(remission_at(called), rule="remission_day28_after_hsct", source="adjudicated"),
    ]
    return Assessed(combine_results(results), {"response_visits": visits})
