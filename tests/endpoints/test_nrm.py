"""Non-relapse mortality: what it leaves to relapse."""

from graftline.endpoints import derive_endpoint
from tests.endpoints.made import made, made_trial


def test_relapse_and_death_on_one_day_is_relapse():
    trial = made_trial({"A": {"end": 100.0, "dead": True, "hsct": 20.0}})
    answers = made([{"patient": "A", "rule": "relapse", "state": "yes", "day": 100.0}])
    relapse = derive_endpoint(trial, answers, "relapse")
    nrm = derive_endpoint(trial, answers, "non_relapse_mortality")
    assert (relapse["status"].item(), nrm["status"].item()) == (1, 2)
