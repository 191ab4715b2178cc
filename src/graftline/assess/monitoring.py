"""The protocol's stopping rules on the trial's patients: who had the event, who is through."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, Protocol

import polars as pl

from graftline.assess.population import infused_patients, transplanted_patients
from graftline.problems import Problem, ProtocolError
from graftline.protocol import StoppingRule
from graftline.trial import Trial, followup_ends


class Assessed(Protocol):
    """The criteria assessed before: their answers and the tables behind them."""

    @property
    def chosen(self) -> pl.DataFrame:
        """The preferred answer per patient and rule."""

    @property
    def details(self) -> Mapping[str, pl.DataFrame]:
        """Tables by name."""


PATIENT_SCHEMA: Final[dict[str, pl.DataType]] = {
    "rule": pl.String(),
    "sequence": pl.Int64(),
    "patient": pl.String(),
    "event": pl.Boolean(),
    "event_day": pl.Float64(),
    "followed_days": pl.Float64(),
    "completed": pl.Boolean(),
    "weight": pl.Float64(),
    "n_completed": pl.Int64(),
    "events_completed": pl.Int64(),
}


def monitored_patients(
    trial: Trial, assessed: Assessed, *, death_completes: bool = True
) -> pl.DataFrame:
    """Every patient under every stopping rule of the protocol.

    Parameters
    ----------
    trial : Trial
    assessed : the criteria assessed before
    death_completes : bool
        A patient who died within the window without the event has no more window to come.

    Returns
    -------
    DataFrame [rule, sequence, patient, event, event_day, followed_days, completed, weight,
    n_completed, events_completed], in the order of the patients table
        ``event`` within the window, null where nobody recorded it; ``event_day`` and
        ``followed_days`` count from the rule's origin. ``completed``: event, or followed through
        the window. ``weight`` is 1 for them, else the share of the window followed (TITE), null
        without an answer. ``n_completed`` and ``events_completed`` are the running totals over
        completed patients, which a boundary is compared with.

    Raises
    ------
    ProtocolError
        A rule names an event that is not known.
    """
    unknown = [r for r in trial.protocol.stopping if r.event not in EVENTS]
    if unknown:
        raise ProtocolError(
            Problem(
                "protocol.toml",
                f"one of {', '.join(EVENTS)}",
                "name an event that can be monitored",
                column=f"stopping.{rule.id}.event",
                found=rule.event,
            )
            for rule in unknown
        )
    tables = [_under(trial, assessed, rule, death_completes) for rule in trial.protocol.stopping]
    return pl.concat(tables) if tables else pl.DataFrame(schema=PATIENT_SCHEMA)


def monitoring_counts(trial: Trial, assessed: Assessed) -> pl.DataFrame:
    """Totals per stopping rule, over completed windows and with person-time weights.

    Returns
    -------
    DataFrame [rule, event, limit, cutoff, window_days, patients, unknown, completed,
    events_completed, weighted_patients, events]
        ``events_completed`` of ``completed`` patients; ``events`` of ``weighted_patients``, the sum
        of weights (TITE). Patients whose answer is unknown are in neither.
    """
    per_patient = monitored_patients(trial, assessed)
    counts = per_patient.group_by("rule").agg(
        patients=pl.len().cast(pl.Int64),
        unknown=pl.col("event").is_null().sum().cast(pl.Int64),
        completed=pl.col("completed").sum().cast(pl.Int64),
        events_completed=(pl.col("completed") & pl.col("event")).sum().cast(pl.Int64),
        weighted_patients=pl.col("weight").sum(),
        events=pl.col("event").sum().cast(pl.Int64),
    )
    rules = pl.DataFrame(
        [(r.id, r.event, r.limit, r.cutoff, r.window_days) for r in trial.protocol.stopping],
        schema={
            "rule": pl.String,
            "event": pl.String,
            "limit": pl.Float64,
            "cutoff": pl.Float64,
            "window_days": pl.Float64,
        },
        orient="row",
    )
    named = counts.rename({"events": "events_so_far"})
    return rules.join(named, on="rule", how="left", validate="1:1").select(
        *rules.columns,
        *(pl.col(c).fill_null(0) for c in ("patients", "unknown", "completed")),
        pl.col("events_completed").fill_null(0),
        pl.col("weighted_patients").fill_null(0.0),
        events=pl.col("events_so_far").fill_null(0),
    )


def _under(
    trial: Trial, assessed: Assessed, rule: StoppingRule, death_completes: bool
) -> pl.DataFrame:
    """One rule's patients in the order of the patients table."""
    if rule.origin == "hspc":
        asked = transplanted_patients(trial).select("patient", origin_day="hsct_day")
    else:
        asked = infused_patients(trial).with_columns(origin_day=pl.lit(0.0))
    found = EVENTS[rule.event](trial, assessed)
    ends = followup_ends(trial).select("patient", "end_day", "dead")
    rows = (
        trial.patients.select("patient", "row")
        .join(asked, on="patient", how="inner", validate="1:1")
        .join(found, on="patient", how="left", validate="1:1")
        .join(ends, on="patient", how="left", validate="1:1")
        .with_columns(
            event_day=pl.col("at") - pl.col("origin_day"),
            followed=pl.max_horizontal(pl.col("end_day") - pl.col("origin_day"), 0.0),
        )
        .sort("row")
    )
    inside = pl.col("event_day").is_between(0, rule.window_days)
    event = (
        pl.when(pl.col("happened") & pl.col("event_day").is_not_null())
        .then(inside)
        .when(~pl.col("happened"))
        .then(pl.lit(value=False))
    )
    rows = rows.with_columns(event=event)
    through = (pl.col("followed") >= rule.window_days).fill_null(value=False)
    if death_completes:
        through = through | pl.col("dead").fill_null(value=False)
    done = pl.col("event").is_not_null() & (pl.col("event") | through)
    share = (pl.col("followed") / rule.window_days).clip(0, 1)
    return rows.with_columns(completed=done).select(
        rule=pl.lit(rule.id),
        sequence=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        patient="patient",
        event="event",
        event_day=pl.when("event").then("event_day"),
        followed_days="followed",
        completed="completed",
        weight=pl.when(pl.col("event").is_not_null()).then(
            pl.when("completed").then(pl.lit(1.0)).otherwise(share)
        ),
        n_completed=pl.col("completed").cum_sum().cast(pl.Int64),
        events_completed=(pl.col("completed") & pl.col("event").fill_null(value=False))
        .cum_sum()
        .cast(pl.Int64),
    )


def _deaths(trial: Trial, assessed: Assessed) -> pl.DataFrame:
    return followup_ends(trial).select("patient", happened="dead", at="death_day")


def _non_relapse_deaths(trial: Trial, assessed: Assessed) -> pl.DataFrame:
    """Death without relapse before; without any record of relapse, without relapse."""
    relapsed = assessed.chosen.filter(
        (pl.col("rule") == "relapse") & (pl.col("state") == "yes")
    ).select("patient", relapsed=pl.lit(value=True))
    deaths = _deaths(trial, assessed).join(relapsed, on="patient", how="left", validate="1:1")
    return deaths.select(
        "patient", "at", happened=pl.col("happened") & pl.col("relapsed").is_null()
    )


def _adverse_events(trial: Trial, assessed: Assessed, *, counts: pl.Expr) -> pl.DataFrame:
    """First adverse event that counts; unknown for everybody in a trial without such records."""
    first = trial["ae"].filter(counts).group_by("patient").agg(at=pl.col("start_day").min())
    recorded = pl.lit(value="ae" in trial.present)
    return (
        trial.patients.select("patient")
        .join(first.with_columns(hit=pl.lit(value=True)), on="patient", how="left", validate="1:1")
        .select(
            "patient",
            "at",
            happened=pl.coalesce("hit", pl.when(recorded).then(pl.lit(value=False))),
        )
    )


def _graded(
    trial: Trial,
    assessed: Assessed,
    *,
    rule: str,
    grade: int,
    days: str,
    after_hspc: bool = False,
) -> pl.DataFrame:
    """First day of at least one grade by the preferred source, from the daily grades or the rule.

    An answer that is not evaluable is unknown; a grade that is only a lower bound under the
    threshold is unknown too.
    """
    chosen = assessed.chosen.filter(pl.col("rule") == rule)
    offset = pl.lit(0.0)
    if after_hspc:
        grafts = transplanted_patients(trial).select("patient", "hsct_day")
        chosen = chosen.join(grafts, on="patient", how="left", validate="1:1")
        offset = pl.col("hsct_day")
    high = pl.col("value") >= grade
    happened = (
        pl.when(pl.col("state") == "no")
        .then(pl.lit(value=False))
        .when(pl.col("state") != "yes")
        .then(None)
        .when(high)
        .then(pl.lit(value=True))
        .when(~pl.col("lower_bound"))
        .then(high)
    )
    answers = chosen.select("patient", "source", happened=happened, stated=pl.col("day") + offset)
    course = assessed.details.get(days)
    if course is None:
        return answers.select("patient", "happened", at="stated")
    if "source" not in course.columns:
        course = course.with_columns(source=pl.lit("derived"))
    reached = course.filter(pl.col("grade") >= grade)
    if after_hspc:
        reached = reached.filter(pl.col("timing") == "after HSPC")
    first = reached.group_by("patient", "source").agg(first=pl.col("day").min())
    return answers.join(first, on=["patient", "source"], how="left", validate="1:1").select(
        "patient", "happened", at=pl.coalesce("first", "stated")
    )


def _graft_failures(trial: Trial, assessed: Assessed) -> pl.DataFrame:
    grafts = transplanted_patients(trial).select("patient", "hsct_day")
    return (
        assessed.chosen.filter(pl.col("rule") == "graft_failure")
        .join(grafts, on="patient", how="inner", validate="1:1")
        .select(
            "patient",
            happened=pl.col("state").replace_strict(
                {"yes": True, "no": False}, default=None, return_dtype=pl.Boolean
            ),
            at=pl.col("day") + pl.col("hsct_day"),
        )
    )


_RELATED: Final = pl.col("related_car_t").is_in(["related", "possible"]).fill_null(
    value=False
) | pl.col("related_hsct").is_in(["related", "possible"]).fill_null(value=False)

# what a stopping rule may watch: name -> [patient, happened, at (day from the index infusion)]
EVENTS: Final[Mapping[str, Callable[[Trial, Assessed], pl.DataFrame]]] = MappingProxyType(
    {
        "death": _deaths,
        "non_relapse_death": _non_relapse_deaths,
        "dlt": partial(_adverse_events, counts=pl.col("dlt").fill_null(value=False)),
        "related_ae_3_5": partial(_adverse_events, counts=(pl.col("grade") >= 3) & _RELATED),
        "related_ae_4_5": partial(_adverse_events, counts=(pl.col("grade") >= 4) & _RELATED),
        "crs_3_5": partial(_graded, rule="crs", grade=3, days="crs_days"),
        "crs_4_5": partial(_graded, rule="crs", grade=4, days="crs_days"),
        "icans_3_5": partial(_graded, rule="icans", grade=3, days="icans_days"),
        "iec_hs_3_5": partial(_graded, rule="iec_hs", grade=3, days="iec_hs_days"),
        "acute_gvhd_2_4": partial(
            _graded, rule="acute_gvhd", grade=2, days="acute_gvhd_course", after_hspc=True
        ),
        "acute_gvhd_3_4": partial(
            _graded, rule="acute_gvhd", grade=3, days="acute_gvhd_course", after_hspc=True
        ),
        "graft_failure": _graft_failures,
    }
)
