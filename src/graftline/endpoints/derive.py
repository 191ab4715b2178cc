"""Every time-to-event endpoint by name: one row per patient, and who was left out."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from graftline.endpoints.alternatives import alternatives
from graftline.endpoints.events import first_events
from graftline.endpoints.people import Answers, people_of
from graftline.endpoints.populations import ATTRITION_SCHEMA, attrition_table, place_at_risk
from graftline.endpoints.registry import REGISTRY, endpoint_spec
from graftline.protocol import Endpoint
from graftline.protocol.strategy import Censor, Entry, Origin, Population
from graftline.trial import Trial

ENDPOINT_SCHEMA: Final = {
    "patient": pl.String,
    "endpoint": pl.String,
    "origin": pl.String,
    "entry_days": pl.Float64,
    "time_days": pl.Float64,
    "status": pl.Int32,
    "cause": pl.String,
    "assumed": pl.Boolean,
}


@dataclass(frozen=True, slots=True)
class Derived:
    """An endpoint of a trial: its rows, why patients were left out, the choices behind it."""

    name: str
    rows: pl.DataFrame
    lost: pl.DataFrame
    spec: Endpoint


def derive_endpoint(
    trial: Trial,
    assessed: Answers,
    name: str,
    *,
    origin: Origin | None = None,
    entry: Entry | None = None,
    population: Population | None = None,
    censor: Censor | None = None,
) -> pl.DataFrame:
    """One endpoint, by the protocol unless a choice is named here.

    Parameters
    ----------
    trial : Trial
    assessed : Answers
    name : str
        An endpoint of ``REGISTRY``, or an alternative of ``alternatives(trial.protocol)``.
    origin, entry, population, censor : optional
        Replace the protocol's choice.

    Returns
    -------
    DataFrame [patient, endpoint, origin, entry_days, time_days, status, cause, assumed], sorted
        ``status`` 0 censored, 1 event of interest, 2, 3, ... competing, named by ``cause``. Events
        on the day of origin or entry get half a day. ``time_days`` null: the event happened on a
        day nobody states; the endpoint is a proportion then, and no curve may be drawn.

    Raises
    ------
    ProtocolError
        The endpoint is not known.
    """
    chosen = {"origin": origin, "entry": entry, "population": population, "censor": censor}
    given = {key: value for key, value in chosen.items() if value is not None}
    people = people_of(trial, assessed)
    other = {a.name: a for a in alternatives(trial.protocol)}.get(name)
    base = name if other is None else other.endpoint
    spec = endpoint_spec(trial.protocol, base) if other is None else other.spec
    return _derive(people, trial, assessed, base, spec.model_copy(update=given), name).rows


def derive_endpoints(trial: Trial, assessed: Answers) -> pl.DataFrame:
    """Every endpoint of the protocol, and the alternatives printed beside them.

    Returns
    -------
    DataFrame [patient, endpoint, origin, entry_days, time_days, status, cause, assumed], sorted by
    endpoint and patient
    """
    rows = [one.rows for one in _everything(trial, assessed)]
    if not rows:
        return pl.DataFrame(schema=ENDPOINT_SCHEMA)
    return pl.concat(rows).sort("endpoint", "patient")


def endpoint_attrition(trial: Trial, assessed: Answers) -> pl.DataFrame:
    """Who was left out of each endpoint of ``derive_endpoints``, step by step.

    Returns
    -------
    DataFrame [endpoint, step, patients, left_out, reason]
    """
    tables = [
        attrition_table(one.lost, one.spec, endpoint=one.name)
        for one in _everything(trial, assessed)
    ]
    if not tables:
        return pl.DataFrame(schema=ATTRITION_SCHEMA)
    return pl.concat(tables)


def _everything(trial: Trial, assessed: Answers) -> list[Derived]:
    people = people_of(trial, assessed)
    own = [
        _derive(people, trial, assessed, name, endpoint_spec(trial.protocol, name), name)
        for name in trial.protocol.endpoints
    ]
    others = [
        _derive(people, trial, assessed, a.endpoint, a.spec, a.name)
        for a in alternatives(trial.protocol)
        if a.spec.censor != "last_response" or _assessments_recorded(trial)
    ]
    return [*own, *others]


def _assessments_recorded(trial: Trial) -> bool:
    """Whether the folder says when the disease was looked at: else strict censoring is empty."""
    recorded = trial["followup"]["last_response_day"].drop_nulls().len() > 0
    return recorded or trial["marrow"].height > 0


def _derive(
    people: pl.DataFrame, trial: Trial, assessed: Answers, base: str, spec: Endpoint, name: str
) -> Derived:
    placed = place_at_risk(people, spec)
    happened = REGISTRY[base][0](people, trial, assessed)
    silent = happened.not_evaluable.group_by("patient").agg(silent=pl.col("reason").sort().first())
    placed = placed.join(silent, on="patient", how="left", validate="1:1").with_columns(
        left_out=pl.coalesce("left_out", "silent")
    )
    at_risk = placed.filter(pl.col("left_out").is_null()).drop("left_out", "silent")
    timed = first_events(at_risk, happened, horizon_days=spec.horizon_days)
    lost = placed.select("patient", "left_out").join(
        timed.select("patient", late="left_out"), on="patient", how="left", validate="1:1"
    )
    lost = lost.select("patient", left_out=pl.coalesce("left_out", "late"))
    rows = (
        timed.filter(pl.col("left_out").is_null())
        .with_columns(endpoint=pl.lit(name), origin=pl.lit(spec.origin))
        .select(pl.col(column).cast(dtype) for column, dtype in ENDPOINT_SCHEMA.items())
    )
    return Derived(name, rows, lost, spec)
