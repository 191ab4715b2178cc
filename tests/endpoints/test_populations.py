"""Population, origin, entry, and who was left out at which step."""

import polars as pl

from graftline.endpoints import (
    derive_endpoints,
    endpoint_attrition,
    endpoint_spec,
)
from tests.endpoints.made import made, made_trial
from tests.endpoints.ten import ten


def test_attrition_says_who_left_and_why():
    people = {
        "A": {"end": 100.0, "hsct": 20.0},
        "B": {"end": 30.0},  # never transplanted
        "C": {"end": 60.0, "hsct": 20.0},
        "D": {"end": 50.0, "hsct": 20.0},
        "E": {"end": 90.0, "car_t": None, "status": "screened"},
    }
    trial = made_trial(people)
    answers = made([{"patient": "D", "rule": "relapse", "state": "yes", "day": 10.0}])
    table = endpoint_attrition(trial, answers).filter(endpoint="relapse_from_hsct")
    assert table.drop("endpoint").rows() == [
        ("in the trial", 5, 0, None),
        ("with HSPC", 3, 2, "no HSPC"),
        ("analysed", 2, 1, "event before the origin"),
    ]


def test_no_follow_up_at_all_is_left_out_and_said():
    trial = made_trial({"A": {"status": "enrolled", "enrolled": 0.0, "car_t": None}})
    protocol = trial.protocol
    spec = endpoint_spec(protocol, "overall_survival").model_copy(
        update={"origin": "enrolment", "population": "enrolled"}
    )
    other = made_trial(
        {"A": {"status": "enrolled", "enrolled": 0.0, "car_t": None}, "B": {"end": 9.0}},
        protocol=protocol.model_copy(update={"endpoints": {"overall_survival": spec}}),
    )
    table = endpoint_attrition(other, made([])).filter(endpoint="overall_survival")
    assert table["reason"].to_list() == [
        None,
        None,
        "day of enrolment unknown",
        "no follow-up recorded",
    ]


def test_no_endpoint_loses_a_patient_without_saying_so():
    trial, answers = ten()
    rows = derive_endpoints(trial, answers).group_by("endpoint").len()
    table = endpoint_attrition(trial, answers)
    last = table.group_by("endpoint", maintain_order=True).agg(pl.col("patients").last())
    joined = last.join(rows, on="endpoint", how="left").with_columns(pl.col("len").fill_null(0))
    assert joined["patients"].to_list() == joined["len"].to_list()
