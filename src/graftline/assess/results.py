"""The one shape of an assessment: patient, rule, state, value, label, day, and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

State = Literal["yes", "no", "not_evaluable", "not_yet_evaluable"]
STATES: tuple[State, ...] = ("yes", "no", "not_evaluable", "not_yet_evaluable")

RESULT_SCHEMA: dict[str, type[pl.DataType]] = {
    "patient": pl.String,
    "rule": pl.String,
    "state": pl.String,
    "value": pl.Float64,
    "label": pl.String,
    "day": pl.Float64,
    "lower_bound": pl.Boolean,
    "flags": pl.String,
    "reason": pl.String,
    "until": pl.Float64,
    "source": pl.String,
}


def as_written(number: pl.Expr) -> pl.Expr:
    """A number as people write it in a sentence: 14 and 14.5, not 14.0."""
    return number.cast(pl.Float64).cast(pl.String).str.strip_suffix(".0")


@dataclass(frozen=True, slots=True)
class Assessed:
    """What one criterion makes of a trial: results, and the tables behind them by name."""

    results: pl.DataFrame
    details: Mapping[str, pl.DataFrame] = field(default_factory=dict)


def as_results(frame: pl.DataFrame, *, rule: str, source: str = "derived") -> pl.DataFrame:
    """Give a rule's frame the columns of an assessment.

    Parameters
    ----------
    frame : DataFrame with ``patient`` and ``state``, and any of the other columns
        One row per patient. ``flags`` is text, several joined by ``"; "``; missing columns are
        null, ``lower_bound`` false.
    rule : str
        Id of the rule.
    source : {"derived", "adjudicated"}

    Returns
    -------
    DataFrame [patient, rule, state, value, label, day, lower_bound, flags, reason, until, source]
        Sorted by patient.
    """
    frame = frame.with_columns(rule=pl.lit(rule), source=pl.lit(source))
    columns = [
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in RESULT_SCHEMA.items()
        if name != "patient"
    ]
    return (
        frame.select("patient", *columns)
        .with_columns(pl.col("lower_bound").fill_null(value=False))
        .sort("patient")
    )


def empty_results() -> pl.DataFrame:
    """Return an assessment without rows."""
    return pl.DataFrame(schema=RESULT_SCHEMA)


def combine_results(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Join assessments of several rules, sorted by rule, patient and source."""
    if not frames:
        return empty_results()
    pieces: dict[str, list[pl.DataFrame]] = {}
    for frame in frames:
        for rule, piece in _rules_of(frame):
            pieces.setdefault(rule, []).append(piece)
    # rules are put in order as wholes: sorting a million rows by text would take most of the time
    ordered = [pl.concat(pieces[rule]).sort("patient", "source") for rule in sorted(pieces)]
    return pl.concat(ordered or frames, rechunk=True)


def _rules_of(frame: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Unbroken runs of rows of one rule; an assessment has one or a few for each rule."""
    start = 0
    for run in frame["rule"].rle():
        yield run["value"], frame.slice(start, run["len"])
        start += run["len"]
