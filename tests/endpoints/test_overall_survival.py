"""Overall survival: the printed figures of Hu 2024, origins, entry, population."""

import polars as pl
import pytest

from graftline.endpoints import derive_endpoint
from tests.endpoints.made import made, made_trial, row_of
from tests.endpoints.ten import YEAR, kaplan_meier_at, ten


def test_ten_patients_give_the_printed_survival():
    # Hu 2024: OS 68 % and DFS 54 % at 12 months; by hand .9 x 7/8 x 6/7 and that x 4/5
    trial, answers = ten()
    survival = derive_endpoint(trial, answers, "overall_survival")
    assert kaplan_meier_at(survival, YEAR) == pytest.approx(0.9 * 7 / 8 * 6 / 7)
    assert survival.filter(pl.col("time_days") > YEAR).height == 5
    free = derive_endpoint(trial, answers, "disease_free_survival")
    assert kaplan_meier_at(free, YEAR) == pytest.approx(0.675 * 4 / 5)


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
