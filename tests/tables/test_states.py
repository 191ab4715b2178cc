"""State occupation; truth is the worked trial, by hand (WORKED.md gives the days), and laws."""

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assess.assessment import assess_trial
from graftline.endpoints import clinical_stays, derive_endpoint
from graftline.stats import cumulative_incidence, kaplan_meier
from graftline.tables.states import (
    count_in_states,
    estimate_states,
    not_estimable,
    occupation_table,
    state_answers,
    stay_length_table,
    summarise_occupation,
    transition_table,
)
from graftline.trial.read import read_trial
from tests.endpoints.made import made, made_trial
from tests.endpoints.test_states import gvhd, no_gvhd, relapse

WORKED = Path(__file__).parents[2] / "examples" / "worked-trial"


@cache
def worked():
    trial = read_trial(WORKED)
    return trial, assess_trial(trial)


@cache
def estimated(name):
    return estimate_states(clinical_stays(*worked(), name))


# HSCT on days 19, 16, 22, 25, 18, 20 (W1-W6); W7 progresses on 40 and dies on 75, W6 dies on 33,
# W5 relapses on 130 and dies on 146, W2 dies on 150; W8 is never transplanted. The first patient
# is censored on day 200, after the last event, so shares are counts of eight.
@pytest.mark.parametrize(
    ("day", "eighths"),
    [
        (15.0, (8, 0, 0, 0)),
        (17.0, (7, 1, 0, 0)),
        (50.0, (1, 5, 1, 1)),
        (100.0, (1, 5, 0, 2)),
        (140.0, (1, 4, 1, 2)),
        (365.0, (1, 3, 0, 4)),
    ],
)
def test_where_the_eight_patients_are_by_hand(day, eighths):
    found = estimated("car_t_to_hsct").occupation.at([day])
    assert found["probability"].to_list() == pytest.approx([n / 8 for n in eighths], abs=1e-12)


# W2 reaches grade II on h25 and W3 on h28; W6 dies on h13, W5 relapses on h112 and dies on h128,
# W2 dies on h134; the first is censored on h275
@pytest.mark.parametrize(
    ("day", "sixths"),
    [(20.0, (5, 0, 0, 1)), (30.0, (3, 2, 0, 1)), (115.0, (2, 2, 1, 1)), (200.0, (2, 1, 0, 3))],
)
def test_where_the_six_transplanted_are_by_hand(day, sixths):
    found = estimated("after_hsct").occupation.at([day])
    assert found["probability"].to_list() == pytest.approx([n / 6 for n in sixths], abs=1e-12)


def test_time_in_each_state_within_a_year_by_hand():
    # infused: 160 days until HSCT or progression, and W8 all along; relapse 35 + 16 days;
    # death 4 x 365.25 - (33 + 75 + 146 + 150)
    mean = estimated("car_t_to_hsct").length.mean
    assert mean == pytest.approx([525.25 / 8, 1288.75 / 8, 51 / 8, 1057 / 8], rel=1e-12)
    assert mean.sum() == pytest.approx(365.25)


def test_death_is_one_minus_survival_in_the_worked_trial():
    trial, assessed = worked()
    days = np.arange(0.0, 400.0, 7.0)
    found = estimated("car_t_to_hsct").occupation.at(days)
    rows = derive_endpoint(trial, assessed, "overall_survival")
    survival = kaplan_meier(rows["time_days"], rows["status"]).at(days).survival
    dead = found.filter(pl.col("state") == "death")["probability"].to_numpy()
    assert dead == pytest.approx(1 - survival, abs=1e-12)


def test_numbers_under_the_figure_by_hand():
    clinical = estimated("car_t_to_hsct").clinical
    counts = count_in_states(clinical.stays, clinical.model.states, [0.0, 50.0, 250.0])
    # on day 250 W8 is censored: three in HSCT are left, four are dead
    assert counts["patients"].to_list() == [8, 0, 0, 0, 1, 5, 1, 1, 0, 3, 0, 4]
    assert counts["observed"].unique(maintain_order=True).to_list() == [8, 7, 3]


def test_tables_print_what_was_worked():
    estimate = estimated("car_t_to_hsct")
    printed = occupation_table(estimate)
    by_day = {(r.group, r.cells[0]): r.cells[1:] for r in printed.rows}
    assert by_day["Day 100", "HSCT"][0] == "5"
    assert by_day["Day 100", "HSCT"][1].startswith("62.5 (")
    assert by_day["Day 100", "relapse or progression"] == ("0", "0.0")
    assert ("24 months", "HSCT") not in by_day
    transitions = {r.cells[0]: r.cells[1:] for r in transition_table(estimate).rows}
    assert transitions["infused"] == ("6", "1", "0", "1")
    assert transitions["HSCT"] == ("\N{EN DASH}", "1", "2", "3")
    assert stay_length_table(estimate).rows[3].cells == ("death", "4.3 (1.7\N{EN DASH}7.0)")


@st.composite
def cohorts(draw):
    """Relapse on even days, death and last contact on odd ones: never both on one."""
    people, rows = {}, []
    for name in "ABCDEFGH"[: draw(st.integers(2, 8))]:
        hsct = draw(st.one_of(st.none(), st.integers(1, 60)))
        end = 2 * ((hsct or 0) + draw(st.integers(1, 100))) + 1
        people[name] = {"end": end, "dead": draw(st.booleans()), "hsct": hsct}
        if draw(st.booleans()):
            rows.append(relapse(name, 2.0 * draw(st.integers(1, end // 2))))
        grade = gvhd(name, float(draw(st.integers(1, 30)))) if draw(st.booleans()) else None
        rows.append(grade if grade and hsct else no_gvhd(name))
    people["Z"] = {"end": 999, "dead": True}
    rows.append(no_gvhd("Z"))
    return people, rows


@settings(max_examples=25, deadline=None, derandomize=True)
@given(cohorts())
def test_on_every_day_everybody_is_somewhere(cohort):
    people, rows = cohort
    for clinical in state_answers(made_trial(people), made(rows)):
        estimate = estimate_states(clinical)
        if estimate is None:
            assert not clinical.stays["status"].sum()
            continue
        total = estimate.occupation.probability.sum(axis=0)
        assert total == pytest.approx(np.ones(total.size), abs=1e-9)
        assert (estimate.occupation.probability > -1e-12).all()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(cohorts())
def test_without_censoring_death_is_one_minus_survival(cohort):
    people, rows = cohort
    for person in people.values():
        person["dead"] = True
    trial, answers = made_trial(people), made(rows)
    occupation = estimate_states(clinical_stays(trial, answers, "car_t_to_hsct")).occupation
    survival = derive_endpoint(trial, answers, "overall_survival", population="infused")
    days = np.arange(0.0, 1000.0)
    dead = occupation.at(days).filter(pl.col("state") == "death")["probability"].to_numpy()
    alive = kaplan_meier(survival["time_days"], survival["status"]).at(days).survival
    assert dead == pytest.approx(1 - alive, abs=1e-9)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(cohorts())
def test_without_hsct_relapse_and_death_are_the_two_incidences(cohort):
    people, rows = cohort
    relapsed = {r["patient"] for r in rows if r["rule"] == "relapse"}
    for name, person in people.items():
        person["hsct"] = None
        # nobody dies in relapse, so that whoever relapsed stays there
        person["dead"] = person["dead"] and name not in relapsed
    trial, answers = made_trial(people), made(rows)
    occupation = estimate_states(clinical_stays(trial, answers, "car_t_to_hsct")).occupation
    events = derive_endpoint(trial, answers, "relapse", population="infused")
    days = np.arange(0.0, 1000.0, 3.0)
    curves = cumulative_incidence(events["time_days"], events["status"], causes=(1, 2))
    for cause, state in ((1, "relapse or progression"), (2, "death")):
        share = occupation.at(days).filter(pl.col("state") == state)["probability"].to_numpy()
        assert share == pytest.approx(curves.at(days, cause).incidence, abs=1e-9)


def test_a_relapse_without_a_day_is_said_and_nothing_is_estimated():
    trial = made_trial({"A": {"end": 90}, "B": {"hsct": 20, "end": 100, "dead": True}})
    (clinical, *_) = state_answers(trial, made([relapse("A", None)]))
    # the shipped strategy selects those who reached HSCT: A never comes under observation
    assert clinical.estimable
    clinical = clinical_stays(trial, made([relapse("A", None)]), "car_t_to_hsct")
    assert estimate_states(clinical) is None
    assert "relapse or progression in 1 patient)" in not_estimable(clinical)
    assert "No day is invented" in not_estimable(clinical)


def test_patients_selected_for_hsct_are_observed_from_hsct_on():
    trial = made_trial({"A": {"hsct": 20, "end": 500}, "B": {"hsct": 30, "end": 60, "dead": True}})
    (clinical, *_) = state_answers(trial, made([]))
    assert trial.protocol.selection == "reached_hsct"
    assert clinical.model.states == ("HSCT", "relapse or progression", "death")
    assert "observed from HSCT on" in clinical.model.title
    numbers = summarise_occupation(estimate_states(clinical), days=(100.0,))
    assert numbers["probability"].to_list() == [0.5, 0.0, 0.5]
