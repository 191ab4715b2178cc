"""What may happen to a patient, dated, and which of it comes first."""

from dataclasses import dataclass

import polars as pl

from graftline.endpoints.people import Answers, answers_to
from graftline.trial import Trial, second_graft_days

SAME_DAY = 0.5  # time given to an event on the day of origin or entry (definitions, section 7)

EVENT_SCHEMA: dict[str, type[pl.DataType]] = {
    "patient": pl.String,
    "at": pl.Float64,
    "status": pl.Int32,
    "cause": pl.String,
    "assumed": pl.Boolean,
    "ends_risk_before": pl.Boolean,
}


@dataclass(frozen=True, slots=True)
class Happenings:
    """Events of one endpoint and the patients it cannot be told for.

    ``events`` has the columns of ``EVENT_SCHEMA``, several rows per patient allowed: ``status`` 1
    is the event of interest, higher numbers compete; ``at`` null is an event on an unknown day;
    ``ends_risk_before`` says that the event before the origin leaves nobody at risk. On one day
    the lowest status counts, then the cause first in ``order``. ``not_evaluable`` is
    [patient, reason]. ``rules_out`` names competing events after which the event of interest
    cannot be: on an unknown day they take the time from their patient too.
    """

    events: pl.DataFrame
    not_evaluable: pl.DataFrame
    order: tuple[str, ...] = ()
    rules_out: tuple[str, ...] = ()


def event_rows(
    frame: pl.DataFrame,
    *,
    status: int,
    cause: str | pl.Expr,
    ends_risk_before: bool = False,
) -> pl.DataFrame:
    """Shape a frame [patient, at, assumed] as events of one status."""
    words = pl.lit(cause) if isinstance(cause, str) else cause
    return frame.select(
        "patient",
        at=pl.col("at").cast(pl.Float64),
        status=pl.lit(status, pl.Int32),
        cause=words.cast(pl.String),
        assumed=pl.col("assumed").fill_null(value=False),
        ends_risk_before=pl.lit(value=ends_risk_before),
    )


def nobody() -> pl.DataFrame:
    """Return a frame [patient, reason] without rows."""
    return pl.DataFrame(schema={"patient": pl.String, "reason": pl.String})


def deaths(people: pl.DataFrame) -> pl.DataFrame:
    """Deaths as [patient, at, assumed, death_cause]."""
    return people.filter("dead").select(
        "patient", "death_cause", at="death_day", assumed="end_assumed"
    )


def relapses(assessed: Answers, *, rule: str = "relapse") -> pl.DataFrame:
    """Relapses (or progressions) by the preferred source as [patient, at, assumed].

    No record of relapse is no event: survival endpoints hold that the patient is free of disease
    until last contact, and the strict variant until the last assessment.
    """
    return (
        answers_to(assessed, rule)
        .filter(pl.col("state") == "yes")
        .select("patient", at="day", assumed=pl.col("assumed") | pl.col("day").is_null())
    )


def relapse_or_progression(assessed: Answers) -> pl.DataFrame:
    """Relapse and progression as events of interest, each its own cause.

    Either before the origin leaves nobody at risk.
    """
    return pl.concat(
        [
            event_rows(relapses(assessed, rule=rule), status=1, cause=rule, ends_risk_before=True)
            for rule in ("relapse", "progression")
        ]
    )


def later_grafts(trial: Trial) -> pl.DataFrame:
    """First DLI or later graft as [patient, at, assumed]."""
    return second_graft_days(trial).select(
        "patient", at="second_graft_day", assumed=pl.lit(value=False)
    )


def graft_failures(people: pl.DataFrame, assessed: Answers) -> pl.DataFrame:
    """Dated graft failures as [patient, at, assumed]; poor graft function is none."""
    return (
        answers_to(assessed, "graft_failure")
        .filter((pl.col("state") == "yes") & (pl.col("label") != "poor graft function"))
        .drop_nulls("day")
        .join(people.select("patient", "hsct_day"), on="patient", how="inner", validate="1:1")
        .select("patient", at=pl.col("day") + pl.col("hsct_day"), assumed="assumed")
    )


def without_records(
    people: pl.DataFrame, assessed: Answers, rule: str, *, also: tuple[str, ...] = ()
) -> pl.DataFrame:
    """Patients for whom nobody recorded whether the event happened, as [patient, reason].

    ``also`` names further reasons for which no time can be given. A patient without an answer to
    the rule has no records either.
    """
    answers = answers_to(assessed, rule).select("patient", "state", "reason")
    asked = people.select("patient").join(answers, on="patient", how="left", validate="1:1")
    reason = pl.when(pl.col("state").is_null()).then(pl.lit("no_records")).otherwise("reason")
    silent = pl.col("state").fill_null("not_evaluable") == "not_evaluable"
    return (
        asked.with_columns(reason=reason)
        .filter(silent & pl.col("reason").is_in(["no_records", *also]))
        .select("patient", reason=pl.format("{}: {}", pl.lit(rule), pl.col("reason")))
    )


def first_events(
    at_risk: pl.DataFrame, happened: Happenings, *, horizon_days: float | None = None
) -> pl.DataFrame:
    """First event per patient from the origin on, else censoring.

    Parameters
    ----------
    at_risk : DataFrame [patient, origin_day, entry_day, censor_day, end_day, assumed, end_assumed]
        One row per patient; ``assumed`` of origin and entry, ``end_assumed`` of the censoring.
    happened : Happenings
    horizon_days : float, optional
        Administrative end: what comes later is censored there; an event exactly then counts.

    Returns
    -------
    DataFrame [patient, entry_days, time_days, status, cause, assumed, left_out], sorted
        ``left_out`` says why a patient is left out: event before the origin, event or censoring
        before entry. An event of interest on an unknown day has ``time_days`` null: it can be
        counted, but no curve may be drawn. A competing event on an unknown day ends nobody's
        risk; ``assumed`` marks the patient.
    """
    known = happened.events.join(
        at_risk.select("patient", "origin_day"), on="patient", how="inner", validate="m:1"
    )
    events = known.drop_nulls("at")
    before = pl.col("at") < pl.col("origin_day")
    barred = events.filter(before & pl.col("ends_risk_before")).select("patient").unique()
    order = {cause: rank for rank, cause in enumerate(happened.order)}
    rank = pl.col("cause").replace_strict(order, default=len(order), return_dtype=pl.Int32)
    first = (
        events.filter(~before)
        .sort("patient", "at", "status", rank, "cause")
        .unique("patient", keep="first", maintain_order=True)
        .select("patient", "at", "status", "cause", event_assumed="assumed")
    )
    rows = at_risk.join(first, on="patient", how="left", validate="1:1").join(
        barred.with_columns(barred=pl.lit(value=True)), on="patient", how="left", validate="1:1"
    )
    return _undated(_clocked(rows, horizon_days), known, happened.rules_out).sort("patient")


def _undated(rows: pl.DataFrame, events: pl.DataFrame, rules_out: tuple[str, ...]) -> pl.DataFrame:
    """Take the time from patients whose event has no day; mark an undated competing event."""
    undated = events.filter(pl.col("at").is_null())
    if undated.height == 0:
        return rows
    decisive = (pl.col("status") == 1) | pl.col("cause").is_in(rules_out)
    of_interest = (
        undated.filter(decisive)
        .sort("patient", "status", "cause")
        .unique("patient", keep="first", maintain_order=True)
        .select("patient", undated_status="status", undated_cause="cause")
    )
    competing = undated.filter(pl.col("status") > 1).select("patient", other=pl.lit(value=True))
    # somebody with a dated event of interest too has a first event all the same
    hidden = pl.col("undated_cause").is_not_null() & (
        (pl.col("status") != 1) | (pl.col("undated_status") > 1)
    )
    return (
        rows.join(of_interest, on="patient", how="left", validate="1:1")
        .join(competing.unique("patient"), on="patient", how="left", validate="1:1")
        .with_columns(
            time_days=pl.when(~hidden).then("time_days"),
            cause=pl.when(hidden).then("undated_cause").otherwise("cause"),
            assumed=pl.col("assumed") | hidden | pl.col("other").fill_null(value=False),
            status=pl.when(hidden).then("undated_status").otherwise("status"),
        )
        .drop("undated_status", "undated_cause", "other")
    )


def _clocked(rows: pl.DataFrame, horizon_days: float | None) -> pl.DataFrame:
    """Days to times: origin, horizon, entry, and half a day for events on day 0."""
    happened = pl.col("at").is_not_null()
    rows = rows.with_columns(
        status=pl.col("status").fill_null(0),
        time_days=pl.when(happened)
        .then(pl.col("at") - pl.col("origin_day"))
        .otherwise(pl.max_horizontal(pl.col("censor_day") - pl.col("origin_day"), 0.0)),
        entry_days=pl.max_horizontal(pl.col("entry_day") - pl.col("origin_day"), 0.0),
        assumed=pl.col("assumed")
        | pl.when(happened).then("event_assumed").otherwise("end_assumed"),
    )
    if horizon_days is not None:
        late = pl.col("time_days") > horizon_days
        rows = rows.with_columns(
            time_days=pl.when(late).then(pl.lit(horizon_days)).otherwise("time_days"),
            status=pl.when(late).then(pl.lit(0, pl.Int32)).otherwise("status"),
        )
    event, entry, time = pl.col("status") > 0, pl.col("entry_days"), pl.col("time_days")
    never_in = (entry > 0) & ((time < entry) | (~event & (time == entry)))
    return rows.select(
        "patient",
        "entry_days",
        time_days=pl.when(event & (time == entry)).then(entry + SAME_DAY).otherwise(time),
        status="status",
        cause=pl.when(event).then("cause"),
        assumed="assumed",
        left_out=pl.when(pl.col("barred"))
        .then(pl.lit("event before the origin"))
        .when(never_in)
        .then(pl.lit("event or censoring before entry")),
    )
