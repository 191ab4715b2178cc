"""Infections: episodes, density by period, viruses; days from CAR-T infusion."""

from typing import Literal

import polars as pl

from graftline.assess.after_hspc import graft_followup
from graftline.assess.answers import adjudicated_for, answer_everybody
from graftline.assess.population import infused_patients
from graftline.assess.printed import printed_criteria
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.assess.viral import (
    any_reactivation,
    blood_loads,
    dnaemia,
    lymphoproliferation,
    significant_cmv,
)
from graftline.rules import Read, Rule
from graftline.trial import Trial, followup_ends

CountFrom = Literal["first", "last"]

_PRINTED = printed_criteria("infection")
_VIRUS_RULES = ("cmv_dnaemia", "ebv_dnaemia", "hhv6_dnaemia")
_BACTERIAL_OR_FUNGAL = ("bacteria", "yeast", "mould")
_FINDINGS = (Read("infections"),)

RULES: tuple[Rule, ...] = (
    Rule(
        id="infection_any",
        title="Any infection",
        words=(
            "Any episode from lymphodepletion on; value is the worst CTCAE grade. "
            f"Episodes: {_PRINTED['same_episode']['printed']}"
        ),
        citation="bmtctn",
        reads=_FINDINGS,
    ),
    Rule(
        id="infection_bacterial_or_fungal",
        title="Bacterial or fungal infection",
        words="Any episode by bacteria, yeasts or moulds from lymphodepletion on.",
        citation="bmtctn",
        reads=(Read("infections", "kind", _BACTERIAL_OR_FUNGAL),),
    ),
    *(
        Rule(
            id=name,
            title=_PRINTED[name]["title"],
            words=_PRINTED[name]["printed"],
            citation=_PRINTED[name]["citation"],
            reads=(Read("viral", "virus", (_PRINTED[name]["virus"],), (0, None)),),
            parameters=() if name == "cmv_dnaemia" else ("viral_threshold",),
        )
        for name in _VIRUS_RULES
    ),
    Rule(
        id="cmv_clinically_significant",
        title=_PRINTED["cmv_clinically_significant"]["title"],
        words=(
            f"{_PRINTED['cmv_clinically_significant']['printed']} "
            f"{_PRINTED['cmv_clinically_significant']['reading']}"
        ),
        citation="ljungman2017",
        reads=(
            Read("viral", "virus", ("CMV",), (0, None)),
            Read("drugs", "indication", ("cmv",), (0, None)),
        ),
    ),
    Rule(
        id="viral_reactivation",
        title=_PRINTED["viral_reactivation"]["title"],
        words=_PRINTED["viral_reactivation"]["printed"],
        citation="hu2024",
        reads=(Read("viral", "virus", ("CMV", "EBV"), (0, None)),),
        parameters=("viral_threshold",),
    ),
    Rule(
        id="ptld",
        title=_PRINTED["ptld"]["title"],
        words=_PRINTED["ptld"]["printed"],
        citation="styczynski2016",
        reads=(Read("viral", "virus", ("EBV",), (0, None)), *_FINDINGS),
    ),
)


def recurrence_interval() -> pl.Expr:
    """Days within which a finding belongs to the episode before, by organism and kind."""
    organism = pl.col("organism").str.to_lowercase()
    interval = pl.lit(14.0)
    for line in reversed(_PRINTED["same_episode"]["intervals"]):
        if "kind" in line:
            applies = pl.col("kind") == line["kind"]
        else:
            applies = organism.str.contains_any(line["contains"])
        interval = (
            pl.when(applies.fill_null(value=False))
            .then(pl.lit(float(line["days"])))
            .otherwise(interval)
        )
    return interval


def infection_episodes(
    infections: pl.DataFrame, *, count_from: CountFrom = "first"
) -> pl.DataFrame:
    """Findings joined into episodes: same organism, same site, within the organism's interval.

    Parameters
    ----------
    infections : DataFrame, the ``infections`` table
        A finding whose day is a range takes its middle; one without a day is an episode by itself.
    count_from : {"first", "last"}
        Whether the interval runs from an episode's first finding or from its latest one. A finding
        up to the recorded end of the first belongs to it either way.

    Returns
    -------
    DataFrame [patient, organism, kind, site, start_day, end_day, findings, ctcae_grade, severity,
    assumed], sorted by patient and day
    """
    keys = ["patient", "_organism", "_site"]
    middle = (pl.col("start_day_low") + pl.col("start_day_high")) / 2
    findings = infections.with_columns(
        at=pl.coalesce("start_day", middle, "start_day_low", "start_day_high"),
        assumed=pl.col("start_day").is_null() | pl.col("assumed").is_not_null(),
        days=recurrence_interval(),
        _organism=pl.col("organism").str.to_lowercase().str.strip_chars(),
        _site=pl.col("site").str.to_lowercase().str.strip_chars().fill_null(""),
    ).sort(*keys, "at", "row", nulls_last=True)
    dated = findings.filter(pl.col("at").is_not_null())
    numbered = (
        _episodes_from_latest(dated, keys)
        if count_from == "last"
        else _episodes_from_first(dated, keys)
    )
    undated = findings.filter(pl.col("at").is_null()).with_columns(
        episode=-1 - pl.int_range(pl.len(), dtype=pl.Int64)
    )
    return (
        pl.concat([numbered, undated.select(numbered.columns)])
        .sort(*keys, "at", "row", nulls_last=True)
        .group_by(*keys, "episode", maintain_order=True)
        .agg(
            pl.col("organism", "kind", "site").first(),
            start_day=pl.col("at").first(),
            end_day=pl.max_horizontal("at", "end_day").max(),
            findings=pl.len(),
            ctcae_grade=pl.col("ctcae_grade").max(),
            severity=pl.col("severity").max(),
            assumed=pl.col("assumed").first(),
        )
        .drop("_organism", "_site", "episode")
        .sort("patient", "start_day", "organism", "site", nulls_last=True)
    )


def _episodes_from_latest(dated: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    until = pl.max_horizontal(pl.col("at") + pl.col("days"), "end_day")
    covered = until.cum_max().shift(1).over(keys)
    return dated.with_columns(
        episode=(pl.col("at") > covered).fill_null(value=False).cast(pl.Int64).cum_sum().over(keys)
    )


def _episodes_from_first(dated: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """One round per episode of the group with most: all groups settle their next one at once."""
    until = pl.max_horizontal(pl.col("at") + pl.col("days"), "end_day")
    waiting = dated.with_columns(episode=pl.lit(0, dtype=pl.Int64))
    settled = []
    while waiting.height:
        inside = waiting.with_columns(inside=pl.col("at") <= until.first().over(keys))
        settled.append(inside.filter("inside").drop("inside"))
        waiting = (
            inside.filter(~pl.col("inside")).drop("inside").with_columns(pl.col("episode") + 1)
        )
    return pl.concat(settled) if settled else waiting


def risk_periods(trial: Trial) -> pl.DataFrame:
    """Periods at risk of infection per infused patient, in whole days, both ends included.

    From the first drug of lymphodepletion (day 0 where none is recorded) to the day before HSPC, or
    to the end of follow-up without HSPC; then day 0 to 30, 31 to 100 and after 100 from HSPC.

    Returns
    -------
    DataFrame [patient, period, first_day, last_day]; ``last_day`` null where follow-up is unknown
    """
    depletion = (
        trial["drugs"]
        .filter(pl.col("indication") == "lymphodepletion")
        .group_by("patient")
        .agg(begin=pl.col("start_day").min())
    )
    people = (
        infused_patients(trial)
        .join(depletion, on="patient", how="left", validate="1:1")
        .join(
            graft_followup(trial).select("patient", "hsct_day"),
            on="patient",
            how="left",
            validate="1:1",
        )
        .join(
            followup_ends(trial).select("patient", "end_day"),
            on="patient",
            how="left",
            validate="1:1",
        )
        .with_columns(
            begin=pl.col("begin").fill_null(0.0).floor(),
            hsct=pl.col("hsct_day").floor(),
            end=pl.col("end_day").floor(),
        )
    )
    before = people.select(
        "patient",
        period=pl.lit("lymphodepletion_to_hspc"),
        first_day="begin",
        last_day=pl.min_horizontal(pl.col("hsct") - 1, "end"),
    ).with_columns(last_day=pl.when(people["end"].is_not_null()).then("last_day"))
    grafted = people.filter(pl.col("hsct").is_not_null())
    after = [
        grafted.select(
            "patient",
            period=pl.lit(line["period"]),
            first_day=pl.col("hsct") + line["first"],
            last_day=pl.min_horizontal(pl.col("hsct") + line["last"], "end")
            if "last" in line
            else pl.col("end"),
        ).with_columns(last_day=pl.when(grafted["end"].is_not_null()).then("last_day"))
        for line in _PRINTED["periods"]["from_hspc"]
    ]
    return (
        pl.concat([before, *after])
        .filter((pl.col("last_day") >= pl.col("first_day")).fill_null(value=True))
        .sort("patient", "first_day")
    )


def episodes_by_period(episodes: pl.DataFrame, periods: pl.DataFrame) -> pl.DataFrame:
    """Episodes begun and days at risk of every patient in every period.

    Returns
    -------
    DataFrame [patient, period, episodes, bacterial_or_fungal, viral, patient_days]
    """
    counted = (
        periods.join(
            episodes.select("patient", "kind", at=pl.col("start_day").floor()),
            on="patient",
            how="inner",
        )
        .filter(
            (pl.col("at") >= pl.col("first_day"))
            & (pl.col("at") <= pl.col("last_day")).fill_null(value=True)
        )
        .group_by("patient", "period")
        .agg(
            episodes=pl.len(),
            bacterial_or_fungal=pl.col("kind").is_in(list(_BACTERIAL_OR_FUNGAL)).sum(),
            viral=(pl.col("kind") == "virus").sum(),
        )
    )
    numbers = pl.col("episodes", "bacterial_or_fungal", "viral")
    return (
        periods.join(counted, on=["patient", "period"], how="left", validate="1:1")
        .with_columns(numbers.fill_null(0).cast(pl.Int64))
        .select(
            "patient",
            "period",
            "episodes",
            "bacterial_or_fungal",
            "viral",
            patient_days=pl.col("last_day") - pl.col("first_day") + 1,
        )
        .sort("patient", "period")
    )


def infection_density(by_period: pl.DataFrame) -> pl.DataFrame:
    """Episodes per 100 patient-days at risk, by period.

    Parameters
    ----------
    by_period : DataFrame as from ``episodes_by_period``
        Patients whose days at risk are unknown are left out of numerator and denominator.

    Returns
    -------
    DataFrame [period, patients, episodes, patient_days, per_100_patient_days]
    """
    order = ["lymphodepletion_to_hspc", *(p["period"] for p in _PRINTED["periods"]["from_hspc"])]
    return (
        by_period.drop_nulls("patient_days")
        .with_columns(pl.col("period").cast(pl.Enum(order)))
        .sort("period", "patient")
        .group_by("period", maintain_order=True)
        .agg(
            patients=pl.len(),
            episodes=pl.col("episodes").sum(),
            patient_days=pl.col("patient_days").sum(),
        )
        .with_columns(
            pl.col("period").cast(pl.String),
            per_100_patient_days=100 * pl.col("episodes") / pl.col("patient_days"),
        )
    )


def watched_patients(trial: Trial) -> pl.DataFrame:
    """Patients of whom no infection on record means no infection.

    Infections are recorded in this trial, and the patient has other records of daily care (labs,
    vitals, viral loads, adverse events) after infusion. A patient known from a publication, or
    only from infections worth telling, is not among them.

    Returns
    -------
    DataFrame [patient]
    """
    seen = pl.concat(
        [
            *(
                trial[name].select("patient", "day").filter(pl.col("day") >= 0).select("patient")
                for name in ("labs", "vitals", "viral")
            ),
            trial["ae"].filter(pl.col("start_day") >= 0).select("patient"),
        ]
    ).unique()
    seen = seen if "infections" in trial.present else seen.clear()
    return infused_patients(trial).join(seen, on="patient", how="semi").sort("patient")


def infection_answers(
    episodes: pl.DataFrame, population: pl.DataFrame, watched: pl.DataFrame
) -> pl.DataFrame:
    """Whether a patient had an episode at all.

    Parameters
    ----------
    episodes : DataFrame as from ``infection_episodes``; those that count
    population : DataFrame [patient]
    watched : DataFrame [patient]
        Those of whom no row means no infection; the others are not evaluable without one.

    Returns
    -------
    DataFrame [patient, state, value, label, day, flags, reason]
        ``value`` worst CTCAE grade, ``day`` first, ``label`` its organism.
    """
    found = (
        episodes.sort("patient", "start_day", "organism", nulls_last=True)
        .group_by("patient", maintain_order=True)
        .agg(
            state=pl.lit("yes").first(),
            value=pl.col("ctcae_grade").max(),
            label=pl.col("organism").first(),
            day=pl.col("start_day").first(),
            flags=pl.when(pl.col("assumed").first()).then(pl.lit("assumed")),
        )
    )
    answers = answer_everybody(population, found)
    none = (pl.col("reason") == "no_records") & pl.col("patient").is_in(
        watched["patient"].implode()
    )
    free = none.fill_null(value=False)
    return answers.with_columns(
        state=pl.when(free).then(pl.lit("no")).otherwise("state"),
        reason=pl.when(~free).then("reason"),
    )


def assess(trial: Trial) -> Assessed:
    """Infections of a trial; reactivation and PTLD as adjudicated too.

    Details
    -------
    infection_episodes [patient, organism, kind, site, start_day, end_day, findings, ctcae_grade,
    severity, assumed]
    infection_periods [patient, period, episodes, bacterial_or_fungal, viral, patient_days]
    infection_density [period, patients, episodes, patient_days, per_100_patient_days]
        Both of ``watched_patients`` only.
    """
    people = infused_patients(trial)
    episodes = infection_episodes(trial["infections"]).join(people, on="patient", how="semi")
    periods = risk_periods(trial)
    begins = periods.group_by("patient").agg(begins=pl.col("first_day").min())
    during = episodes.join(begins, on="patient", how="left", validate="m:1").filter(
        (pl.col("start_day").floor() >= pl.col("begins")).fill_null(value=True)
    )
    watched = watched_patients(trial)
    bacterial = during.filter(pl.col("kind").is_in(list(_BACTERIAL_OR_FUNGAL)))
    frames = [
        as_results(infection_answers(during, people, watched), rule="infection_any"),
        as_results(
            infection_answers(bacterial, people, watched),
            rule="infection_bacterial_or_fungal",
        ),
        *_viral_results(trial, people),
        adjudicated_for(trial, people, "viral_reactivation", rule="viral_reactivation"),
        adjudicated_for(trial, people, "ptld", rule="ptld"),
    ]
    by_period = episodes_by_period(during, periods).join(watched, on="patient", how="semi")
    return Assessed(
        combine_results(frames),
        {
            "infection_episodes": episodes,
            "infection_periods": by_period,
            "infection_density": infection_density(by_period),
        },
    )


def _viral_results(trial: Trial, people: pl.DataFrame) -> list[pl.DataFrame]:
    study = None if trial.protocol.definitions.viral_threshold == "lloq" else 1000.0
    low = _PRINTED["threshold"]["low_level_below"]
    answers = {
        name: answer_everybody(
            people,
            dnaemia(
                blood_loads(trial["viral"], _PRINTED[name]["virus"]).join(
                    people, on="patient", how="semi"
                ),
                threshold=None if name == "cmv_dnaemia" else study,
                low_level_below=low,
            ),
        )
        for name in _VIRUS_RULES
    }
    significant = significant_cmv(
        answers["cmv_dnaemia"],
        trial["viral"],
        trial["drugs"],
        drugs_recorded="drugs" in trial.present,
        prophylactic=_PRINTED["cmv_clinically_significant"]["prophylactic"],
    )
    reactivation = any_reactivation(
        [("CMV", answers["cmv_dnaemia"]), ("EBV", answers["ebv_dnaemia"])]
    )
    ptld = lymphoproliferation(
        answers["ebv_dnaemia"],
        trial["viral"],
        trial["infections"],
        infections_recorded="infections" in trial.present,
    )
    return [
        *(as_results(frame, rule=name) for name, frame in answers.items()),
        as_results(significant, rule="cmv_clinically_significant"),
        as_results(reactivation, rule="viral_reactivation"),
        as_results(ptld, rule="ptld"),
    ]
