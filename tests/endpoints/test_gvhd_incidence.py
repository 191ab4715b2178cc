"""Acute and chronic GVHD: what counts, by when, and what competes."""

import polars as pl
import pytest

from graftline.endpoints import derive_endpoint
from tests.endpoints.gvhd_made import CHRONIC, NO_GVHD, YES, acute, chronic, one
from tests.endpoints.made import made, made_trial, row_of


@pytest.mark.parametrize(
    ("name", "time"), [("acute_gvhd_1_4", 22.0), ("acute_gvhd_2_4", 30.0), ("acute_gvhd_3_4", 45.0)]
)
def test_first_day_at_each_grade(name, time):
    course = acute("A", (22.0, 1), (30.0, 2), (45.0, 3), (60.0, 1))
    row = one(name, rows=[YES], details={"acute_gvhd_course": course})
    assert (row["time_days"], row["status"]) == (time, 1)


@pytest.mark.parametrize(("day", "status", "time"), [(100.0, 1, 100.0), (100.5, 0, 100.0)])
def test_day_100_counts_and_later_does_not(day, status, time):
    row = one("acute_gvhd_2_4", rows=[YES], details={"acute_gvhd_course": acute("A", (day, 2))})
    assert (row["status"], row["time_days"]) == (status, time)


@pytest.mark.parametrize(
    ("rows", "person", "extra", "cause", "status"),
    [
        ([], {"end": 52.0, "dead": True}, None, "death", 2),
        ([{"rule": "relapse", "state": "yes", "day": 70.0}], {}, None, "relapse", 3),
        (
            [],
            {},
            {
                "infusions": [
                    {"patient": "A", "day": 0.0, "kind": "car_t"},
                    {"patient": "A", "day": 20.0, "kind": "hspc"},
                    {"patient": "A", "day": 80.0, "kind": "dli"},
                ]
            },
            "second graft or DLI",
            4,
        ),
        (
            [{"rule": "graft_failure", "state": "yes", "label": "primary", "day": 30.0}],
            {},
            None,
            "graft failure",
            5,
        ),
    ],
)
def test_what_competes_with_acute_gvhd(rows, person, extra, cause, status):
    row = one("acute_gvhd_2_4", person=person, rows=[NO_GVHD, *rows], extra=extra)
    assert (row["cause"], row["status"]) == (cause, status)


def test_relapse_before_hsct_does_not_compete():
    relapse = {"rule": "relapse", "state": "yes", "day": 10.0}
    row = one("acute_gvhd_2_4", rows=[NO_GVHD, relapse])
    assert (row["status"], row["time_days"]) == (0, 100.0)


def test_gvhd_before_hspc_is_not_this_endpoint():
    # Patient 2 of Hu 2024: skin GVHD on day 7 after CAR-T, before HSPC
    course = acute("A", (-13.0, 2))
    row = one("acute_gvhd_1_4", rows=[NO_GVHD], details={"acute_gvhd_course": course})
    assert row["status"] == 0


def test_an_event_on_an_unknown_day_is_counted_without_a_time():
    # known only: grade 2 after HSPC and by day 100
    rows = [YES | {"value": 2.0, "day": None}]
    row = one("acute_gvhd_2_4", rows=rows, details={"acute_gvhd_course": acute("A", (None, 2))})
    assert (row["status"], row["time_days"], row["assumed"]) == (1, None, True)


def test_no_record_of_gvhd_is_not_no_gvhd():
    assert one("acute_gvhd_2_4", rows=[]) is None
    unknown = {"rule": "acute_gvhd", "state": "not_evaluable", "reason": "no_records"}
    assert one("acute_gvhd_2_4", rows=[unknown]) is None
    died = unknown | {"reason": "died_before"}
    row = one("acute_gvhd_2_4", person={"end": 33.0, "dead": True}, rows=[died])
    assert (row["time_days"], row["status"]) == (13.0, 2)


def test_only_the_preferred_source_speaks():
    course = pl.concat([acute("A", (40.0, 2)), acute("A", (25.0, 3), source="derived")])
    row = one("acute_gvhd_2_4", rows=[YES | {"value": 2.0}], details={"acute_gvhd_course": course})
    assert row["time_days"] == 40.0


@pytest.mark.parametrize(
    ("severity", "any_", "moderate"), [("mild", 1, 0), ("moderate", 1, 1), ("severe", 1, 1)]
)
def test_chronic_gvhd_by_severity(severity, any_, moderate):
    details = {"chronic_gvhd_course": chronic("A", 150.0, severity, None)}
    rows = [CHRONIC | {"label": severity}]
    assert one("chronic_gvhd", rows=rows, details=details)["status"] == any_
    row = one("chronic_gvhd_moderate_severe", rows=rows, details=details)
    assert row["status"] == moderate


def test_every_patient_has_one_row():
    trial = made_trial({p: {"end": 200.0, "hsct": 20.0} for p in "AB"})
    course = pl.concat([acute("A", (22.0, 1), (30.0, 2), (40.0, 2)), acute("B", (50.0, 4))])
    answers = made([{"patient": p, **YES} for p in "AB"], details={"acute_gvhd_course": course})
    rows = derive_endpoint(trial, answers, "acute_gvhd_2_4")
    assert rows["patient"].to_list() == ["A", "B"]
    assert row_of(rows, "B")["time_days"] == 50.0
