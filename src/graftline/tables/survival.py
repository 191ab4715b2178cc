"""Every time-to-event endpoint: patients, events, estimate at its horizon, median, follow-up."""

from dataclasses import replace

import polars as pl

from graftline.stats import clopper_pearson, reverse_kaplan_meier
from graftline.tables.analyses import (
    Analysis,
    analyses,
    estimate_incidence,
    estimate_survival,
)
from graftline.tables.format import DAYS_PER_MONTH, estimate_interval, median_range, number
from graftline.tables.value import ReportTable, TableColumn, TableRow
from graftline.trial import Trial


def summarise_endpoints(trial: Trial, endpoints: pl.DataFrame) -> pl.DataFrame:
    """One row per analysis, in full precision; proportions, days, counts.

    Returns
    -------
    DataFrame [endpoint, title, origin, variant, estimator, n, events, competing, assumed, undated,
    horizon_days, at_risk, estimate, lower, upper, median_days, median_lower, median_upper]
        The estimate is survival for endpoints without competing events and cumulative incidence
        for the others; null where nobody is at risk at the horizon any more and it can still
        change. Where an event has no day (``undated``) it is the proportion with the event, exact
        binomial interval (Clopper and Pearson 1934), and neither curve nor median.
    """
    rows = [_summary(trial, analysis) for analysis in analyses(trial, endpoints)]
    return pl.DataFrame(rows, schema=_SUMMARY_SCHEMA, orient="row")


_SUMMARY_SCHEMA: dict[str, type[pl.DataType]] = {
    "endpoint": pl.String,
    "title": pl.String,
    "origin": pl.String,
    "variant": pl.String,
    "estimator": pl.String,
    "n": pl.Int64,
    "events": pl.Int64,
    "competing": pl.Int64,
    "assumed": pl.Int64,
    "undated": pl.Int64,
    "horizon_days": pl.Float64,
    "at_risk": pl.Int64,
    "estimate": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "median_days": pl.Float64,
    "median_lower": pl.Float64,
    "median_upper": pl.Float64,
}


def _summary(trial: Trial, analysis: Analysis) -> dict[str, object]:
    rows, at = analysis.rows, analysis.horizon_days
    made: dict[str, object] = {
        "endpoint": analysis.endpoint,
        "title": analysis.title,
        "origin": analysis.origin,
        "variant": analysis.variant,
        "n": rows.height,
        "events": int((rows["status"] == 1).sum()),
        "competing": int((rows["status"] > 1).sum()),
        "assumed": int(rows["assumed"].sum()),
        "undated": analysis.undated,
        "horizon_days": at,
    }
    if analysis.undated:
        share = clopper_pearson(int((rows["status"] == 1).sum()), rows.height)
        shown = {"estimate": share.estimate, "lower": share.lower, "upper": share.upper}
        return made | shown | {"estimator": "proportion"}
    if analysis.competing:
        incidence = estimate_incidence(analysis).at([at], 1)
        point = (incidence.incidence, incidence.lower, incidence.upper, incidence.at_risk)
        final = False
        made["estimator"] = "Aalen-Johansen"
    else:
        estimate = estimate_survival(
            analysis, interval=trial.protocol.definitions.survival_interval
        )
        survival = estimate.at([at])
        point = (survival.survival, survival.lower, survival.upper, survival.at_risk)
        final = float(survival.survival[0]) == 0.0
        made["estimator"] = "Kaplan-Meier"
        middle = estimate.quantile(0.5)
        made |= {
            "median_days": _finite(middle.value),
            "median_lower": _finite(middle.lower),
            "median_upper": _finite(middle.upper),
        }
    value, lower, upper, at_risk = (float(values[0]) for values in point)
    known = at_risk > 0 or final or _all_decided(analysis)
    made |= {
        "at_risk": int(at_risk),
        "estimate": value if known else None,
        "lower": _finite(lower) if known else None,
        "upper": _finite(upper) if known else None,
    }
    return made


def _all_decided(analysis: Analysis) -> bool:
    """Whether nobody is censored before the horizon, so that the curve is final there."""
    open_rows = (analysis.rows["status"] == 0) & (
        analysis.rows["time_days"] < analysis.horizon_days
    )
    return not bool(open_rows.any())


def _finite(value: object) -> float | None:
    number_ = float(value)  # type: ignore[arg-type]  # numpy scalars of the stats results
    return number_ if number_ == number_ and abs(number_) != float("inf") else None


def endpoint_table(trial: Trial, endpoints: pl.DataFrame) -> ReportTable:
    """Every analysis of every endpoint; alternatives stand under the protocol's own."""
    numbers = summarise_endpoints(trial, endpoints)
    rows = []
    for row in numbers.iter_rows(named=True):
        counted = _counted(row)
        median = _median_text(row) if row["estimator"] == "Kaplan-Meier" else "\N{EN DASH}"
        rows.append(
            TableRow(
                (
                    counted,
                    str(row["n"]),
                    str(row["events"]),
                    str(row["competing"]) if row["estimator"] != "Kaplan-Meier" else "none",
                    _horizon(row["horizon_days"]) if not row["undated"] else "any time",
                    str(row["at_risk"]) if not row["undated"] else "\N{EN DASH}",
                    _estimate_text(row),
                    median,
                    str(row["assumed"]),
                ),
                row["title"],
            )
        )
    table = ReportTable(
        "endpoints",
        "Time-to-event endpoints",
        (
            TableColumn("Counted", "left"),
            TableColumn("n"),
            TableColumn("Events"),
            TableColumn("Competing events"),
            TableColumn("Estimated at"),
            TableColumn("At risk then"),
            TableColumn("Estimate (95% CI)", unit="%"),
            TableColumn("Median (95% CI)", unit="months"),
            TableColumn("Times assumed"),
        ),
        tuple(rows),
        numbers,
        _notes(trial, numbers),
    )
    if (numbers["assumed"] > 0).any():
        return table
    shorter = tuple(replace(row, cells=row.cells[:-1]) for row in rows)
    return replace(table, columns=table.columns[:-1], rows=shorter)


def _counted(row: dict[str, str]) -> str:
    variant = row["variant"].replace("other origin", "").strip("; ")
    return f"from {row['origin']}" + (f"; {variant}" if variant else "")


def _notes(trial: Trial, numbers: pl.DataFrame) -> tuple[str, ...]:
    interval = trial.protocol.definitions.survival_interval
    notes = [
        f"Survival endpoints: Kaplan-Meier with {interval} intervals; the others: cumulative "
        "incidence (Aalen-Johansen) with log-log intervals, competing events counted.",
    ]
    if numbers["estimate"].null_count():
        notes.append("Not estimable: nobody was under observation any more at that time.")
    if (numbers["assumed"] > 0).any():
        notes.append(
            "Times assumed: a day known only as a range is taken at its middle; a competing event "
            "on a day nobody states ends nobody's risk."
        )
    if (numbers["undated"] > 0).any():
        notes.append(
            "As a proportion: the event happened to somebody on a day that is not recorded; no day "
            "is invented for it, so there is no curve."
        )
    if trial.protocol.selection == "reached_hsct":
        notes.append(
            "Counted are patients who reached HSCT, while time starts earlier: none of them could "
            "die before HSCT. Rows with delayed entry put that right."
        )
    return tuple(notes)


def _estimate_text(row: dict[str, float | None]) -> str:
    if row["estimate"] is None:
        return "not estimable"
    if row["undated"]:
        whole = estimate_interval(
            100 * row["estimate"],
            100 * (row["lower"] or 0.0),
            100 * (row["upper"] or 0.0),
            digits=1,
        )
        return f"{whole} as a proportion: {row['undated']:g} without a day"
    scaled = [None if row[k] is None else 100 * (row[k] or 0.0) for k in ("lower", "upper")]
    return estimate_interval(100 * row["estimate"], scaled[0], scaled[1], digits=1)


def _median_text(row: dict[str, float | None]) -> str:
    days = [row[k] for k in ("median_days", "median_lower", "median_upper")]
    value, low, high = (None if d is None else d / DAYS_PER_MONTH for d in days)
    if value is None:
        return "not reached" if low is None else f"not reached ({number(low)} to not reached)"
    return estimate_interval(value, low, high)


def _horizon(days: float) -> str:
    months = days / DAYS_PER_MONTH
    return f"{number(months, digits=0)} months" if months == round(months) else f"day {days:g}"


def summarise_followup(trial: Trial, endpoints: pl.DataFrame) -> pl.DataFrame:
    """Follow-up in two ways that are not the same number: reverse Kaplan-Meier, and of survivors.

    Returns
    -------
    DataFrame [origin, variant, n, reverse_median, reverse_lower, reverse_upper, assumed,
    survivors, survivor_median, survivor_low, survivor_high]; days. One row per analysis of overall
    survival without delayed entry.
    """
    rows = []
    for analysis in analyses(trial, endpoints):
        if analysis.endpoint != "overall_survival" or analysis.late_entry or analysis.undated:
            continue
        times, died = analysis.rows["time_days"], analysis.rows["status"] == 1
        reverse = reverse_kaplan_meier(times.to_numpy(), died.cast(pl.Int64).to_numpy())
        middle = reverse.quantile(0.5)
        alive = times.filter(~died)
        rows.append(
            {
                "origin": analysis.origin,
                "variant": analysis.variant,
                "n": times.len(),
                "reverse_median": _finite(middle.value),
                "reverse_lower": _finite(middle.lower),
                "reverse_upper": _finite(middle.upper),
                "assumed": int(analysis.rows["assumed"].sum()),
                "survivors": alive.len(),
                "survivor_median": alive.median(),
                "survivor_low": alive.min(),
                "survivor_high": alive.max(),
            }
        )
    schema: dict[str, type[pl.DataType]] = {
        "origin": pl.String,
        "variant": pl.String,
        "n": pl.Int64,
        "reverse_median": pl.Float64,
        "reverse_lower": pl.Float64,
        "reverse_upper": pl.Float64,
        "assumed": pl.Int64,
        "survivors": pl.Int64,
        "survivor_median": pl.Float64,
        "survivor_low": pl.Float64,
        "survivor_high": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def followup_table(trial: Trial, endpoints: pl.DataFrame) -> ReportTable:
    """Follow-up by reverse Kaplan-Meier and as the plain median of survivors, side by side."""
    numbers = summarise_followup(trial, endpoints)
    rows = []
    for row in numbers.iter_rows(named=True):
        months = {
            k: None if row[k] is None else row[k] / DAYS_PER_MONTH
            for k in row
            if k.startswith(("reverse", "survivor_"))
        }
        rows.append(
            TableRow(
                (
                    _counted(row),
                    str(row["n"]),
                    estimate_interval(
                        months["reverse_median"], months["reverse_lower"], months["reverse_upper"]
                    ),
                    str(row["survivors"]),
                    median_range(
                        months["survivor_median"], months["survivor_low"], months["survivor_high"]
                    )
                    if row["survivors"]
                    else "no survivor",
                    str(row["assumed"]),
                )
            )
        )
    return ReportTable(
        "followup",
        "Follow-up",
        (
            TableColumn("Counted", "left"),
            TableColumn("n"),
            TableColumn("Median by reverse Kaplan-Meier (95% CI)", unit="months"),
            TableColumn("Survivors"),
            TableColumn("Median of survivors (range)", unit="months"),
            TableColumn("Times assumed"),
        ),
        tuple(rows),
        numbers,
        ("The two medians answer different questions and are not to be compared.",),
    )
