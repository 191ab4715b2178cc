"""Relapse against death without it."""

import pytest

from graftline.endpoints import derive_endpoint
from tests.endpoints.made import made, made_trial
from tests.endpoints.ten import YEAR, incidence_at, kaplan_meier_at, ten


def test_ten_patients_give_the_competing_risks():
    # definitions, section 7: relapse 0.2475, NRM 0.1 + 0.9 / 8 = 0.2125; with DFS they sum to 1
    trial, answers = ten()
    relapse = incidence_at(derive_endpoint(trial, answers, "relapse"), YEAR)
    nrm = incidence_at(derive_endpoint(trial, answers, "non_relapse_mortality"), YEAR)
    assert relapse == pytest.approx(0.2475)
    assert nrm == pytest.approx(0.2125)
    free = kaplan_meier_at(derive_endpoint(trial, answers, "disease_free_survival"), YEAR)
    assert relapse + nrm + free == pytest.approx(1.0)


def test_relapse_before_hsct_leaves_nobody_at_risk_after_it():
    trial = made_trial({"A": {"end": 100.0, "hsct": 60.0}})
    answers = made([{"patient": "A", "rule": "relapse", "state": "yes", "day": 40.0}])
    assert derive_endpoint(trial, answers, "relapse", origin="hspc").height == 0
    assert derive_endpoint(trial, answers, "relapse").height == 1
