"""First events: late entry, assumed days, the origin of the days read."""

from graftline.assess import (
    engraftment,
    graft_failure,
    gvhd_acute,
    gvhd_chronic,
    infection,
    relapse,
    response,
)
from graftline.endpoints import (
    derive_endpoint,
)
from tests.endpoints.made import made, made_trial, row_of


def test_died_before_entry():
    trial = made_trial(
        {"A": {"end": 20.0, "hsct": 20.0}, "B": {"end": 20.0, "dead": True, "hsct": 20.0}}
    )
    rows = derive_endpoint(trial, made([]), "overall_survival", entry="hspc")
    # censored on the day of entry: no time at risk; a death that day gets half a day
    assert rows["patient"].to_list() == ["B"]
    assert (rows["entry_days"].item(), rows["time_days"].item()) == (20.0, 20.5)


def test_assumed_days_are_carried():
    trial = made_trial({"A": {"end": 100.0, "hsct": 20.0}})
    answers = made(
        [{"patient": "A", "rule": "relapse", "state": "yes", "day": 40.0, "flags": "assumed"}]
    )
    assert row_of(derive_endpoint(trial, answers, "relapse"), "A")["assumed"] is True
    assert row_of(derive_endpoint(trial, answers, "overall_survival"), "A")["assumed"] is False


def test_origins_that_endpoints_add_hsct_to_are_those_of_the_rules():
    # the day of these answers counts from HSPC; a rule that changed its origin would shift times
    from_hspc = {
        "acute_gvhd",
        "chronic_gvhd",
        "graft_failure",
        "neutrophil_engraftment",
        "platelet_engraftment_20",
        "platelet_engraftment_50",
    }
    from_index = {
        "relapse",
        "progression",
        "remission",
        "cmv_dnaemia",
        "ebv_dnaemia",
        "viral_reactivation",
    }
    modules = (
        engraftment,
        graft_failure,
        gvhd_acute,
        gvhd_chronic,
        infection,
        relapse,
        response,
    )
    rules = {rule.id: rule for module in modules for rule in module.RULES}
    assert {rules[name].origin for name in from_hspc} == {"hspc"}
    assert {rules[name].origin for name in from_index} == {"car_t"}
