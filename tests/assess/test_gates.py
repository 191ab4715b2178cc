"""Gate to HSCT and safety list: worked examples of the definitions, section 8.1."""

from typing import Any

import pytest

from graftline.assess import gates
from graftline.trial import Trial
from tests.assess.build import one, small_trial
from tests.assess.gate_made import before, worked
from tests.assess.properties import assert_laws_hold


def gate_of(trial: Trial) -> dict[str, Any]:
    return one(gates.assess(trial, before(trial)).results, "gate_to_hsct")


def test_worked_example_meets_the_gate():
    found = gate_of(worked())
    assert (found["state"], found["label"], found["day"]) == ("yes", "met", 16.0)


def test_prior_allo_hsct_stops_2024_and_not_2025():
    stopped = gate_of(worked(prior=True))
    assert (stopped["state"], stopped["flags"]) == ("no", "no_prior_allo_hsct: not met")
    assert gate_of(worked(prior=True, strategy="all-in-one-2025"))["state"] == "yes"


def test_car_t_twelve_days_old_needs_data():
    found = gate_of(worked(car_t_day=4.0))
    assert (found["state"], found["reason"]) == ("not_evaluable", "needs_data")
    assert found["flags"] == "car_t_detectable: unknown"


@pytest.mark.parametrize("strategy", ["all-in-one-2024", "all-in-one-2025"])
def test_seven_percent_blasts_is_no_cri(strategy):
    assert gate_of(worked(blasts=7.0, strategy=strategy))["state"] == "no"


def test_mrd_positive_cri_is_allowed():
    # Patient 6 of Hu 2024 went on with MRD-positive CRi
    marrow = [
        {
            "patient": "P1",
            "day": 14.0,
            "blasts_percent": 1.0,
            "cellularity_percent": 5.0,
            "mrd": "positive",
        }
    ]
    assert gate_of(worked(more={"marrow": marrow}))["state"] == "yes"


def test_not_recorded_prior_transplant_is_unknown_not_absent():
    assert gate_of(worked(prior=None))["flags"] == "no_prior_allo_hsct: unknown"


@pytest.mark.parametrize(("hsct", "state"), [(28.0, "yes"), (29.0, "not_evaluable")])
def test_remission_fourteen_days_old_counts_fifteen_does_not(hsct, state):
    qpcr = [
        {"patient": "P1", "day": hsct - 1, "analyte": "car_t_flow", "value": 200.0, "lloq": 1.0},
        *(
            {"patient": "P1", "day": d, "analyte": a, "value": v}
            for d in (14.0, hsct)
            for a, v in (("anc", 0.1), ("platelets", 12.0), ("hemoglobin", 70.0))
        ),
    ]
    assert gate_of(worked(hsct=hsct, more={"labs": qpcr}))["state"] == state


def test_without_hsct_the_first_day_on_which_the_gate_was_met():
    marrow = [
        {"patient": "P1", "day": d, "blasts_percent": b, "cellularity_percent": 5.0}
        for d, b in ((10.0, 30.0), (14.0, 1.0), (18.0, 1.0))
    ]
    found = gate_of(worked(hsct=None, more={"marrow": marrow}))
    assert (found["state"], found["day"]) == ("yes", 14.0)


def test_every_decision_is_in_the_table():
    trial = worked()
    detail = gates.assess(trial, before(trial)).details["gate_criteria"]
    assert detail["decision_day"].unique().sort().to_list() == [14.0, 16.0]
    gate = detail.filter(list="gate", decision_day=16.0)
    assert gate["criterion"].to_list() == [c.id for c in trial.protocol.gate]
    assert set(gate["met"]) == {"met"}
    seen = gate.filter(criterion="car_t_detectable").row(0, named=True)
    assert seen["observed"] == "car_t_detectable = yes (3 d before)"
    assert seen["record"].startswith("labs row")


def test_safety_is_unknown_until_somebody_writes_it_down():
    trial = worked()
    done = gates.assess(trial, before(trial))
    found = one(done.results, "safety_before_hsct")
    assert (found["state"], found["reason"]) == ("not_evaluable", "needs_data")
    met = done.details["gate_criteria"].filter(list="safety")["met"]
    assert set(met) == {"unknown"}


def safety(criterion: str, **tables: Any) -> str:
    trial = worked(more=tables)
    detail = gates.assess(trial, before(trial)).details["gate_criteria"]
    return detail.filter(list="safety", criterion=criterion, decision_day=16.0)["met"].item()


def infection(**row: Any) -> list[dict[str, Any]]:
    return [{"patient": "P1", "organism": "E. coli", "kind": "bacteria", **row}]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"start_day": 8.0, "end_day": 20.0, "site": "blood"}, "not met"),
        ({"start_day": 8.0, "end_day": 12.0, "site": "blood"}, "met"),
        ({"start_day": 1.0, "end_day": 8.9, "site": "blood"}, "unknown"),  # ended 7.1 d before
        ({"start_day": 12.0}, "not met"),  # no last day, began four days ago
        ({"start_day": 2.0}, "unknown"),  # no last day, long ago
        ({"start_day": 14.0, "end_day": 18.0, "ctcae_grade": 2, "site": "mouth"}, "met"),
        ({"start_day": 20.0}, "unknown"),  # after the decision
    ],
)
def test_infection(row, expected):
    assert safety("infection_controlled", infections=infection(**row)) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([{"occurred": False}], "met"),
        ([{"day": 1.0, "end_day": 10.0, "grade": 3}], "met"),
        ([{"day": 1.0, "end_day": 18.0, "grade": 2}], "not met"),
        ([{"day": 1.0, "end_day": 18.0, "grade": 1}], "met"),
        ([{"day": 1.0, "grade": 2}], "unknown"),
        ([{"day": 1.0, "end_day": 4.0, "grade": 2}, {"day": 14.0, "grade": 2}], "unknown"),
    ],
)
def test_crs_as_the_investigator_states_it(events, expected):
    rows = [{"patient": "P1", "event": "crs", **e} for e in events]
    assert safety("crs_settled", events=rows) == expected


def test_gvhd_stated_for_the_time_after_hspc_says_nothing_about_the_day():
    row = {"patient": "P1", "event": "acute_gvhd", "occurred": False, "timing": "after HSPC"}
    assert safety("no_active_gvhd", events=[row]) == "unknown"
    # Patient 2 of Hu 2024: skin GVHD from day 7 to day 11
    skin = row | {"occurred": True, "timing": "before HSPC", "day": 7.0, "end_day": 11.0}
    assert safety("no_active_gvhd", events=[skin]) == "met"


@pytest.mark.parametrize(
    ("cleared", "antibodies", "ready", "free"),
    [
        (True, False, "met", "met"),
        (False, True, "not met", "not met"),
        (None, None, "unknown", "unknown"),
    ],
)
def test_donor(cleared, antibodies, ready, free):
    donors = [
        {
            "patient": "P1",
            "donor": "D1",
            "role": "hspc",
            "cleared": cleared,
            "donor_specific_antibodies": antibodies,
        }
    ]
    assert safety("donor_ready", donors=donors) == ready
    assert safety("no_donor_specific_antibodies", donors=donors) == free


def test_one_donor_not_examined_leaves_it_open():
    donors = [
        {"patient": "P1", "donor": d, "role": "hspc", "cleared": c}
        for d, c in (("D1", True), ("D2", None))
    ]
    assert safety("donor_ready", donors=donors) == "unknown"


def test_a_strategy_without_a_gate_decides_nothing():
    found = gate_of(worked(strategy="ns7car"))
    assert (found["state"], found["reason"]) == ("not_evaluable", "no_criteria")


def test_laws():
    rows = [
        {"patient": p, "day": d, "blasts_percent": b, "cellularity_percent": c}
        for p, d, b, c in (
            ("P1", 14.0, 1.0, 5.0),
            ("P2", 14.0, 30.0, 60.0),
            ("P2", 28.0, 2.0, None),
            ("P3", 14.0, 0.0, 20.0),
        )
    ]
    counts = [
        {"patient": p, "day": 14.0, "analyte": a, "value": v}
        for p in ("P1", "P2", "P3")
        for a, v in (("anc", 0.2), ("platelets", 15.0), ("car_t_qpcr", 900.0))
    ]
    infections = [
        {"patient": "P3", "organism": "E. coli", "kind": "bacteria", "start_day": 9.0},
        {"patient": "P3", "organism": "Candida", "kind": "yeast", "start_day": 12.0},
    ]
    trial = small_trial(
        {"marrow": rows, "labs": counts, "infections": infections},
        patients=("P1", "P2", "P3", "P4"),
        hsct_day={"P1": 16.0, "P3": 19.0},
    )
    assert_laws_hold(lambda t: gates.assess(t, before(t)), trial)
