"""Non-relapse mortality: what it leaves to relapse."""

from graftline.endpoints import derive_endpoint
from tests.endpoints.made import made, made_trial


def test_relapse_and_death_on_one_day_is_relapse():
    trial = made_trial({"A": {"end": 100.0, "dead": True, "hsct": 20.0}})
    answers = made([{"patient": "A", "rule": "relapse", "state": "yes", "day": 100.0}])
    relapse = derive_endpoint(trial, answers, "relapse")
    nrm = derive_endpoint(trial, answers, "non_relapse_mortality")
    assert (relapse["status"].item(), nrm["status"].item()) == (1, 2)


def test_death_after_a_relapse_without_a_day_is_no_non_relapse_death():
    # the 187 children: 28 relapses have no time; 23 of those patients died
    trial = made_trial({"A": {"end": 80.0, "dead": True, "hsct": 20.0}})
    answers = made([{"patient": "A", "rule": "relapse", "state": "yes", "day": None}])
    row = derive_endpoint(trial, answers, "non_relapse_mortality").row(0, named=True)
    assert (row["status"], row["time_days"], row["cause"]) == (2, None, "relapse")
