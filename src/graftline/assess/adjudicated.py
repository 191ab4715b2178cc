"""What investigators adjudicated, in the shape of an assessment, and where it differs."""

from collections.abc import Sequence

import polars as pl

from graftline.assess.results import as_results
from graftline.assess.sorted_rows import is_first_row
from graftline.trial import Trial


def adjudicated_events(trial: Trial, events: Sequence[str]) -> pl.DataFrame:
    """Rows of ``events`` of the kinds named, with a day for each.

    A day known only as a range takes the middle of the range and ``assumed`` says so.

    Returns
    -------
    DataFrame [row, patient, event, occurred, day, day_low, day_high, end_day, grade, label, timing,
    cause, cd7, site, assumed], sorted by patient, day, row.
    """
    rows = (
        trial["events"]
        .filter(pl.col("event").is_in(list(events)))
        .with_columns(
            occurred=pl.col("occurred").fill_null(value=True),
            assumed=pl.coalesce(
                "assumed",
                pl.when(pl.col("day").is_null() & pl.col("day_low").is_not_null()).then(
                    pl.lit("middle of the range known")
                ),
            ),
            day_low=pl.coalesce("day", "day_low"),
            day_high=pl.coalesce("day", "day_high"),
            day=pl.coalesce("day", (pl.col("day_low") + pl.col("day_high")) / 2),
        )
    )
    return rows.select(
        "row",
        "patient",
        "event",
        "occurred",
        "day",
        "day_low",
        "day_high",
        "end_day",
        "grade",
        "label",
        "timing",
        "cause",
        "cd7",
        "site",
        "assumed",
    ).sort("patient", "day", "row", nulls_last=True)


def worst_adjudicated(trial: Trial, event: str, *, rule: str) -> pl.DataFrame:
    """The investigator's worst grade of one event per patient, as results (source adjudicated).

    ``day`` is the first onset, ``value`` the highest grade, ``label`` the label at that grade.
    A patient with only ``occurred = no`` rows has state no.
    """
    rows = adjudicated_events(trial, [event])
    worst = (
        rows.sort("patient", "grade", "day", descending=[False, True, False], nulls_last=True)
        .group_by("patient", maintain_order=True)
        .agg(
            state=pl.when(pl.col("occurred").any())
            .then(pl.lit("yes"))
            .otherwise(pl.lit("no"))
            .first(),
            value=pl.col("grade").filter(pl.col("occurred")).first().cast(pl.Float64),
            label=pl.col("label").filter(pl.col("occurred")).first(),
            day=pl.col("day").filter(pl.col("occurred")).min(),
            flags=pl.when(pl.col("assumed").is_not_null().any()).then(pl.lit("assumed")).first(),
        )
    )
    return as_results(worst, rule=rule, source="adjudicated")


def preferred(results: pl.DataFrame, *, source: str) -> pl.DataFrame:
    """One row per patient and rule: the preferred source where it has an answer, else the other.

    Parameters
    ----------
    results : assessment
    source : {"adjudicated", "derived"}
        ``protocol.definitions.source_preferred``. A row that is not evaluable yields to the other
        source's yes or no.
    """
    answered = pl.col("state").is_in(["yes", "no"])
    return (
        results.with_columns(
            _rank=pl.when(answered).then(0).otherwise(2) + (pl.col("source") != source)
        )
        .sort("rule", "patient", "_rank")
        .filter(is_first_row("rule", "patient"))
        .drop("_rank")
    )


def disagreements(results: pl.DataFrame, *, day_tolerance: float = 0.5) -> pl.DataFrame:
    """Patients and rules whose derived and adjudicated answers differ; neither is changed.

    Returns
    -------
    DataFrame [patient, rule, what, derived, adjudicated]
        ``what`` is state, value, label or day. Answers that are not evaluable do not disagree.
    """
    answered = results.filter(pl.col("state").is_in(["yes", "no"]))
    pairs = answered.filter(pl.col("source") == "derived").join(
        answered.filter(pl.col("source") == "adjudicated"),
        on=["patient", "rule"],
        how="inner",
        suffix="_adjudicated",
        validate="1:1",
    )
    found = []
    for what in ("state", "value", "label", "day"):
        mine, theirs = pl.col(what), pl.col(f"{what}_adjudicated")
        differ = (mine - theirs).abs() > day_tolerance if what == "day" else mine != theirs
        found.append(
            pairs.filter(differ & mine.is_not_null() & theirs.is_not_null()).select(
                "patient",
                "rule",
                what=pl.lit(what),
                derived=mine.cast(pl.String),
                adjudicated=theirs.cast(pl.String),
            )
        )
    return pl.concat(found).sort("patient", "rule", "what")
