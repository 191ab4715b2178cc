"""Data monitoring: the protocol's stopping rules with their operating characteristics.

A rule stops when P(rate > limit | data) >= cutoff under a beta prior (Thall and Simon 1994;
continuous monitoring of toxicity: Ivanova, Qaqish and Schell 2005). Looks after every patient from
``first_look`` to ``maximum_n``.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.stats import beta, binom

from graftline.tables.format import count, number
from graftline.tables.value import ReportTable, TableColumn, TableRow
from graftline.trial import Trial, followup_ends


def stopping_boundary(
    limit: float, cutoff: float, prior: tuple[float, float], *, first_look: int, maximum_n: int
) -> pl.DataFrame:
    """Smallest number of events that stops, for each number of patients; null = none can.

    Returns
    -------
    DataFrame [n, stop_at]
    """
    patients = range(first_look, maximum_n + 1)
    stops: list[int | None] = []
    for n in patients:
        events = np.arange(n + 1)
        above = beta.sf(limit, prior[0] + events, prior[1] + n - events)
        reached = np.flatnonzero(above >= cutoff)
        stops.append(int(reached[0]) if reached.size else None)
    return pl.DataFrame(
        {"n": list(patients), "stop_at": stops}, schema={"n": pl.Int64, "stop_at": pl.Int64}
    )


def stop_probability(boundary: pl.DataFrame, rate: float) -> tuple[float, float]:
    """Exact chance that a rule stops a trial with this true rate, and the expected patients.

    Works patient by patient through the distribution of events among trials still running.
    """
    stops = dict(boundary.rows())
    last = max(stops)
    running = np.array([1.0])
    stopped, expected = 0.0, 0.0
    for n in range(1, last + 1):
        running = np.convolve(running, binom.pmf([0, 1], 1, rate))
        at = stops.get(n)
        if at is not None:
            out = float(running[at:].sum())
            stopped += out
            expected += n * out
            running[at:] = 0.0
    return stopped, expected + last * float(running.sum())


def operating_characteristics(boundary: pl.DataFrame, rates: Sequence[float]) -> pl.DataFrame:
    """Chance to stop and expected number of patients at each true rate."""
    rows = [(rate, *stop_probability(boundary, rate)) for rate in rates]
    return pl.DataFrame(
        rows,
        schema={"rate": pl.Float64, "stop_probability": pl.Float64, "expected_n": pl.Float64},
        orient="row",
    )


def observed_events(
    trial: Trial, chosen: pl.DataFrame, endpoints: pl.DataFrame, event: str, window_days: float
) -> pl.DataFrame:
    """Events within the window, and how much of the window each patient has lived through.

    ``event`` is an endpoint of the protocol (its event of interest), else a rule (its yes), else
    ``dlt`` (adverse events called dose-limiting).

    Returns
    -------
    DataFrame [patient, event, weight]; weight 1 after an event or the whole window, else the part
    of the window observed; null where neither event nor follow-up is known
    """
    days = _event_days(trial, chosen, endpoints, event)
    ends = followup_ends(trial).select("patient", "end_day")
    days = days.with_columns(undated=pl.col("event_day").is_null())
    infused = trial.patients.filter(pl.col("status").is_in(["infused", "transplanted"]))
    return (
        infused.select("patient")
        .join(days, on="patient", how="left", validate="1:1")
        .join(ends, on="patient", how="left", validate="1:1")
        .with_columns(event=(pl.col("event_day") <= window_days).fill_null(value=False))
        .select(
            "patient",
            "event",
            # an event on an unknown day may lie in the window or behind it
            weight=pl.when(pl.col("undated").fill_null(value=False))
            .then(None)
            .when("event")
            .then(1.0)
            .otherwise((pl.col("end_day") / window_days).clip(0, 1)),
        )
        .sort("patient")
    )


def _event_days(
    trial: Trial, chosen: pl.DataFrame, endpoints: pl.DataFrame, event: str
) -> pl.DataFrame:
    if event in endpoints["endpoint"]:
        rows = endpoints.filter((pl.col("endpoint") == event) & (pl.col("status") == 1))
        return rows.group_by("patient").agg(event_day=pl.col("time_days").min())
    if event == "dlt":
        rows = trial["ae"].filter(pl.col("dlt"))
        return rows.group_by("patient").agg(event_day=pl.col("start_day").min())
    rows = chosen.filter((pl.col("rule") == event) & (pl.col("state") == "yes"))
    return rows.select("patient", event_day="day")


def stopping_tables(
    trial: Trial, chosen: pl.DataFrame, endpoints: pl.DataFrame
) -> tuple[ReportTable, ...]:
    """Each rule of the protocol: boundary, operating characteristics, where the trial stands."""
    made = []
    for rule in trial.protocol.stopping:
        boundary = stopping_boundary(
            rule.limit,
            rule.cutoff,
            rule.prior,
            first_look=rule.first_look,
            maximum_n=rule.maximum_n,
        )
        rates = sorted(
            {0.5 * rule.limit, rule.limit, min(0.95, 1.5 * rule.limit), min(0.99, 2 * rule.limit)}
        )
        operating = operating_characteristics(boundary, rates)
        observed = observed_events(trial, chosen, endpoints, rule.event, rule.window_days)
        rows = [
            *_boundary_rows(boundary),
            *_operating_rows(operating),
            *_standing(observed, rule.limit, rule.prior, rule.cutoff),
        ]
        made.append(
            ReportTable(
                f"stopping-{rule.id}",
                f"Stopping rule: {rule.event.replace('_', ' ')}",
                (TableColumn("What", "left"), TableColumn("Value", "left")),
                tuple(rows),
                boundary,
                (
                    f"Stop when P(rate > {rule.limit:g} | data) is at least {rule.cutoff:g}; prior "
                    f"Beta({rule.prior[0]:g}, {rule.prior[1]:g}); window {rule.window_days:g} "
                    f"days; looks from patient {rule.first_look} to {rule.maximum_n}. "
                    f"Source: {rule.source}.",
                    "Looking after every patient stops trials with an acceptable rate more often "
                    "than a single look would: see the chance at the limit itself.",
                ),
            )
        )
    return tuple(made)


def _boundary_rows(boundary: pl.DataFrame) -> list[TableRow]:
    spans = (
        boundary.drop_nulls()
        .group_by("stop_at", maintain_order=True)
        .agg(first=pl.col("n").min(), last=pl.col("n").max())
    )
    return [
        TableRow(
            (
                f"{k} events" if k != 1 else "1 event",
                f"stop among {a} to {b} patients" if a != b else f"stop among {a} patients",
            ),
            "Boundary",
        )
        for k, a, b in spans.rows()
    ]


def _operating_rows(operating: pl.DataFrame) -> list[TableRow]:
    return [
        TableRow(
            (
                f"True rate {number(100 * rate, digits=1)}%",
                f"stops with chance {number(chance, digits=3)}; expected patients "
                f"{number(expected, digits=1)}",
            ),
            "Operating characteristics",
        )
        for rate, chance, expected in operating.rows()
    ]


def _standing(
    observed: pl.DataFrame, limit: float, prior: tuple[float, float], cutoff: float
) -> list[TableRow]:
    events = int(observed["event"].sum())
    complete = int((observed["weight"] == 1).sum())
    weighted = float(observed["weight"].sum())
    rows = [("Events among patients with the whole window", count(events, complete))]
    for name, n in (("completed only", float(complete)), ("person-time weighted", weighted)):
        above = float(beta.sf(limit, prior[0] + events, prior[1] + max(n - events, 0.0)))
        verdict = "stop" if above >= cutoff else "go on"
        text = f"P(rate > {limit:g}) = {number(above, digits=3)}: {verdict}"
        rows.append((f"Posterior, {name} (n = {number(n, digits=1)})", text))
    unknown = int(observed["weight"].null_count())
    rows.append(("Patients without known follow-up", str(unknown)))
    return [TableRow(row, "This trial") for row in rows]
