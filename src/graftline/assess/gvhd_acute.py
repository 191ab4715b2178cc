"""Acute GVHD: course of grades, before and after HSPC, worst by day 100 and overall."""

import polars as pl

from graftline.assess.adjudicated import adjudicated_events
from graftline.assess.answers import answer_everybody, join_flags
from graftline.assess.cell_counts import worst_of_day
from graftline.assess.gvhd_organs import (
    ORGANS,
    GradingSystem,
    stage_organs,
    with_overall_grade,
)
from graftline.assess.population import infused_patients, transplanted_patients
from graftline.assess.printed import printed_criteria
from graftline.assess.results import Assessed, as_results, as_written, combine_results
from graftline.rules import Read, Rule
from graftline.trial import Trial, followup_ends, hsct_days, second_graft_days

_PRINTED = printed_criteria("acute_gvhd")
_READS = (
    Read("gvhd"),
    Read("labs", "analyte", ("bilirubin",)),
    Read("infusions", "kind", ("hspc", "dli")),
    Read("events", "event", ("acute_gvhd", "second_graft", "next_therapy")),
)
_GRADES = " | ".join(f"{g}: {_PRINTED['magic2016'][str(g)]}" for g in range(5))
_WORDS = (
    f"MAGIC: {_GRADES}. Diarrhoea is the mean of three days, volume before episodes; a finding "
    "that is not GVHD is not staged; a missing organ makes the grade a lower bound. Staging stops "
    "at DLI, a second graft or the next therapy."
)

RULES: tuple[Rule, ...] = (
    Rule(
        id="acute_gvhd",
        title="Acute GVHD after HSPC, worst grade by day 100",
        words=_WORDS + " Worst grade from HSPC to day 100; day = first grade >= 1.",
        citation="harris2016",
        reads=_READS,
        origin="hspc",
        parameters=("system", "by_hsct_day", "assessed_within_days"),
    ),
    Rule(
        id="acute_gvhd_overall",
        title="Acute GVHD after HSPC, worst grade at any time",
        words=_WORDS + " First onset after day 100 without a chronic sign is late-onset acute.",
        citation="harris2016",
        reads=_READS,
        origin="hspc",
        parameters=("system", "late_after_hsct_day"),
    ),
    Rule(
        id="gvhd_before_hspc",
        title="GVHD before HSPC",
        words=(
            _WORDS + " Worst grade up to the day of HSPC (any time without HSPC); label = cells "
            "the investigator holds responsible."
        ),
        citation="hu2024",
        reads=_READS,
        parameters=("system",),
    ),
)

COURSE = (
    "patient",
    "day",
    "hsct_day",
    "grade",
    "lower_bound",
    *ORGANS,
    "cause",
    "timing",
    "source",
)
ROMAN = {0: "0", 1: "I", 2: "II", 3: "III", 4: "IV"}


def acute_gvhd_course(trial: Trial, *, system: GradingSystem | None = None) -> pl.DataFrame:
    """Every graded day, derived from organs and adjudicated, with timing against HSPC.

    Parameters
    ----------
    trial : Trial
    system : {"magic2016", "glucksberg1994"}, optional
        Default: ``definitions.acute_gvhd`` of the protocol.

    Returns
    -------
    DataFrame [patient, day, hsct_day, grade, lower_bound, skin, liver, upper_gi, lower_gi, cause,
    timing, source, grade_possible, uncertain, chronic_sign, assumed]
        ``day`` from CAR-T (null where an adjudicated event has none), ``hsct_day`` from HSPC.
        ``timing`` is ``before HSPC`` up to and with the day of the first bag.
    """
    system = system or trial.protocol.definitions.acute_gvhd
    grafts = hsct_days(trial).select("patient", hspc="hsct_day", first_bag="hsct_first_bag_day")
    bilirubin = worst_of_day(trial["labs"], "bilirubin", worst="highest")
    stages = stage_organs(
        trial["gvhd"], trial.patients, bilirubin.select("patient", "day", "value")
    )
    derived = (
        with_overall_grade(stages, system=system)
        .join(_staging_ends(trial), on="patient", how="left", validate="m:1")
        .filter((pl.col("day") <= pl.col("ends")).fill_null(value=True))
        .with_columns(source=pl.lit("derived"), said=pl.lit(None, dtype=pl.String))
    )
    adjudicated = (
        adjudicated_events(trial, ["acute_gvhd"])
        .filter("occurred")
        .with_columns(
            source=pl.lit("adjudicated"),
            said="timing",
            lower_bound=pl.col("grade").is_null(),
            grade_possible=pl.col("grade"),
        )
    )
    return (
        pl.concat([derived, adjudicated], how="diagonal")
        .join(grafts, on="patient", how="left", validate="m:1")
        .with_columns(
            hsct_day=pl.col("day") - pl.col("hspc"),
            timing=pl.coalesce(
                "said",
                pl.when(pl.col("hspc").is_null() | (pl.col("day") <= pl.col("first_bag").floor()))
                .then(pl.lit("before HSPC"))
                .when(pl.col("day").is_not_null())
                .then(pl.lit("after HSPC")),
            ),
        )
        .select(*COURSE, "grade_possible", "uncertain", "chronic_sign", "assumed")
        .sort("patient", "day", "source", "grade", nulls_last=True)
    )


def _staging_ends(trial: Trial) -> pl.DataFrame:
    """Day of DLI, second graft or next therapy: organ staging stops there."""
    therapy = (
        adjudicated_events(trial, ["next_therapy"]).filter("occurred").select("patient", ends="day")
    )
    grafts = second_graft_days(trial).select("patient", ends="second_graft_day")
    return pl.concat([therapy, grafts]).drop_nulls().group_by("patient").agg(pl.col("ends").min())


def assess(trial: Trial) -> Assessed:
    """Acute GVHD after HSPC (by day 100, overall) and before HSPC.

    Returns
    -------
    Assessed
        ``value`` = worst grade, ``label`` = roman grade (before HSPC: the cause), ``day`` = first
        day of grade >= 1 (from HSPC for the first two rules). ``details["acute_gvhd_course"]``
        as ``COURSE``, derived and adjudicated rows.
    """
    course = acute_gvhd_course(trial)
    infused, grafts = infused_patients(trial), transplanted_patients(trial)
    window = _windows(trial, grafts)
    after = course.filter(pl.col("timing") == "after HSPC")
    by_100 = after.filter((pl.col("hsct_day") <= 100).fill_null(value=True))
    before = course.filter(pl.col("timing") == "before HSPC")
    results = []
    for rule, rows, population, timing in (
        ("acute_gvhd", by_100, grafts, "after HSPC"),
        ("acute_gvhd_overall", after, grafts, "after HSPC"),
        ("gvhd_before_hspc", before, infused, "before HSPC"),
    ):
        derived = _worst(rows.filter(pl.col("source") == "derived"), rule=rule)
        if rule == "acute_gvhd":
            derived = _closed_window(derived, rows, window)
        if rule == "acute_gvhd_overall":
            derived = _flag_continued(derived, before)
        adjudicated = pl.concat(
            [
                _worst(rows.filter(pl.col("source") == "adjudicated"), rule=rule),
                _denied(trial, rows, timing=timing),
            ],
            how="diagonal",
        ).join(population, on="patient", how="semi")
        derived = derived.join(population, on="patient", how="semi")
        results += [
            as_results(answer_everybody(population, derived), rule=rule),
            as_results(adjudicated, rule=rule, source="adjudicated"),
        ]
    return Assessed(combine_results(results), {"acute_gvhd_course": course.select(COURSE)})


def _worst(rows: pl.DataFrame, *, rule: str) -> pl.DataFrame:
    """Worst grade, first onset and what is not certain, per patient."""
    before = rule == "gvhd_before_hspc"
    day, grade = pl.col("day" if before else "hsct_day"), pl.col("grade")
    happened = (grade >= 1) | (pl.col("source") == "adjudicated")
    worst = (
        rows.sort("patient", "day", "grade", nulls_last=True)
        .group_by("patient", maintain_order=True)
        .agg(
            value=grade.max(),
            possible=pl.col("grade_possible").max(),
            happened=happened.fill_null(value=False).any(),
            day=day.filter(happened).min(),
            cause=pl.col("cause").filter(happened).drop_nulls().first(),
            uncertain=pl.col("uncertain").filter(happened).drop_nulls().first(),
            chronic=pl.col("chronic_sign").filter(happened).drop_nulls().first(),
            assumed=pl.col("assumed").is_not_null().any(),
            ungraded=grade.is_null().any(),
        )
        .with_columns(open_grade=(pl.col("possible") > pl.col("value")) | pl.col("ungraded"))
    )
    unclear = ~pl.col("happened") & pl.col("open_grade").fill_null(value=False)
    roman = pl.col("value").replace_strict(ROMAN, default=None, return_dtype=pl.String)
    sign = pl.col("chronic").fill_null("none") != "none"
    late = pl.lit(not before) & pl.col("happened") & (pl.col("day") > 100)
    return worst.select(
        "patient",
        "day",
        state=pl.when("happened")
        .then(pl.lit("yes"))
        .when(unclear)
        .then(pl.lit("not_evaluable"))
        .otherwise(pl.lit("no")),
        value=pl.col("value").cast(pl.Float64),
        label=pl.when("happened").then(pl.col("cause").fill_null("unknown") if before else roman),
        lower_bound=pl.col("open_grade").fill_null(value=False),
        reason=pl.when(unclear).then(pl.lit("organs_missing")),
        flags=join_flags(
            [
                pl.when(late & ~sign).then(pl.lit("late-onset acute")),
                pl.when(late & sign).then(pl.lit("overlap with chronic")),
                pl.when(pl.lit(not before) & pl.col("cause").is_not_null()).then(
                    pl.format("cause {}", "cause")
                ),
                pl.when(pl.col("uncertain").is_not_null()).then(
                    pl.format("attribution uncertain: {}", "uncertain")
                ),
                pl.when("assumed").then(pl.lit("assumed")),
            ]
        ),
    )


def _denied(trial: Trial, rows: pl.DataFrame, *, timing: str) -> pl.DataFrame:
    """Patients whose investigator states that there was no acute GVHD (of that timing)."""
    happened = rows.filter(pl.col("source") == "adjudicated").select("patient")
    return (
        adjudicated_events(trial, ["acute_gvhd"])
        .filter(~pl.col("occurred") & (pl.col("timing").fill_null(timing) == timing))
        .select("patient", state=pl.lit("no"))
        .unique()
        .join(happened, on="patient", how="anti")
        .sort("patient")
    )


def _windows(trial: Trial, grafts: pl.DataFrame, *, by_hsct_day: float = 100) -> pl.DataFrame:
    """Where observation by day 100 ends, and whether it is still open."""
    ends = followup_ends(trial).select("patient", "end_day", "dead")
    last = pl.col("end_day") - pl.col("hsct_day")
    return (
        grafts.join(ends, on="patient", how="left", validate="1:1")
        .join(_staging_ends(trial), on="patient", how="left", validate="1:1")
        .select(
            "patient",
            closes=pl.min_horizontal(
                last, pl.col("ends") - pl.col("hsct_day"), pl.lit(by_hsct_day)
            ),
            still_open=(last < by_hsct_day)
            & ~pl.col("dead")
            & (pl.col("ends") >= pl.col("end_day")).fill_null(value=True),
        )
    )


def _closed_window(
    answers: pl.DataFrame,
    rows: pl.DataFrame,
    windows: pl.DataFrame,
    *,
    by_hsct_day: float = 100,
    assessed_within_days: float = 14,
) -> pl.DataFrame:
    """A "no" by day 100 waits for day 100 and says where assessments stopped early."""
    last = (
        rows.filter(pl.col("source") == "derived")
        .group_by("patient")
        .agg(last=pl.col("hsct_day").max())
    )
    joined = answers.join(windows, on="patient", how="left", validate="1:1").join(
        last, on="patient", how="left", validate="1:1"
    )
    no = pl.col("state") == "no"
    waits = no & pl.col("still_open").fill_null(value=False)
    early = no & ~waits & (pl.col("last") < pl.col("closes") - assessed_within_days)
    return joined.with_columns(
        state=pl.when(waits).then(pl.lit("not_yet_evaluable")).otherwise("state"),
        until=pl.when(waits).then(float(by_hsct_day)),
        lower_bound=pl.col("lower_bound") | early.fill_null(value=False),
        flags=pl.when(early)
        .then(pl.format("last assessed on day {}", as_written(pl.col("last").round(1))))
        .otherwise("flags"),
    ).drop("closes", "still_open", "last")


def _flag_continued(answers: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Flag GVHD whose last assessment before HSPC was still positive."""
    running = (
        before.filter(pl.col("source") == "derived")
        .sort("patient", "day")
        .group_by("patient", maintain_order=True)
        .agg(continued=pl.col("grade").last() >= 1)
    )
    joined = answers.join(running, on="patient", how="left", validate="1:1")
    continued = pl.col("continued").fill_null(value=False) & (pl.col("state") == "yes")
    return joined.with_columns(
        flags=join_flags([pl.col("flags"), pl.when(continued).then(pl.lit("began before HSPC"))])
    ).drop("continued")
