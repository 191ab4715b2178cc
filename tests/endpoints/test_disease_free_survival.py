"""Disease-free and relapse-free survival, at last contact and at the last assessment."""

from graftline.endpoints import derive_endpoint
from tests.endpoints.made import made, made_trial, row_of
from tests.endpoints.ten import TEN, ten


def test_progression_ends_disease_free_survival():
    trial = made_trial({"A": {"end": 100.0, "hsct": 60.0}})
    answers = made([{"patient": "A", "rule": "progression", "state": "yes", "day": 30.0}])
    row = derive_endpoint(trial, answers, "disease_free_survival").row(0, named=True)
    assert (row["time_days"], row["status"], row["cause"]) == (30.0, 1, "progression")


def test_strict_censoring_at_the_last_response_assessment():
    people = {
        "A": {"end": 300.0, "response": 120.0, "hsct": 20.0},
        "B": {"end": 300.0, "dead": True, "response": 120.0, "hsct": 20.0},
        "C": {"end": 300.0, "hsct": 20.0},
    }
    trial, answers = made_trial(people), made([])
    paper = derive_endpoint(trial, answers, "disease_free_survival")
    strict = derive_endpoint(trial, answers, "disease_free_survival_strict")
    assert paper["time_days"].to_list() == [300.0] * 3
    # a death after the last assessment is an event all the same; never assessed claims nothing
    assert strict["time_days"].to_list() == [120.0, 300.0, 0.0]
    assert strict["status"].to_list() == [0, 1, 0]


def test_relapse_free_survival_starts_at_remission():
    trial, answers = ten()
    rows = derive_endpoint(trial, answers, "relapse_free_survival")
    assert row_of(rows, "P8")["time_days"] == 32.0 - 14.0
    assert rows.height == len(TEN)
