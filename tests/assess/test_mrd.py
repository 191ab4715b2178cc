"""MRD classes: ELN MRD 2021 (Heuser) and the reading of Hu 2024."""

import polars as pl
import pytest

from graftline.assess.mrd import assess, classify_mrd
from tests.assess.build import frame_of, one, small_trial
from tests.assess.properties import assert_laws_hold


def label_of(definition: str, **row: object) -> tuple[str, str | None]:
    frame = frame_of([{"patient": "A", "day": 14.0, **row}], "marrow")
    columns = pl.DataFrame(schema={"mrd_events": pl.Float64})
    for name in ("specimen", "mrd", "mrd_gate_markers"):
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(None, pl.String).alias(name))
    for name in ("mrd_fraction", "mrd_sensitivity", "day_low", "day_high", *columns.columns):
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(None, pl.Float64).alias(name))
    found = classify_mrd(frame, definition=definition).row(0, named=True)
    return found["label"], found["flags"]


@pytest.mark.parametrize(
    ("definition", "fraction", "expected"),
    [
        # Hu 2024: any leukaemia cell found is positive; the sensitivity is no cut-off
        ("nejm2024", 1e-5, "positive"),
        ("nejm2024", 0.0, "negative"),
        ("any", 1e-6, "positive"),
        ("1e-4", 1e-4, "positive"),
        ("1e-4", 9.9e-5, "negative"),
        # ELN: 0.1 % for AML by flow
        ("1e-3", 1e-3, "positive"),
        ("1e-3", 9.9e-4, "negative"),
    ],
)
def test_cut_off_of_each_definition(definition, fraction, expected):
    assert label_of(definition, mrd_fraction=fraction, mrd_events=1e6)[0] == expected


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ({"mrd_events": 500_000.0, "mrd_sensitivity": 1e-4}, "negative"),
        ({"mrd_events": 499_999.0}, "negative, low sensitivity"),
        ({"mrd_sensitivity": 1.1e-4}, "negative, low sensitivity"),
        ({"mrd_events": 1e6, "mrd_sensitivity": 1e-3}, "negative, low sensitivity"),
    ],
)
def test_what_a_negative_test_must_be_able_to_see(recorded, expected):
    assert label_of("1e-4", mrd="negative", **recorded)[0] == expected


def test_low_sensitivity_does_not_touch_a_positive():
    assert label_of("1e-4", mrd="positive", mrd_events=1000.0)[0] == "positive"


def test_unknown_sensitivity_is_said():
    assert label_of("1e-4", mrd="negative") == ("negative", "sensitivity not recorded")


@pytest.mark.parametrize(
    ("markers", "queried"),
    [("CD7+CD34+CD117", True), ("CD34 + cd7", True), ("CD34+CD117+CD79a", False)],
)
def test_gate_that_relies_on_cd7_is_queried(markers, queried):
    # after CD7 CAR-T, blasts without CD7 would be missed; CD79a is not CD7
    flags = label_of("1e-4", mrd="positive", mrd_gate_markers=markers)[1]
    assert (flags == "gate relies on CD7") is queried


def test_contradiction_is_flagged_not_resolved_silently():
    label, flags = label_of("any", mrd="positive", mrd_fraction=0.0)
    assert (label, flags) == ("positive", "call and fraction disagree")


def in_remission(*tests: dict[str, object], end: float = 400.0, status: str = "alive", **more):
    """CRi by the investigator on day 14; HSCT on day 19."""
    return small_trial(
        {
            "events": [{"patient": "P1", "event": "response", "day": 14.0, "label": "CRi"}],
            "marrow": [{"patient": "P1", **test} for test in tests],
            "followup": [{"patient": "P1", "last_contact_day": end, "status": status}],
            **more,
        },
        hsct_day=19.0,
    )


def test_mrd_at_first_remission_takes_the_nearest_marrow():
    t = in_remission(
        {"day": 0.5, "mrd": "positive"}, {"day": 16.0, "mrd": "negative", "mrd_events": 1e6}
    )
    found = one(assess(t).results, "mrd")
    assert (found["state"], found["label"], found["day"]) == ("yes", "negative", 16.0)


def test_blood_is_not_accepted():
    t = in_remission({"day": 14.0, "mrd": "negative", "specimen": "blood"})
    assert one(assess(t).results, "mrd")["reason"] == "no_records"


def test_low_sensitivity_is_not_evaluable():
    t = in_remission({"day": 14.0, "mrd": "negative", "mrd_events": 1e5})
    found = one(assess(t).results, "mrd")
    assert (found["state"], found["reason"]) == ("not_evaluable", "low_sensitivity")


def test_day_28_after_hsct_and_the_patient_who_died_before():
    t = in_remission({"day": 47.0, "mrd": "negative", "mrd_events": 1e6})
    found = one(assess(t).results, "mrd_day28_after_hsct")
    assert (found["state"], found["day"]) == ("yes", 28.0)
    # Patient 8 of Hu 2024 died 13 days after HSPC
    dead = one(assess(in_remission(end=32.0, status="dead")).results, "mrd_day28_after_hsct")
    assert (dead["state"], dead["reason"]) == ("not_evaluable", "died_before")
    young = one(assess(in_remission(end=32.0)).results, "mrd_day28_after_hsct")
    assert (young["state"], young["until"]) == ("not_yet_evaluable", 28.0)


def test_investigators_call_beside_the_derived():
    t = in_remission(
        {"day": 14.0, "mrd": "negative", "mrd_events": 1e6},
        events=[
            {"patient": "P1", "event": "response", "day": 14.0, "label": "CRi"},
            {"patient": "P1", "event": "mrd", "day": 14.0, "label": "positive"},
        ],
    )
    results = assess(t).results
    assert one(results, "mrd")["state"] == "yes"
    assert one(results, "mrd", source="adjudicated")["state"] == "no"


@pytest.mark.parametrize(
    ("tests", "state", "day", "flags"),
    [
        # negative, positive, positive: converted on the first positive
        ([(28, 0.0), (60, 2e-4), (75, 3e-4)], "yes", 60.0, None),
        ([(28, 0.0), (60, 2e-4), (75, 0.0)], "no", None, None),  # not confirmed
        ([(28, 0.0), (60, 2e-4)], "no", None, "unconfirmed"),
        # never negative: a tenfold rise over the lowest, confirmed
        ([(28, 2e-4), (60, 2e-3), (75, 4e-3)], "yes", 60.0, None),
        ([(28, 2e-4), (60, 1.9e-3), (75, 1.9e-3)], "no", None, None),
        ([(28, 0.0), (60, 0.0)], "no", None, None),
    ],
)
def test_mrd_relapse(tests, state, day, flags):
    # Heuser 2021: conversion, or a rise of one log10, confirmed
    t = in_remission(*({"day": float(d), "mrd_fraction": f, "mrd_events": 1e6} for d, f in tests))
    found = one(assess(t).results, "mrd_relapse")
    assert (found["state"], found["day"], found["flags"]) == (state, day, flags)


def test_one_test_cannot_show_mrd_relapse():
    t = in_remission({"day": 28.0, "mrd": "positive"})
    assert one(assess(t).results, "mrd_relapse")["reason"] == "no_records"


def test_laws():
    people = ("P1", "P2", "P3")
    t = small_trial(
        {
            "marrow": [
                {"patient": p, "day": d, "blasts_percent": 1.0, "mrd": m, "mrd_events": 6e5}
                for p, d, m in (
                    ("P1", 14.0, "negative"),
                    ("P1", 50.0, "positive"),
                    ("P2", 14.0, "positive"),
                    ("P3", 30.0, "negative"),
                )
            ],
            "labs": [
                {"patient": p, "day": 14.0, "analyte": a, "value": 0.1}
                for p in people
                for a in ("anc", "platelets")
            ],
        },
        patients=people,
        hsct_day={"P1": 19.0, "P2": 22.0},
    )
    assert_laws_hold(assess, t)
