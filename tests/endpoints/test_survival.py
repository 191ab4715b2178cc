"""Overall, disease-free, relapse-free and event-free survival."""

import polars as pl
import pytest

from graftline.endpoints import derive_endpoint
from graftline.protocol import shipped_protocol
from tests.endpoints.made import made, made_trial, row_of
from tests.endpoints.ten import TEN, incidence_at, kaplan_meier_at, ten

YEAR = 365.25


def test_ten_patients_give_the_printed_survival():
    # Hu 2024: OS 68 % and DFS 54 % at 12 months; by hand .9 x 7/8 x 6/7 and that x 4/5
    trial, answers = ten()
    survival = derive_endpoint(trial, answers, "overall_survival")
    assert kaplan_meier_at(survival, YEAR) == pytest.approx(0.9 * 7 / 8 * 6 / 7)
    assert survival.filter(pl.col("time_days") > YEAR).height == 5
    free = derive_endpoint(trial, answers, "disease_free_survival")
    assert kaplan_meier_at(free, YEAR) == pytest.approx(0.675 * 4 / 5)


def test_ten_patients_give_the_competing_risks():
    # definitions, section 7: relapse 0.2475, NRM 0.1 + 0.9 / 8 = 0.2125; with DFS they sum to 1
    trial, answers = ten()
    relapse = incidence_at(derive_endpoint(trial, answers, "relapse"), YEAR)
    nrm = incidence_at(derive_endpoint(trial, answers, "non_relapse_mortality"), YEAR)
    assert relapse == pytest.approx(0.2475)
    assert nrm == pytest.approx(0.2125)
    free = kaplan_meier_at(derive_endpoint(trial, answers, "disease_free_survival"), YEAR)
    assert relapse + nrm + free == pytest.approx(1.0)


def test_at_risk_from_hsct_on_nobody_is_immortal():
    # entry at HSCT: Patient 1 enters on day 89, so only nine are at risk at the first death
    trial, answers = ten()
    rows = derive_endpoint(trial, answers, "overall_survival_entry_at_hsct")
    assert row_of(rows, "P1")["entry_days"] == 89.0
    first = rows.filter(pl.col("time_days") == 32.0)
    assert first["patient"].to_list() == ["P8"]
    at_risk = rows.filter((pl.col("entry_days") < 32) & (pl.col("time_days") >= 32)).height
    assert at_risk == 9
    assert rows.height == 10


def test_time_from_hsct():
    trial, answers = ten()
    rows = derive_endpoint(trial, answers, "overall_survival_from_hsct")
    # Patient 8 died 13 days after HSPC
    assert row_of(rows, "P8")["time_days"] == 13.0
    assert set(rows["origin"]) == {"hspc"}


def test_causes():
    trial, answers = ten()
    survival = derive_endpoint(trial, answers, "overall_survival")
    assert row_of(survival, "P8")["cause"] == "infection"
    assert row_of(survival, "P1")["cause"] is None
    free = derive_endpoint(trial, answers, "disease_free_survival")
    assert row_of(free, "P7")["cause"] == "relapse"
    assert row_of(free, "P4")["cause"] == "death without relapse"


def test_event_on_day_0_gets_half_a_day():
    trial = made_trial({"A": {"end": 0.0, "dead": True, "hsct": 0.0}, "B": {"end": 5.0, "hsct": 1}})
    rows = derive_endpoint(trial, made([]), "overall_survival")
    assert (row_of(rows, "A")["time_days"], row_of(rows, "A")["status"]) == (0.5, 1)


def test_relapse_and_death_on_one_day_is_relapse():
    trial = made_trial({"A": {"end": 100.0, "dead": True, "hsct": 20.0}})
    answers = made([{"patient": "A", "rule": "relapse", "state": "yes", "day": 100.0}])
    relapse = derive_endpoint(trial, answers, "relapse")
    nrm = derive_endpoint(trial, answers, "non_relapse_mortality")
    assert (relapse["status"].item(), nrm["status"].item()) == (1, 2)


def test_relapse_before_hsct_leaves_nobody_at_risk_after_it():
    trial = made_trial({"A": {"end": 100.0, "hsct": 60.0}})
    answers = made([{"patient": "A", "rule": "relapse", "state": "yes", "day": 40.0}])
    assert derive_endpoint(trial, answers, "relapse", origin="hspc").height == 0
    assert derive_endpoint(trial, answers, "relapse").height == 1


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


def test_whoever_never_came_to_hsct_stays_in_the_infused():
    people = {"A": {"end": 300.0, "hsct": 20.0}, "B": {"end": 25.0, "dead": True}}
    trial, answers = made_trial(people), made([])
    assert derive_endpoint(trial, answers, "overall_survival").height == 1
    everyone = derive_endpoint(trial, answers, "overall_survival", population="infused")
    assert everyone["status"].to_list() == [0, 1]


def test_enrolment_as_origin():
    trial = made_trial({"A": {"end": 30.0, "dead": True, "enrolled": -40.0}})
    rows = derive_endpoint(
        trial, made([]), "overall_survival", origin="enrolment", population="enrolled"
    )
    assert rows["time_days"].item() == 70.0


class TestEventFree:
    """ELN 2022: no remission by day 60 is an event on day 0."""

    def row(self, person: dict, remission: dict | None, *, relapse: float | None = None):
        rows = []
        if remission is not None:
            rows.append({"patient": "A", "rule": "remission", **remission})
        if relapse is not None:
            rows.append({"patient": "A", "rule": "relapse", "state": "yes", "day": relapse})
        frame = derive_endpoint(
            made_trial({"A": {"hsct": 20.0} | person}), made(rows), "event_free_survival"
        )
        return frame.row(0, named=True) if frame.height else None

    @pytest.mark.parametrize(("day", "time"), [(60.0, 200.0), (60.5, 0.5)])
    def test_remission_on_and_after_the_landmark(self, day, time):
        assert self.row({"end": 200.0}, {"state": "yes", "day": day})["time_days"] == time

    def test_no_remission(self):
        row = self.row({"end": 200.0}, {"state": "no"})
        assert (row["time_days"], row["status"]) == (0.5, 1)
        assert row["cause"] == "no remission by day 60"

    def test_not_at_the_landmark_yet(self):
        row = self.row({"end": 59.0}, {"state": "no"})
        assert (row["time_days"], row["status"]) == (59.0, 0)

    def test_died_early_with_and_without_assessment(self):
        assessed = self.row({"end": 30.0, "dead": True}, {"state": "no"})
        assert assessed["time_days"] == 0.5
        silent = self.row({"end": 30.0, "dead": True}, None)
        assert (silent["time_days"], silent["cause"]) == (30.0, "death without relapse")

    def test_nobody_looked(self):
        unknown = {"state": "not_evaluable", "reason": "no_records"}
        assert self.row({"end": 200.0}, unknown) is None

    def test_relapse_after_remission(self):
        row = self.row({"end": 200.0}, {"state": "yes", "day": 14.0}, relapse=90.0)
        assert (row["time_days"], row["cause"]) == (90.0, "relapse")


def test_registry_folder_counts_from_hspc():
    protocol = shipped_protocol("all-in-one-2024").model_copy(
        update={"index_infusion": "hspc", "endpoints": {}}
    )
    people = {"A": {"end": 300.0, "dead": True, "hsct": 0.0, "car_t": None}}
    rows = derive_endpoint(made_trial(people, protocol=protocol), made([]), "overall_survival")
    assert (rows["origin"].item(), rows["time_days"].item()) == ("hspc", 300.0)
