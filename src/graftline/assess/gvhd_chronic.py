"""Chronic GVHD by NIH 2014: organ scores, global severity, who can be judged."""

from typing import Literal

import polars as pl

from graftline.assess.adjudicated import adjudicated_events
from graftline.assess.answers import answer_everybody, join_flags
from graftline.assess.cell_counts import worst_of_day
from graftline.assess.population import transplanted_patients
from graftline.assess.printed import printed_criteria
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.rules import Read, Rule
from graftline.trial import Trial, followup_ends

_PRINTED = printed_criteria("chronic_gvhd")
_SCORED = ("mouth", "eyes", "gi", "liver", "lungs", "joints", "genital")
ORGANS = ("skin", *_SCORED)
SEVERITIES = ("none", "mild", "moderate", "severe")
Evaluable = Literal["alive_100_days", "nejm2024"]

RULES: tuple[Rule, ...] = (
    Rule(
        id="chronic_gvhd",
        title="Chronic GVHD, worst NIH severity",
        words=(
            " | ".join(f"{name}: {_PRINTED['global'][name]}" for name in SEVERITIES)
            + ". Signs before day 100 count if diagnostic. FEV1 goes before lung symptoms. "
            "Evaluable: alive 100 days after HSPC; profile nejm2024 also asks for a donor graft."
        ),
        citation="jagasia2015",
        reads=(
            Read("gvhd"),
            Read("labs", "analyte", ("bilirubin", "alt", "alkaline_phosphatase")),
            Read("chimerism"),
            Read("events", "event", ("chronic_gvhd", "chimerism", "graft_failure", "relapse")),
            Read("followup"),
        ),
        origin="hspc",
        parameters=("evaluable", "evaluable_from_hsct_day", "autologous_below_percent"),
    ),
)


def score_chronic_organs(
    gvhd: pl.DataFrame, labs: pl.DataFrame, *, use_labs: bool = True
) -> pl.DataFrame:
    """NIH 2014 scores 0 to 3 of the eight organs for every assessment that looked for signs.

    Parameters
    ----------
    gvhd, labs : DataFrame
        Tables of the trial. The liver is scored from labs of the same day where the assessment
        has no liver score.
    use_labs : bool
        False: only recorded liver scores.

    Returns
    -------
    DataFrame [patient, day, sign, skin, mouth, eyes, gi, liver, lungs, joints, genital,
    systemic_treatment]
        Score null where nothing is recorded; 0 where the organ's finding is not GVHD.
        Worst of each calendar day.
    """
    rows = gvhd.with_columns(day=pl.col("day").floor()).filter(
        pl.any_horizontal(
            pl.col("chronic_sign").is_not_null(),
            *(pl.col(f"chronic_{organ}_score").is_not_null() for organ in _SCORED),
        )
    )
    rows = (
        rows.join(_liver_labs(labs), on=["patient", "day"], how="left", validate="m:1")
        if use_labs
        else rows.with_columns(lab_liver=pl.lit(None, dtype=pl.Int64))
    )
    rank = {"none": 0, "distinctive": 1, "distinctive_confirmed": 2, "diagnostic": 3}
    scores = {organ: pl.col(f"chronic_{organ}_score") for organ in _SCORED}
    scores["liver"] = pl.coalesce("chronic_liver_score", "lab_liver")
    scores["lungs"] = pl.coalesce(lung_score(pl.col("fev1_percent")), "chronic_lungs_score")
    scores["skin"] = skin_score(pl.col("chronic_skin_bsa_percent"), pl.col("chronic_sclerosis"))
    for organ in ("skin", "liver", "gi"):
        scores[organ] = pl.when(pl.col(f"{organ}_is_gvhd") == "no").then(0).otherwise(scores[organ])
    return (
        rows.group_by("patient", "day")
        .agg(
            sign=pl.col("chronic_sign").replace_strict(rank, return_dtype=pl.Int64).max(),
            **{organ: scores[organ].max() for organ in ORGANS},
            systemic_treatment=pl.col("systemic_treatment").max(),
        )
        .with_columns(
            sign=pl.col("sign").replace_strict(
                {number: word for word, number in rank.items()}, return_dtype=pl.String
            )
        )
        .sort("patient", "day")
    )


def skin_score(area_percent: pl.Expr, sclerosis: pl.Expr) -> pl.Expr:
    """Worse of body surface (1-18 %: 1, 19-50 %: 2, > 50 %: 3) and sclerosis; gaps continuous."""
    first, second, third = _PRINTED["skin"]["above_percent"]
    by_area = (
        pl.when(area_percent > third)
        .then(3)
        .when(area_percent > second)
        .then(2)
        .when(area_percent > first)
        .then(1)
        .when(area_percent.is_not_null())
        .then(0)
    )
    by_sclerosis = sclerosis.replace_strict(
        _PRINTED["skin"]["sclerosis"], default=None, return_dtype=pl.Int64
    )
    return pl.max_horizontal(by_area.cast(pl.Int64), by_sclerosis)


def lung_score(fev1_percent: pl.Expr) -> pl.Expr:
    """0 from 80 % of predicted, 1 from 60, 2 from 40, else 3; null without a test."""
    first, second, third = _PRINTED["lungs"]["fev1_below"]
    return (
        pl.when(fev1_percent >= first)
        .then(0)
        .when(fev1_percent >= second)
        .then(1)
        .when(fev1_percent >= third)
        .then(2)
        .when(fev1_percent.is_not_null())
        .then(3)
        .cast(pl.Int64)
    )


def liver_score(
    bilirubin: pl.Expr, bilirubin_uln: pl.Expr, alt_x_uln: pl.Expr, alp_x_uln: pl.Expr
) -> pl.Expr:
    """NIH liver score from bilirubin (mg/dL) and enzymes in multiples of the upper normal limit."""
    printed = _PRINTED["liver"]
    enzyme = printed["enzyme_from_x_uln"]
    return (
        pl.when(bilirubin.round(9) > printed["bilirubin_above_mg_per_dl"])
        .then(3)
        .when(
            (bilirubin.round(9) > bilirubin_uln.round(9))
            | (alt_x_uln.round(9) > printed["alt_above_x_uln"])
        )
        .then(2)
        .when((alt_x_uln.round(9) >= enzyme) | (alp_x_uln.round(9) >= enzyme))
        .then(1)
        .when(bilirubin.is_not_null() & bilirubin_uln.is_not_null() & alt_x_uln.is_not_null())
        .then(0)
        .cast(pl.Int64)
    )


def _liver_labs(labs: pl.DataFrame) -> pl.DataFrame:
    """Liver score of each day with liver values: patient, day, lab_liver."""
    limits = (
        labs.filter(pl.col("analyte").is_in(["bilirubin", "alt", "alkaline_phosphatase"]))
        .group_by("patient", pl.col("day").floor(), "analyte")
        .agg(uln=pl.col("upper_normal").drop_nulls().max())
    )
    days = pl.concat(
        [
            worst_of_day(labs, analyte, worst="highest")
            .select("patient", "day", "value", analyte=pl.lit(analyte))
            .join(limits, on=["patient", "day", "analyte"], how="left", validate="1:1")
            for analyte in ("bilirubin", "alt", "alkaline_phosphatase")
        ]
    )

    def of(column: str, analyte: str) -> pl.Expr:
        return pl.col(column).filter(pl.col("analyte") == analyte).first()

    wide = days.group_by("patient", "day").agg(
        bilirubin=of("value", "bilirubin"),
        uln=of("uln", "bilirubin"),
        alt=of("value", "alt") / of("uln", "alt"),
        alp=of("value", "alkaline_phosphatase") / of("uln", "alkaline_phosphatase"),
    )
    score = liver_score(pl.col("bilirubin"), pl.col("uln"), pl.col("alt"), pl.col("alp"))
    return wide.select("patient", "day", lab_liver=score)


def with_global_severity(scores: pl.DataFrame) -> pl.DataFrame:
    """Add ``severity`` (none, mild, moderate, severe) and ``lower_bound`` to organ scores.

    ``severity`` is null where no sign was looked for, or a sign was seen but no organ scored;
    ``lower_bound`` where an organ without a score could raise it. Jagasia (2015), global rule.
    """
    others = [organ for organ in ORGANS if organ != "lungs"]
    known = [pl.col(organ).fill_null(0) for organ in others]
    lungs = pl.col("lungs").fill_null(0)
    worst = pl.max_horizontal(known)
    involved = pl.sum_horizontal((score >= 1).cast(pl.Int64) for score in known)
    graded = (
        pl.when((worst == 3) | (lungs >= 2))
        .then(pl.lit("severe"))
        .when((worst == 2) | (involved >= 3) | (lungs == 1))
        .then(pl.lit("moderate"))
        .otherwise(pl.lit("mild"))
    )
    confirmed = pl.col("sign").is_in(["diagnostic", "distinctive_confirmed"])
    unscored = pl.any_horizontal(pl.col(organ).is_null() for organ in ORGANS)
    return scores.with_columns(
        severity=pl.when(confirmed).then(graded).when(~confirmed).then(pl.lit("none"))
    ).with_columns(
        lower_bound=(confirmed & unscored & (pl.col("severity") != "severe")).fill_null(value=False)
    )


def chronic_gvhd_course(trial: Trial) -> pl.DataFrame:
    """Every chronic GVHD assessment after HSPC, derived and adjudicated.

    Returns
    -------
    DataFrame [patient, day, hsct_day, severity, systemic_treatment, source, lower_bound, sign,
    assumed], sorted by patient and day
    """
    derived = with_global_severity(score_chronic_organs(trial["gvhd"], trial["labs"])).select(
        "patient",
        "day",
        "severity",
        "systemic_treatment",
        "lower_bound",
        "sign",
        source=pl.lit("derived"),
    )
    adjudicated = (
        adjudicated_events(trial, ["chronic_gvhd"])
        .filter("occurred")
        .select(
            "patient",
            "day",
            "assumed",
            severity=pl.col("label").str.to_lowercase(),
            lower_bound=~pl.col("label")
            .str.to_lowercase()
            .is_in(SEVERITIES)
            .fill_null(value=False),
            source=pl.lit("adjudicated"),
        )
    )
    grafts = transplanted_patients(trial).select("patient", hspc="hsct_day")
    return (
        pl.concat([derived, adjudicated], how="diagonal")
        .join(grafts, on="patient", how="inner", validate="m:1")
        .with_columns(hsct_day=pl.col("day") - pl.col("hspc"))
        .filter((pl.col("hsct_day") > 0).fill_null(value=True))
        .select(
            "patient",
            "day",
            "hsct_day",
            "severity",
            "systemic_treatment",
            "source",
            "lower_bound",
            "sign",
            "assumed",
        )
        .sort("patient", "day", "source", "severity", nulls_last=True)
    )


def chronic_gvhd_evaluable(
    trial: Trial,
    *,
    evaluable: Evaluable | None = None,
    evaluable_from_hsct_day: float = 100,
    autologous_below_percent: float = 5,
) -> pl.DataFrame:
    """Who can be judged for chronic GVHD.

    Parameters
    ----------
    evaluable : {"alive_100_days", "nejm2024"}, optional
        Default: the protocol's ``chronic_gvhd_evaluable``. The second also asks for a donor graft.
    autologous_below_percent : float
        Donor share below which the graft counts as lost to the patient's own cells.

    Returns
    -------
    DataFrame [patient, state, reason, until]
        One row per transplanted patient; ``state`` null where evaluable.
    """
    evaluable = evaluable or trial.protocol.definitions.chronic_gvhd_evaluable
    ends = followup_ends(trial).select("patient", "end_day", "dead")
    grafts = transplanted_patients(trial).join(ends, on="patient", how="left", validate="1:1")
    grafts = grafts.with_columns(
        reached=pl.col("end_day") - pl.col("hsct_day") >= evaluable_from_hsct_day,
        own=pl.lit(value=False),
    )
    if evaluable == "nejm2024":
        own = _own_recovery(trial, below_percent=autologous_below_percent)
        grafts = grafts.with_columns(own=pl.col("patient").is_in(own["patient"].implode()))
    return grafts.select(
        "patient",
        state=pl.when("own")
        .then(pl.lit("not_evaluable"))
        .when("reached")
        .then(pl.lit(None, dtype=pl.String))
        .when(pl.col("dead") | pl.col("end_day").is_null())
        .then(pl.lit("not_evaluable"))
        .otherwise(pl.lit("not_yet_evaluable")),
        reason=pl.when("own")
        .then(pl.lit("autologous_recovery"))
        .when(~pl.col("reached") & pl.col("dead"))
        .then(pl.lit("died_before"))
        .when(pl.col("reached").is_null())
        .then(pl.lit("no_records")),
        until=pl.when(~pl.col("own") & ~pl.col("reached") & ~pl.col("dead")).then(
            float(evaluable_from_hsct_day)
        ),
    )


def _own_recovery(trial: Trial, *, below_percent: float) -> pl.DataFrame:
    """Patients with autologous recovery: adjudicated, or donor share lost before any relapse."""
    stated = (
        adjudicated_events(trial, ["chimerism", "graft_failure"])
        .filter(pl.col("occurred") & (pl.col("label").str.to_lowercase() == "autologous recovery"))
        .select("patient")
    )
    relapses = (
        adjudicated_events(trial, ["relapse"])
        .filter("occurred")
        .group_by("patient")
        .agg(relapse_day=pl.col("day").min())
    )
    middle = (pl.col("day_low") + pl.col("day_high")) / 2
    measured = (
        trial["chimerism"]
        .filter(pl.col("lineage").is_in(["unsorted", "cd33", "cd15"]))
        .with_columns(at=pl.coalesce("day", middle))
        .join(transplanted_patients(trial), on="patient", how="inner", validate="m:1")
        .join(relapses, on="patient", how="left", validate="m:1")
        .filter(
            (pl.col("at") > pl.col("hsct_day"))
            & (pl.col("at") < pl.col("relapse_day")).fill_null(value=True)
        )
        .group_by("patient", "at")
        .agg(donor=pl.col("donor_percent").max())
        .sort("patient", "at")
        .group_by("patient", maintain_order=True)
        .agg(donor=pl.col("donor").last())
        .filter(pl.col("donor") < below_percent)
        .select("patient")
    )
    return pl.concat([stated, measured]).unique().sort("patient")


def assess(trial: Trial, *, evaluable_from_hsct_day: float = 100) -> Assessed:
    """Worst chronic GVHD per transplanted patient, derived and adjudicated.

    Returns
    -------
    Assessed
        ``label`` = worst severity, ``day`` = first sign that counts, from HSPC.
        ``details["chronic_gvhd_course"]``: [patient, day, hsct_day, severity, systemic_treatment,
        source, lower_bound].
    """
    course = chronic_gvhd_course(trial)
    population = transplanted_patients(trial)
    judged = chronic_gvhd_evaluable(trial, evaluable_from_hsct_day=evaluable_from_hsct_day)
    results = []
    for source in ("derived", "adjudicated"):
        rows = course.filter(pl.col("source") == source)
        answers = _worst(rows, from_hsct_day=evaluable_from_hsct_day)
        if source == "adjudicated":
            answers = pl.concat([answers, _denied(trial, population, answers)], how="diagonal")
        gated = _gated(population, answers, judged)
        if source == "adjudicated":
            gated = gated.join(answers, on="patient", how="semi")
        results.append(as_results(gated, rule="chronic_gvhd", source=source))
    columns = (
        "patient",
        "day",
        "hsct_day",
        "severity",
        "systemic_treatment",
        "source",
        "lower_bound",
    )
    return Assessed(combine_results(results), {"chronic_gvhd_course": course.select(columns)})


def _worst(rows: pl.DataFrame, *, from_hsct_day: float) -> pl.DataFrame:
    """Worst severity and first day of a sign that counts; before day 100 only diagnostic signs."""
    early = (pl.col("hsct_day") < from_hsct_day) & (pl.col("source") == "derived")
    counts = ~early.fill_null(value=False) | (pl.col("sign") == "diagnostic").fill_null(value=False)
    severity = pl.when((pl.col("severity") != "none").fill_null(value=True)).then("severity")
    rank = severity.replace_strict(
        {name: number for number, name in enumerate(SEVERITIES)},
        default=None,
        return_dtype=pl.Int64,
    )
    happened = counts & (
        (pl.col("severity") != "none") | (pl.col("source") == "adjudicated")
    ).fill_null(value=False)
    worst = (
        rows.sort("patient", "day", nulls_last=True)
        .group_by("patient", maintain_order=True)
        .agg(
            happened=happened.any(),
            rank=rank.filter(happened).max(),
            day=pl.col("hsct_day").filter(happened).min(),
            lower_bound=pl.col("lower_bound").filter(happened).any(),
            looked=((pl.col("severity") == "none") & ~early).fill_null(value=False).any(),
            treated=pl.col("systemic_treatment").filter(happened).any(),
            assumed=pl.col("assumed").is_not_null().any(),
        )
    )
    names = dict(enumerate(SEVERITIES))
    return worst.select(
        "patient",
        "day",
        state=pl.when("happened")
        .then(pl.lit("yes"))
        .when("looked")
        .then(pl.lit("no"))
        .otherwise(pl.lit("not_evaluable")),
        reason=pl.when(~pl.col("happened") & ~pl.col("looked")).then(
            pl.lit("not_assessed_after_day_100")
        ),
        label=pl.when("happened")
        .then(pl.col("rank").replace_strict(names, default=None, return_dtype=pl.String))
        .when("looked")
        .then(pl.lit("none")),
        lower_bound=pl.col("lower_bound") & (pl.col("rank").fill_null(0) < 3),
        flags=join_flags(
            [
                pl.when("treated").then(pl.lit("systemic treatment")),
                pl.when("assumed").then(pl.lit("assumed")),
            ]
        ),
    )


def _denied(trial: Trial, population: pl.DataFrame, answered: pl.DataFrame) -> pl.DataFrame:
    return (
        adjudicated_events(trial, ["chronic_gvhd"])
        .filter(~pl.col("occurred"))
        .select("patient", state=pl.lit("no"), label=pl.lit("none"))
        .unique()
        .join(population, on="patient", how="semi")
        .join(answered, on="patient", how="anti")
        .sort("patient")
    )


def _gated(population: pl.DataFrame, answers: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """Chronic GVHD that happened stands; anything else needs an evaluable patient."""
    gate = judged.select("patient", gate="state", why="reason", wait="until")
    joined = answer_everybody(population, answers).join(
        gate, on="patient", how="left", validate="1:1"
    )
    closed = pl.col("gate").is_not_null() & (pl.col("state") != "yes")
    return joined.with_columns(
        state=pl.when(closed).then("gate").otherwise("state"),
        reason=pl.when(closed).then("why").otherwise("reason"),
        label=pl.when(~closed).then("label"),
        until=pl.when(closed).then("wait"),
    ).drop("gate", "why", "wait")
