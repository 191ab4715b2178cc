"""Summaries of assessed rules: how many, which grade, which class, when."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from graftline.tables.format import words
from graftline.tables.statistics import (
    count_rows,
    join_statistics,
    levels_of,
    spread_row,
)

Show = Literal["yes", "grades", "labels", "day", "value", "value_all"]


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One block of a summary: the rule, what is shown of it, and how it is labelled.

    ``yes`` counts patients; ``grades`` counts each grade of ``levels`` (a ``no`` is grade 0);
    ``labels`` counts the classes in ``levels`` (all found, where empty), of those who have one or
    could have; ``day`` and ``value`` are median and range over patients with the event,
    ``value_all`` over every evaluable patient.
    """

    rule: str
    label: str
    show: Show
    group: str
    levels: tuple[tuple[object, str], ...] = ()
    unit: str | None = None
    digits: int = 0
    scale: float = 1.0


def rule_rows(chosen: pl.DataFrame, rule: str) -> pl.DataFrame:
    """Rows of one rule, sorted by patient."""
    return chosen.filter(pl.col("rule") == rule).sort("patient")


def summarise_rules(
    chosen: pl.DataFrame,
    lines: Sequence[RuleLine],
    *,
    everybody: pl.DataFrame | None = None,
    population: str = "All",
) -> pl.DataFrame:
    """Statistics of the rules named, in the order named.

    Rules without any row are left out; patients that could not be evaluated are counted as
    missing, never as "no". A summary of days or values (among patients with the event) counts as
    missing those with the event whose day or value is not known, and those not evaluable.

    Parameters
    ----------
    chosen : assessment, one row per patient and rule
    lines : sequence of RuleLine
    everybody : assessment, optional
        Where ``chosen`` is a subgroup: the whole, whose classes the subgroup prints too.
    """
    everybody = chosen if everybody is None else everybody
    wanted = {line.rule for line in lines}
    parts = chosen.filter(pl.col("rule").is_in(sorted(wanted))).partition_by("rule", as_dict=True)
    frames = []
    for line in lines:
        rows = parts.get((line.rule,))
        if rows is not None:
            whole = everybody.filter(pl.col("rule") == line.rule)
            frames.append(_line(rows, whole, line, population))
    return join_statistics(frames)


def _line(rows: pl.DataFrame, whole: pl.DataFrame, line: RuleLine, population: str) -> pl.DataFrame:
    answered = pl.col("state").is_in(["yes", "no"])
    if line.show == "yes":
        answers = rows.select(pl.when(answered).then(pl.col("state"))).to_series()
        rows_ = count_rows(answers, [("yes", line.label)], group=line.group, population=population)
        return _without_denominator(rows_) if _only_yes_recorded(rows) else rows_
    if line.show == "grades":
        grade = (
            pl.when(pl.col("state") == "yes")
            .then("value")
            .when(pl.col("state") == "no")
            .then(pl.lit(0.0))
        )
        return _classes(rows, whole, grade, line, population)
    if line.show == "labels":
        # who is known to be free of it has no class to miss
        rows = rows.filter((pl.col("state") != "no") | pl.col("label").is_not_null())
        return _classes(rows, whole, pl.when(answered).then("label"), line, population)
    return _spread(rows, line, population)


def _only_yes_recorded(rows: pl.DataFrame) -> bool:
    """Whether nobody is recorded as free of it while others have no record: no proportion then."""
    silent = (rows["state"] == "not_evaluable") & (rows["reason"] == "no_records")
    states = rows["state"]
    return bool(silent.any()) and bool((states == "yes").any()) and not (states == "no").any()


def _without_denominator(counts: pl.DataFrame) -> pl.DataFrame:
    nothing = pl.lit(None)
    return counts.with_columns(
        value=nothing.cast(pl.Float64),
        low=nothing.cast(pl.Float64),
        high=nothing.cast(pl.Float64),
        total=nothing.cast(counts.schema["total"]),
    )


def _classes(
    rows: pl.DataFrame, whole: pl.DataFrame, value: pl.Expr, line: RuleLine, population: str
) -> pl.DataFrame:
    levels = _levels(line, whole.select(value).to_series())
    values = rows.select(value).to_series()
    return count_rows(values, levels, group=line.group, population=population)


def _spread(rows: pl.DataFrame, line: RuleLine, population: str) -> pl.DataFrame:
    if line.show == "value_all":
        rows = rows.with_columns(
            value=pl.when(pl.col("state").is_in(["yes", "no"])).then("value"),
        )
        column = "value"
    else:
        column = line.show
        rows = rows.filter(pl.col("state") != "no").with_columns(
            pl.when(pl.col("state") == "yes").then(column).alias(column)
        )
    return spread_row(
        rows[column] / line.scale,
        group=line.group,
        label=line.label,
        unit=line.unit,
        digits=line.digits,
        population=population,
    )


def _levels(line: RuleLine, values: pl.Series) -> list[tuple[object, str]]:
    if not line.levels:
        found = levels_of(values) or [("", "")]
        return [(value, f"{line.label}: {words(text)}") for value, text in found]
    known = [level for level, _ in line.levels]
    # a class that the table did not foresee is printed, never dropped
    extra = [pair for pair in levels_of(values) if pair[0] not in known]
    return [(value, f"{line.label}: {words(text)}") for value, text in [*line.levels, *extra]]


def evaluable_counts(chosen: pl.DataFrame) -> pl.DataFrame:
    """How many patients each rule could judge, and why not.

    Returns
    -------
    DataFrame [rule, patients, yes, no, not_evaluable, not_yet_evaluable, reasons]
    """
    reasons = (
        chosen.filter(pl.col("reason").is_not_null())
        .group_by("rule", "reason")
        .len()
        .sort("rule", "len", "reason", descending=[False, True, False])
        .group_by("rule", maintain_order=True)
        .agg(reasons=(pl.col("reason") + " " + pl.col("len").cast(pl.String)).str.join("; "))
    )
    return (
        chosen.group_by("rule")
        .agg(
            patients=pl.len(),
            **{
                state: (pl.col("state") == state).sum()
                for state in ("yes", "no", "not_evaluable", "not_yet_evaluable")
            },
        )
        .join(reasons, on="rule", how="left", validate="1:1")
        .sort("rule")
    )
