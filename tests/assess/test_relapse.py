"""Relapse (ELN 2022, NCCN 2022), CD7 classes and type of relapse."""

import polars as pl
import pytest

from graftline.assess.relapse import assess, classify_cd7, find_progression, relapse_type
from tests.assess.build import one, small_trial
from tests.assess.properties import assert_laws_hold

CRI = {"patient": "P1", "event": "response", "day": 14.0, "label": "CRi"}


@pytest.mark.parametrize(
    ("share", "bright", "expected"),
    [
        (80.0, None, "positive"),
        (79.9, None, "dim"),
        (20.0, None, "dim"),
        (19.9, None, "negative"),
        (95.0, 30.0, "positive"),
        (95.0, 29.9, "dim"),
        (10.0, 90.0, "negative"),
        (None, 10.0, "unknown"),
    ],
)
def test_cd7_class_at_each_cut(share, bright, expected):
    frame = pl.DataFrame(
        {"cd7_percent_of_blasts": [share], "cd7_mfi_percent_of_normal_t": [bright]},
        schema={"cd7_percent_of_blasts": pl.Float64, "cd7_mfi_percent_of_normal_t": pl.Float64},
    )
    assert classify_cd7(frame)["cd7"].item() == expected


@pytest.mark.parametrize(
    ("relapse", "baseline", "expected"),
    [
        ("negative", "positive", "CD7-negative"),
        ("dim", "positive", "CD7-dim"),
        ("positive", "positive", "CD7-positive"),
        ("positive", "unknown", "CD7-positive"),
        ("negative", "negative", "unknown"),
        ("negative", "unknown", "unknown"),
        ("unknown", "positive", "unknown"),
    ],
)
def test_type_of_relapse(relapse, baseline, expected):
    frame = pl.DataFrame({"r": [relapse], "b": [baseline]})
    assert frame.select(relapse_type(pl.col("r"), pl.col("b"))).item() == expected


def relapsing(*marrow: dict[str, object], labs=(), imaging=(), definitions=None):
    tables = {"events": [CRI], "marrow": [{"patient": "P1", **row} for row in marrow]}
    if labs:
        tables["labs"] = [{"patient": "P1", "analyte": "blood_blasts", **row} for row in labs]
    if imaging:
        tables["imaging"] = [{"patient": "P1", **row} for row in imaging]
    return small_trial(tables, definitions=definitions)


@pytest.mark.parametrize(
    ("blasts", "definition", "state"),
    [
        (4.9, "eln2022", "no"),
        (5.0, "eln2022", "yes"),
        (5.0, "nccn2022", "no"),  # NCCN: more than 5 %
        (5.1, "nccn2022", "yes"),
    ],
)
def test_marrow_blasts_at_the_limit(blasts, definition, state):
    t = relapsing({"day": 100.0, "blasts_percent": blasts}, definitions={"response": definition})
    found = one(assess(t).results, "relapse")
    assert found["state"] == state


def test_blasts_before_remission_are_not_relapse():
    t = relapsing({"day": 7.0, "blasts_percent": 40.0}, {"day": 30.0, "blasts_percent": 0.0})
    assert one(assess(t).results, "relapse")["state"] == "no"


@pytest.mark.parametrize(("second", "state"), [(106.9, "no"), (107.0, "yes")])
def test_blood_blasts_need_two_samples_a_week_apart(second, state):
    t = relapsing(
        {"day": 60.0, "blasts_percent": 0.0},
        labs=({"day": 100.0, "value": 2.0}, {"day": second, "value": 3.0}),
    )
    found = one(assess(t).results, "relapse")
    assert found["state"] == state
    if state == "yes":
        assert found["day"] == 100.0


def test_new_extramedullary_disease_is_relapse():
    t = relapsing(
        {"day": 60.0, "blasts_percent": 0.0},
        imaging=({"day": 90.0, "modality": "PET-CT", "deauville": 5, "new_lesion": True},),
    )
    done = assess(t)
    assert one(done.results, "relapse")["day"] == 90.0
    assert done.details["relapse_types"]["site"].to_list() == ["extramedullary"]


def test_cd7_negative_relapse_of_a_cd7_positive_leukaemia():
    # Patients 6 and 7 of Hu 2024: CD7 lost, in marrow
    t = relapsing(
        {"day": -6.0, "cd7_percent_of_blasts": 93.0, "blasts_percent": 36.0},
        {"day": 130.0, "cd7_percent_of_blasts": 1.0, "blasts_percent": 30.0},
    )
    done = assess(t)
    assert one(done.results, "relapse")["label"] == "negative"
    assert done.details["relapse_types"]["type"].to_list() == ["CD7-negative"]


def test_never_in_remission_and_no_records():
    ill = small_trial({"marrow": [{"patient": "P1", "day": 28.0, "blasts_percent": 40.0}]})
    assert one(assess(ill).results, "relapse")["reason"] == "never_in_remission"
    assert one(assess(small_trial({})).results, "relapse")["reason"] == "no_records"


@pytest.mark.parametrize(
    ("baseline", "blasts", "progressed"),
    [
        (40.0, 60.0, False),  # exactly half more is not more than half
        (40.0, 60.1, True),
        (20.0, 34.9, False),  # under 30 % at baseline: 15 points needed
        (20.0, 35.0, True),
        (None, 90.0, False),
    ],
)
def test_progression_of_eln_2017(baseline, blasts, progressed):
    visits = pl.DataFrame(
        {
            "patient": ["A"],
            "response_day": [28.0],
            "blasts_percent": [blasts],
            "baseline_blasts_percent": [baseline],
            "overall": ["NR"],
        },
        schema_overrides={"baseline_blasts_percent": pl.Float64},
    )
    never = pl.DataFrame(schema={"patient": pl.String, "remission_day": pl.Float64})
    assert (find_progression(visits, never).height == 1) is progressed


def test_investigators_relapse_and_stated_absence():
    t = small_trial(
        {
            "events": [
                {"patient": "P1", "event": "relapse", "day": 170.4, "cd7": "negative"},
                {"patient": "P2", "event": "relapse", "occurred": False},
            ]
        },
        patients=("P1", "P2"),
    )
    found = assess(t).results.filter(rule="relapse", source="adjudicated").sort("patient")
    assert found["state"].to_list() == ["yes", "no"]
    assert found["label"].to_list() == ["negative", None]
    assert found["day"].to_list() == [170.4, None]


def test_laws():
    t = small_trial(
        {
            "events": [CRI, CRI | {"patient": "P2"}],
            "marrow": [
                {"patient": p, "day": d, "blasts_percent": b, "cd7_percent_of_blasts": c}
                for p, d, b, c in (
                    ("P1", -3.0, 50.0, 90.0),
                    ("P1", 90.0, 9.0, 3.0),
                    ("P2", 90.0, 2.0, None),
                    ("P3", 30.0, 50.0, 99.0),
                )
            ],
        },
        patients=("P1", "P2", "P3"),
    )
    assert_laws_hold(assess, t)
