"""What every endpoint needs of every patient: infusions, remission, last contact, death."""

from collections.abc import Mapping
from typing import Protocol

import polars as pl

from graftline.assess.adjudicated import adjudicated_events
from graftline.trial import Trial, followup_ends, hsct_days

_REACHED_ENROLMENT = ("enrolled", "manufactured", "infused", "transplanted")


class Answers(Protocol):
    """Assessments of a trial as the room ``assess`` hands them over."""

    @property
    def results(self) -> pl.DataFrame:
        """Every row, derived and adjudicated."""

    @property
    def chosen(self) -> pl.DataFrame:
        """The preferred row per patient and rule."""

    @property
    def details(self) -> Mapping[str, pl.DataFrame]:
        """The tables behind the results, by name."""


def answers_to(assessed: Answers, rule: str) -> pl.DataFrame:
    """Preferred answers to one rule.

    Returns
    -------
    DataFrame [patient, state, value, label, day, reason, source, assumed]
        ``assumed`` says that the day hangs on an assumption.
    """
    flags = pl.col("flags").fill_null("")
    return assessed.chosen.filter(pl.col("rule") == rule).select(
        "patient",
        "state",
        "value",
        "label",
        "day",
        "reason",
        "source",
        assumed=flags.str.contains("assumed", literal=True),
    )


def people_of(trial: Trial, assessed: Answers) -> pl.DataFrame:
    """One row per patient of the trial with the days that endpoints are built from.

    Days count from the index infusion. ``last_response_day`` is the last day on which the disease
    was assessed: as followup states it, else the last response visit, adjudicated response, MRD
    or relapse.

    Returns
    -------
    DataFrame [patient, enrolled, infused, transplanted, enrolled_day, car_t_day, hsct_day,
    hsct_assumed, remission, remission_day, remission_assumed, end_day, end_assumed, dead,
    death_day, death_cause, last_response_day, last_response_assumed], sorted by patient
        ``remission`` is the state of the first remission, null without an answer.
    """
    protocol = trial.protocol
    car_t = (
        trial["infusions"]
        .filter(pl.col("kind") == "car_t")
        .group_by("patient")
        .agg(car_t_day=pl.coalesce("day", (pl.col("day_low") + pl.col("day_high")) / 2).min())
    )
    index = trial["infusions"].filter(pl.col("kind") == protocol.index_infusion)
    remission = answers_to(assessed, "remission").select(
        "patient", remission="state", remission_day="day", remission_assumed="assumed"
    )
    ends = followup_ends(trial).rename({"assumed": "end_assumed"})
    frames = [
        car_t,
        index.select("patient").unique().with_columns(infused=pl.lit(value=True)),
        hsct_days(trial).select("patient", "hsct_day", hsct_assumed="assumed"),
        remission,
        ends.drop("end_day_low", "end_day_high"),
        _last_assessments(trial, assessed),
    ]
    people = trial.patients.select("patient", "status", "enrolled_day")
    for frame in frames:
        people = people.join(frame, on="patient", how="left", validate="1:1")
    infused = pl.col("infused").fill_null(value=False)
    return people.select(
        "patient",
        enrolled=pl.col("enrolled_day").is_not_null()
        | pl.col("status").is_in(_REACHED_ENROLMENT).fill_null(value=False)
        | infused,
        infused=infused,
        transplanted=pl.col("hsct_day").is_not_null(),
        enrolled_day="enrolled_day",
        car_t_day=pl.when(infused & (protocol.index_infusion == "car_t"))
        .then(pl.lit(0.0))
        .otherwise("car_t_day"),
        hsct_day="hsct_day",
        hsct_assumed=pl.col("hsct_assumed").fill_null(value=False),
        remission="remission",
        remission_day="remission_day",
        remission_assumed=pl.col("remission_assumed").fill_null(value=False),
        end_day="end_day",
        end_assumed=pl.col("end_assumed").fill_null(value=False),
        dead=pl.col("dead").fill_null(value=False),
        death_day="death_day",
        death_cause="death_cause",
        last_response_day=pl.coalesce("last_response_day", "last_assessed"),
        last_response_assumed=pl.col("last_response_day").is_null()
        & pl.col("last_assumed").fill_null(value=False),
    ).sort("patient")


def _last_assessments(trial: Trial, assessed: Answers) -> pl.DataFrame:
    """Last day the disease was looked at, and whether that day is assumed."""
    stated = adjudicated_events(trial, ["response", "mrd", "relapse", "progression"])
    looked = [stated.select("patient", "day", assumed=pl.col("assumed").is_not_null())]
    visits = assessed.details.get("response_visits")
    if visits is not None:
        looked.append(visits.select("patient", day="response_day", assumed=pl.lit(value=False)))
    return (
        pl.concat(looked)
        .drop_nulls("day")
        .sort("patient", "day", "assumed")
        .group_by("patient", maintain_order=True)
        .agg(last_assessed=pl.col("day").last(), last_assumed=pl.col("assumed").last())
    )
