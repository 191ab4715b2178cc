"""GRFS of Holtan and its refined form: the examples of the definitions, section 7."""

import pytest

from tests.endpoints.gvhd_made import CHRONIC, NO_GVHD, YES, acute, chronic, one


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
