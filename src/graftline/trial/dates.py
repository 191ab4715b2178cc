"""Calendar dates into study days; afterwards no date is left in a table."""

import polars as pl

from graftline.problems import Severity
from graftline.schema import Table, table
from graftline.trial.files import RawTable
from graftline.trial.findings import Findings

_FORMATS = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
)


def parse_dates(values: pl.Series) -> pl.Series:
    """ISO dates, with or without time, as Datetime; anything else null."""
    if values.dtype in (pl.Date, pl.Datetime):
        return values.cast(pl.Datetime("us"))
    text = values.cast(pl.String).to_frame("v")
    tries = [pl.col("v").str.to_datetime(f, strict=False, time_unit="us") for f in _FORMATS]
    return text.select(pl.coalesce(tries)).to_series()


def index_dates(infusions: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Date of day 0 per patient: the first bag of the index infusion that has a date.

    A bag with both a day and a date fixes day 0 too.

    Returns
    -------
    DataFrame [patient, index]
    """
    if "date" not in infusions.columns:
        return pl.DataFrame(schema={"patient": pl.String, "index": pl.Datetime("us")})
    shift = pl.duration(days=pl.col("day").fill_null(0.0).round())
    return (
        infusions.with_columns(date=parse_dates(infusions["date"]))
        .filter((pl.col("kind") == kind) & pl.col("date").is_not_null())
        .group_by("patient")
        .agg(index=(pl.col("date") - shift).min())
        .sort("patient")
    )


def resolve_days(
    frame: pl.DataFrame, raw: RawTable, index: pl.DataFrame
) -> tuple[pl.DataFrame, Findings]:
    """Fill the day columns of a cast table from its dates, and drop the date columns.

    Parameters
    ----------
    frame : DataFrame
        The table as ``cast_table`` returned it.
    raw : RawTable
        The same table as text (a date may stand in the day column itself).
    index : DataFrame [patient, index]

    Returns
    -------
    frame : DataFrame without date columns
    findings : Findings
        Dates that are none, lack an infusion date, or contradict the day beside them; required
        days that are missing.
    """
    findings = Findings(raw.source.name)
    declared = table(raw.table)
    if "patient" not in declared.names:
        return frame, findings
    frame = frame.join(index, on="patient", how="left", validate="m:1", maintain_order="left")
    for column in declared.columns:
        if column.date_column is None:
            continue
        frame = _from_date(frame, frame, column.name, column.date_column, findings)
        if raw.frame.schema.get(column.name) == pl.String:
            frame = _from_date(frame, raw.frame, column.name, column.name, findings)
        if column.required:
            _check_required_day(frame, column.name, findings, declared)
    dates = [c.date_column for c in declared.columns if c.date_column in frame.columns]
    return frame.drop("index", *dates), findings


def _from_date(
    frame: pl.DataFrame, given: pl.DataFrame, name: str, where: str, findings: Findings
) -> pl.DataFrame:
    if where not in given.columns:
        return frame
    text = given[where].cast(pl.String).str.strip_chars()
    dates = parse_dates(given[where] if given[where].dtype != pl.String else text)
    filled = text.is_not_null() & ~text.is_in(["", "NA"])
    if where == name:  # a day column: only what looks like a date is ours
        filled = filled & text.str.contains(r"^\d{4}-\d\d-\d\d").fill_null(value=False)
    if not filled.any():
        return frame
    places = frame.select("row", "patient", found=pl.lit(None, pl.String))
    _report(
        findings,
        places.filter(filled & dates.is_null()),
        where,
        "a date as YYYY-MM-DD",
        "write it that way; other orders of day and month are not guessed",
    )
    index = frame["index"]
    _report(
        findings,
        places.filter(filled & dates.is_not_null() & index.is_null()),
        where,
        "the date of the patient's index infusion in infusions (column date)",
        "add it, or give study days instead of dates",
    )
    days = _days_between(dates, index)
    clash = ((frame[name] - days).abs() >= 1).fill_null(value=False)
    _report(
        findings,
        places.filter(clash),
        where,
        f"a date that agrees with {name}",
        "correct one of the two",
    )
    if where == name and filled.any():
        findings.rows(
            places.filter(filled).head(1),
            name,
            f"study days, or dates in {name}_date",
            f"dates read as such ({int(filled.sum())} rows)",
            severity=Severity.WARNING,
        )
    return frame.with_columns(pl.coalesce(name, days.alias("_days")).alias(name))


def _days_between(dates: pl.Series, index: pl.Series) -> pl.Series:
    """Days from index to date: with decimals only where both have a time of day."""
    frame = pl.DataFrame({"date": dates, "index": index})
    timed = (pl.col("date").dt.time() != pl.time(0, 0)) & (
        pl.col("index").dt.time() != pl.time(0, 0)
    )
    exact = (pl.col("date") - pl.col("index")).dt.total_seconds(fractional=True) / 86400
    whole = (pl.col("date").dt.date() - pl.col("index").dt.date()).dt.total_days().cast(pl.Float64)
    return frame.select(pl.when(timed).then(exact).otherwise(whole)).to_series()


def _check_required_day(
    frame: pl.DataFrame, name: str, findings: Findings, declared: Table
) -> None:
    missing = frame.filter(pl.col(name).is_null()).select(
        "row", "patient", found=pl.lit(None, pl.String)
    )
    column = declared.column(name)
    what = column.description.lower() if column else name
    known = {problem.row for problem in findings.problems}
    missing = missing.filter(~pl.col("row").is_in(list(known)))
    _report(findings, missing, name, f"a day or a date: {what}", "fill it in, or remove the row")


def _report(findings: Findings, bad: pl.DataFrame, column: str, expected: str, remedy: str) -> None:
    if bad.height:
        findings.rows(bad, column, expected, remedy)
