"""GVHD incidence, GRFS, engraftment and reactivation: what counts, and what competes."""

import polars as pl
import pytest

from graftline.endpoints import derive_endpoint
from tests.endpoints.made import made, made_trial, row_of

NO_GVHD = {"rule": "acute_gvhd", "state": "no"}


def acute(patient: str, *steps: tuple[float | None, int], source: str = "adjudicated"):
    """The course of one patient: (day after HSPC, grade)."""
    return pl.DataFrame(
        [
            {
                "patient": patient,
                "day": None if d is None else d + 20.0,
                "hsct_day": d,
                "grade": g,
                "timing": "after HSPC",
                "source": source,
            }
            for d, g in steps
        ],
        schema={
            "patient": pl.String,
            "day": pl.Float64,
            "hsct_day": pl.Float64,
            "grade": pl.Int64,
            "timing": pl.String,
            "source": pl.String,
        },
    )


def chronic(patient: str, day: float | None, severity: str, treated: bool | None):
    return pl.DataFrame(
        {
            "patient": [patient],
            "day": [None if day is None else day + 20.0],
            "hsct_day": [day],
            "severity": [severity],
            "systemic_treatment": [treated],
            "source": ["adjudicated"],
        },
        schema_overrides={
            "day": pl.Float64,
            "hsct_day": pl.Float64,
            "systemic_treatment": pl.Boolean,
        },
    )


def one(name: str, *, person=None, rows=(), details=None, extra=None):
    trial = made_trial({"A": {"end": 400.0, "hsct": 20.0} | (person or {})}, extra=extra)
    answers = made([{"patient": "A", **row} for row in rows], details=details)
    frame = derive_endpoint(trial, answers, name)
    return frame.row(0, named=True) if frame.height else None


YES = {"rule": "acute_gvhd", "state": "yes", "value": 3.0, "day": 30.0}


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


def test_unknown_day_is_the_middle_of_what_is_possible_and_assumed():
    # known only: grade 2 after HSPC and by day 100
    rows = [YES | {"value": 2.0, "day": None}]
    row = one("acute_gvhd_2_4", rows=rows, details={"acute_gvhd_course": acute("A", (None, 2))})
    assert (row["status"], row["time_days"], row["assumed"]) == (1, 50.0, True)


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


CHRONIC = {"rule": "chronic_gvhd", "state": "yes", "label": "moderate", "day": 150.0}


@pytest.mark.parametrize(
    ("severity", "any_", "moderate"), [("mild", 1, 0), ("moderate", 1, 1), ("severe", 1, 1)]
)
def test_chronic_gvhd_by_severity(severity, any_, moderate):
    details = {"chronic_gvhd_course": chronic("A", 150.0, severity, None)}
    rows = [CHRONIC | {"label": severity}]
    assert one("chronic_gvhd", rows=rows, details=details)["status"] == any_
    row = one("chronic_gvhd_moderate_severe", rows=rows, details=details)
    assert row["status"] == moderate


def test_grfs_of_patient_1_is_no_event():
    # definitions, section 7: Patient 1, acute grade 2 only, is no event of GRFS
    details = {"acute_gvhd_course": acute("A", (30.0, 2))}
    row = one("grfs", rows=[YES | {"value": 2.0}], details=details)
    assert (row["status"], row["time_days"]) == (0, 380.0)


@pytest.mark.parametrize(("name", "status"), [("grfs", 1), ("refined_grfs", 0)])
def test_moderate_chronic_gvhd_on_steroids_at_day_150(name, status):
    # definitions, section 7: an event of Holtan's GRFS, not of the refined one
    details = {"chronic_gvhd_course": chronic("A", 150.0, "moderate", True)}
    row = one(name, rows=[NO_GVHD, CHRONIC], details=details)
    assert row["status"] == status


@pytest.mark.parametrize(
    ("severity", "treated", "drug", "status", "assumed"),
    [
        ("mild", True, None, 1, False),
        ("mild", False, None, 0, False),
        ("mild", None, None, 0, False),
        ("moderate", None, None, 1, True),  # NIH: moderate is treated systemically
        ("mild", None, "oral", 1, False),
        ("mild", None, "topical", 0, False),
        ("moderate", False, None, 0, False),
    ],
)
def test_systemic_treatment_said_recorded_or_taken(severity, treated, drug, status, assumed):
    extra = {}
    if drug is not None:
        extra["drugs"] = [
            {
                "patient": "A",
                "drug": "prednisone",
                "route": drug,
                "start_day": 172.0,
                "indication": "gvhd",
            }
        ]
    details = {"chronic_gvhd_course": chronic("A", 150.0, severity, treated)}
    rows = [NO_GVHD, CHRONIC | {"label": severity}]
    row = one("grfs", rows=rows, details=details, extra=extra)
    assert (row["status"], row["assumed"]) == (status, assumed)


def test_acute_grade_3_relapse_and_death_end_grfs():
    course = {"acute_gvhd_course": acute("A", (120.0, 3))}
    assert one("grfs", rows=[YES], details=course)["time_days"] == 120.0
    relapse = {"rule": "relapse", "state": "yes", "day": 90.0}
    assert one("grfs", rows=[NO_GVHD, relapse])["cause"] == "relapse"
    assert one("grfs", rows=[NO_GVHD], person={"end": 60.0, "dead": True})["cause"] == "death"


ENGRAFTED = {"rule": "neutrophil_engraftment", "state": "yes", "value": 12.0, "day": 12.0}


def test_engraftment_and_what_competes():
    assert one("neutrophil_engraftment", rows=[ENGRAFTED])["time_days"] == 12.0
    none = {"rule": "neutrophil_engraftment", "state": "no"}
    died = one("neutrophil_engraftment", rows=[none], person={"end": 33.0, "dead": True})
    assert (died["time_days"], died["status"]) == (13.0, 2)
    late = one("neutrophil_engraftment", rows=[ENGRAFTED | {"value": 61.0, "day": 61.0}])
    assert (late["status"], late["time_days"]) == (0, 60.0)  # horizon of the protocol


def test_counts_never_low_give_no_day():
    never = {
        "rule": "neutrophil_engraftment",
        "state": "not_evaluable",
        "reason": "never_below",
    }
    assert one("neutrophil_engraftment", rows=[never]) is None


def test_engraftment_on_an_unknown_day_is_left_out():
    # Hu 2024 states who engrafted, not when: the day is the whole point of the curve
    assert one("neutrophil_engraftment", rows=[ENGRAFTED | {"value": None, "day": None}]) is None


def test_reactivation_from_car_t():
    rows = [{"rule": "cmv_dnaemia", "state": "yes", "day": 35.0}]
    row = one("cmv_reactivation", rows=rows)
    assert (row["time_days"], row["status"], row["origin"]) == (35.0, 1, "car_t")


def test_every_patient_has_one_row():
    trial = made_trial({p: {"end": 200.0, "hsct": 20.0} for p in "AB"})
    course = pl.concat([acute("A", (22.0, 1), (30.0, 2), (40.0, 2)), acute("B", (50.0, 4))])
    answers = made([{"patient": p, **YES} for p in "AB"], details={"acute_gvhd_course": course})
    rows = derive_endpoint(trial, answers, "acute_gvhd_2_4")
    assert rows["patient"].to_list() == ["A", "B"]
    assert row_of(rows, "B")["time_days"] == 50.0
