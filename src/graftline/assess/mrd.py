"""Measurable residual disease: every test classed, then at first remission and on day 28."""

from typing import Final, Literal

import polars as pl

from graftline.assess.adjudicated import adjudicated_events, preferred
from graftline.assess.answers import answer_everybody, join_flags
from graftline.assess.population import infused_patients, transplanted_patients
from graftline.assess.response import adjudicated_responses, first_remission, response_visits
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.rules import Read, Rule
from graftline.trial import Trial, followup_ends, hsct_days

Definition = Literal["nejm2024", "any", "1e-4", "1e-3"]
# smallest leukaemia fraction that is positive; nejm2024 and any: whatever the assay finds
_CUT_OFF: Final = {"nejm2024": 0.0, "any": 0.0, "1e-4": 1e-4, "1e-3": 1e-3}
LOW_SENSITIVITY: Final = "negative, low sensitivity"
_READS = (Read("marrow"), Read("events", "event", ("mrd", "response")))

RULES = (
    Rule(
        "mrd",
        "MRD at first remission",
        "MRD test on marrow nearest to the first CR, CRh or CRi, within 14 days. "
        "yes: MRD-negative. A negative test of fewer than 500 000 events, or with a limit of "
        "detection above 1e-4, is not evaluable; blood is not accepted.",
        "heuser2021",
        _READS,
        parameters=("mrd",),
    ),
    Rule(
        "mrd_day28_after_hsct",
        "MRD on day 28 after HSCT",
        "MRD test on marrow nearest to day 28 after HSCT, within 10 days. yes: MRD-negative.",
        "hu2024",
        _READS,
        origin="hspc",
        parameters=("mrd",),
    ),
    Rule(
        "mrd_relapse",
        "MRD relapse",
        "After an MRD-negative test, or from the lowest positive fraction on: conversion to "
        "positive, or a rise of at least tenfold, confirmed by the next test. Day of the first of "
        "the two tests.",
        "heuser2021",
        _READS[:1],
        parameters=("mrd",),
    ),
)


def classify_mrd(
    marrow: pl.DataFrame,
    *,
    definition: Definition = "1e-4",
    minimum_events: float = 500_000,
    maximum_detection_limit: float = 1e-4,
) -> pl.DataFrame:
    """Class of every MRD test.

    Parameters
    ----------
    marrow : DataFrame of the schema's ``marrow``
        Rows with an MRD result; a row without a specimen is marrow. The fraction decides where it
        is given; a positive call without one is positive.
    definition : {"nejm2024", "any", "1e-4", "1e-3"}
        Fraction of leukaemia cells from which a test is positive.
    minimum_events, maximum_detection_limit : float
        What a negative test must have acquired and be able to see, where recorded.

    Returns
    -------
    DataFrame [patient, day, specimen, mrd_fraction, mrd_sensitivity, mrd_events, label, accepted,
    flags], sorted by patient and day
        ``label`` is negative, positive or "negative, low sensitivity"; ``accepted`` is false for
        other specimens than marrow.

    Notes
    -----
    Source: Heuser 2021 (ELN MRD); nejm2024 is Hu 2024, Methods: no evidence of leukaemia cells by
    an assay of sensitivity 1e-4, which is a sensitivity and not a cut-off.
    """
    cut = _CUT_OFF[definition]
    fraction, called = pl.col("mrd_fraction"), pl.col("mrd")
    over = fraction > 0 if cut == 0 else fraction >= cut
    # a fraction of zero beside a positive call is a contradiction: the call stands, and is flagged
    contradicts = ((fraction == 0) & (called == "positive")) | (
        (fraction > 0) & (called == "negative") & over
    )
    contradicts = contradicts.fill_null(value=False)
    positive = (
        pl.when(fraction.is_not_null() & ~((fraction == 0) & (called == "positive")))
        .then(over)
        .otherwise(called == "positive")
    )
    shallow = (pl.col("mrd_events") < minimum_events).fill_null(value=False) | (
        pl.col("mrd_sensitivity") > maximum_detection_limit
    ).fill_null(value=False)
    tests = marrow.filter(called.is_not_null() | fraction.is_not_null()).with_columns(
        specimen=pl.col("specimen").fill_null("marrow"),
        day_known=pl.col("day").is_not_null(),
        contradicts=contradicts,
        day=pl.coalesce("day", (pl.col("day_low") + pl.col("day_high")) / 2),
        label=pl.when(positive)
        .then(pl.lit("positive"))
        .when(shallow)
        .then(pl.lit(LOW_SENSITIVITY))
        .otherwise(pl.lit("negative")),
    )
    return tests.select(
        "patient",
        "day",
        "specimen",
        "mrd_fraction",
        "mrd_sensitivity",
        "mrd_events",
        "label",
        accepted=pl.col("specimen") == "marrow",
        flags=_flags_of_tests(),
    ).sort("patient", "day", "label", nulls_last=True)


def _flags_of_tests() -> pl.Expr:
    """What to know beside the class of a test."""
    unseen = pl.col("mrd_events").is_null() & pl.col("mrd_sensitivity").is_null()
    gates = pl.col("mrd_gate_markers").str.to_uppercase().str.replace_all(" ", "").str.split("+")
    said = {
        "gate relies on CD7": gates.list.contains("CD7"),
        "call and fraction disagree": pl.col("contradicts"),
        "sensitivity not recorded": unseen & (pl.col("label") == "negative"),
        "assumed": ~pl.col("day_known"),
    }
    return join_flags(
        [pl.when(when.fill_null(value=False)).then(pl.lit(text)) for text, when in said.items()]
    )


def mrd_nearest(tests: pl.DataFrame, targets: pl.DataFrame, *, within_days: float) -> pl.DataFrame:
    """The accepted test nearest to each patient's target day; at equal distance the earlier.

    Two tests on the nearest day: positive wins over negative, and a sensitive negative over one
    that is not.

    Parameters
    ----------
    tests : DataFrame of ``classify_mrd``
    targets : DataFrame [patient, target]

    Returns
    -------
    DataFrame [patient, state, label, day, flags, reason], for patients with such a test
    """
    away = (pl.col("day") - pl.col("target")).abs()
    order = pl.col("label").replace_strict({"positive": 0, "negative": 1}, default=2)
    near = (
        tests.filter(pl.col("accepted"))
        .drop_nulls("day")
        .join(targets, on="patient", how="inner", validate="m:1")
        .filter(away <= within_days)
        .sort("patient", away, "day", order)
        .unique("patient", keep="first", maintain_order=True)
    )
    return near.select("patient", "label", "day", "flags", **_state_of_label())


def find_mrd_relapse(tests: pl.DataFrame, *, fold: float = 10.0) -> pl.DataFrame:
    """Confirmed conversion to positive, or confirmed rise of the fraction.

    Parameters
    ----------
    tests : DataFrame of ``classify_mrd``
        Tests that are not on marrow, not dated or of low sensitivity take no part.
    fold : float
        Rise over the lowest positive fraction before.

    Returns
    -------
    DataFrame [patient, state, day, flags, reason], for patients with two tests or more
        A last test that would be a relapse and has no next one is flagged ``unconfirmed``.
    """
    positive = pl.col("label") == "positive"
    order = ("patient", "day")
    rows = (
        tests.filter(pl.col("accepted") & (pl.col("label") != LOW_SENSITIVITY))
        .filter(pl.col("day") > 0)
        .sort(*order, "label")
        .unique(["patient", "day"], keep="last", maintain_order=True)
        .with_columns(
            seen_negative=(~positive).cum_max().shift(1).over("patient").fill_null(value=False),
            lowest=pl.when(positive)
            .then("mrd_fraction")
            .cum_min()
            .forward_fill()
            .shift(1)
            .over("patient"),
            later=positive.shift(-1).over("patient"),
        )
    )
    risen = (pl.col("mrd_fraction") >= fold * pl.col("lowest")).fill_null(value=False)
    sign = positive & (pl.col("seen_negative") | risen)
    return (
        rows.with_columns(sign=sign)
        .group_by("patient", maintain_order=True)
        .agg(
            day=pl.col("day").filter(pl.col("sign") & pl.col("later")).first(),
            waiting=(pl.col("sign") & pl.col("later").is_null()).any(),
            tests=pl.len(),
        )
        .filter(pl.col("tests") > 1)
        .select(
            "patient",
            "day",
            state=pl.when(pl.col("day").is_null()).then(pl.lit("no")).otherwise(pl.lit("yes")),
            flags=pl.when(pl.col("waiting") & pl.col("day").is_null()).then(pl.lit("unconfirmed")),
            reason=pl.lit(None, pl.String),
        )
    )


def _state_of_label() -> dict[str, pl.Expr]:
    label = pl.col("label")
    unsure = label.is_null() | (label == LOW_SENSITIVITY)
    return {
        "state": pl.when(unsure)
        .then(pl.lit("not_evaluable"))
        .when(label == "negative")
        .then(pl.lit("yes"))
        .otherwise(pl.lit("no")),
        "reason": pl.when(label == LOW_SENSITIVITY)
        .then(pl.lit("low_sensitivity"))
        .when(label.is_null())
        .then(pl.lit("no_records")),
    }


def _complete(population: pl.DataFrame, found: pl.DataFrame, why: pl.DataFrame) -> pl.DataFrame:
    """Every patient of the population, with the reason where nothing was found."""
    missing = pl.col("state").is_null()
    return (
        population.select("patient")
        .join(found, on="patient", how="left", validate="1:1")
        .join(why, on="patient", how="left", validate="1:1")
        .with_columns(
            reason=pl.when(missing)
            .then(pl.coalesce("why", pl.lit("no_records")))
            .otherwise("reason"),
            state=pl.coalesce("state", "why_state", pl.lit("not_evaluable")),
        )
        .drop("why", "why_state")
    )


def _day28_reasons(trial: Trial, day: float) -> pl.DataFrame:
    ends = followup_ends(trial).join(
        hsct_days(trial).select("patient", "hsct_day"), on="patient", how="inner", validate="1:1"
    )
    early = (pl.col("end_day") - pl.col("hsct_day")) < day
    died = early & pl.col("dead").fill_null(value=False)
    return ends.select(
        "patient",
        why=pl.when(died)
        .then(pl.lit("died_before"))
        .when(early)
        .then(pl.lit("follow_up_too_short")),
        why_state=pl.when(early & ~died).then(pl.lit("not_yet_evaluable")),
        until=pl.when(early & ~died).then(pl.lit(day)),
    )


def _adjudicated_tests(trial: Trial) -> pl.DataFrame:
    """MRD as investigators called it, shaped like tests on marrow."""
    rows = adjudicated_events(trial, ["mrd"])
    label = pl.col("label").str.strip_chars().str.to_lowercase()
    return rows.select(
        "patient",
        "day",
        label=pl.when(~pl.col("occurred"))
        .then(None)
        .when(label.str.starts_with("neg"))
        .then(pl.lit("negative"))
        .when(label.str.starts_with("pos"))
        .then(pl.lit("positive")),
        accepted=pl.lit(value=True),
        flags=pl.when(pl.col("assumed").is_not_null()).then(pl.lit("assumed")),
    ).drop_nulls("label")


def _remissions(trial: Trial) -> pl.DataFrame:
    """First remission by the preferred source, with its day (null where not stated)."""
    derived = as_results(first_remission(response_visits(trial)), rule="remission")
    called = adjudicated_responses(trial).with_columns(overall_reason=pl.lit(None, pl.String))
    theirs = as_results(first_remission(called), rule="remission", source="adjudicated")
    chosen = preferred(
        combine_results([derived, theirs]), source=trial.protocol.definitions.source_preferred
    )
    return chosen.select("patient", "state", target="day")


def assess(trial: Trial) -> Assessed:
    """MRD at first remission and on day 28 after HSCT, derived and adjudicated.

    Returns
    -------
    Assessed
        Results of ``RULES``; details ``mrd_tests`` (those of ``classify_mrd`` with ``hsct_day``).
    """
    tests = classify_mrd(trial["marrow"], definition=trial.protocol.definitions.mrd)
    called = _adjudicated_tests(trial)
    remissions = _remissions(trial)
    at_remission = remissions.drop_nulls("target").select("patient", "target")
    grafts = hsct_days(trial).select("patient", "hsct_day")
    day28 = grafts.select("patient", target=pl.col("hsct_day") + 28)
    never = remissions.select(
        "patient",
        why=pl.when(pl.col("state") == "no").then(pl.lit("never_in_remission")),
        why_state=pl.lit(None, pl.String),
    )

    def late(found: pl.DataFrame) -> pl.DataFrame:
        return found.join(grafts, on="patient", how="left", validate="1:1").with_columns(
            day=pl.col("day") - pl.col("hsct_day")
        )

    results = [
        as_results(
            _complete(
                infused_patients(trial), mrd_nearest(tests, at_remission, within_days=14), never
            ),
            rule="mrd",
        ),
        as_results(
            mrd_nearest(called, at_remission, within_days=14), rule="mrd", source="adjudicated"
        ),
        as_results(
            _complete(
                transplanted_patients(trial),
                late(mrd_nearest(tests, day28, within_days=10)),
                _day28_reasons(trial, 28.0),
            ),
            rule="mrd_day28_after_hsct",
        ),
        as_results(
            late(mrd_nearest(called, day28, within_days=10)),
            rule="mrd_day28_after_hsct",
            source="adjudicated",
        ),
        as_results(
            answer_everybody(infused_patients(trial), find_mrd_relapse(tests)), rule="mrd_relapse"
        ),
    ]
    detail = tests.join(grafts, on="patient", how="left", validate="m:1").with_columns(
        hsct_day=pl.col("day") - pl.col("hsct_day")
    )
    return Assessed(combine_results(results), {"mrd_tests": detail})
