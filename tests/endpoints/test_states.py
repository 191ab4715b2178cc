"""Stays of the ready-made models: what becomes a stay, in which order, and what never does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.endpoints import CLINICAL_MODELS, clinical_stays
from graftline.endpoints.states import STAY_SCHEMA
from graftline.problems import ProtocolError
from tests.endpoints.made import made, made_trial

RELAPSE, GVHD = "relapse or progression", "acute GVHD II-IV"


def relapse(patient, day, **more):
    return {"patient": patient, "rule": "relapse", "state": "yes", "day": day, **more}


def no_gvhd(patient):
    return {"patient": patient, "rule": "acute_gvhd", "state": "no"}


def gvhd(patient, day, grade=2.0):
    """Day counts from HSPC, as the rule has it."""
    return no_gvhd(patient) | {"state": "yes", "value": grade, "day": day}


def stays_of(people, rows=(), name="car_t_to_hsct", **options):
    return clinical_stays(made_trial(people), made(rows), name, **options)


def moves(found):
    return found.stays.select("from_state", "to_state", "start_days", "stop_days").rows()


def test_each_transition_opens_the_next_stay_and_the_last_one_is_open():
    found = stays_of({"A": {"hsct": 20, "end": 300}}, [relapse("A", 100.0)])
    assert dict(found.stays.schema) == STAY_SCHEMA
    assert moves(found) == [
        ("infused", "HSCT", 0, 20),
        ("HSCT", RELAPSE, 20, 100),
        (RELAPSE, None, 100, 300),
    ]
    assert found.stays["status"].to_list() == [1, 1, 0]


def test_hsct_after_relapse_is_no_transition():
    found = stays_of({"A": {"hsct": 60, "end": 90, "dead": True}}, [relapse("A", 40.0)])
    assert moves(found) == [("infused", RELAPSE, 0, 40), (RELAPSE, "death", 40, 90)]


def test_on_one_day_the_order_of_the_states_counts_half_a_day_apart():
    found = stays_of({"A": {"hsct": 30, "end": 30, "dead": True}}, [relapse("A", 30.0)])
    assert moves(found) == [
        ("infused", "HSCT", 0, 30),
        ("HSCT", RELAPSE, 30, 30.5),
        (RELAPSE, "death", 30.5, 31),
    ]


def test_on_the_day_of_infusion_half_a_day():
    found = stays_of({"A": {"end": 0, "dead": True}, "B": {"end": 0}})
    assert moves(found) == [("infused", "death", 0, 0.5), ("infused", None, 0, 0)]


def test_nobody_is_followed_after_the_last_transition_without_later_contact():
    found = stays_of({"A": {"hsct": 30, "end": 30}})
    assert moves(found) == [("infused", "HSCT", 0, 30)]


@pytest.mark.parametrize(
    ("person", "rows", "state"),
    [
        ({"end": 90}, [relapse("A", None)], RELAPSE),
        ({"end": None, "dead": True}, [], "death"),
        ({"end": 90, "status": "transplanted"}, [], "HSCT"),
    ],
)
def test_a_transition_without_a_day_makes_the_model_not_estimable(person, rows, state):
    found = stays_of({"A": person, "B": {"hsct": 20, "end": 100}}, rows)
    assert found.undated.rows() == [("A", state)]
    assert not found.estimable
    # nothing is invented for A, B keeps what is known
    assert found.stays["patient"].unique().to_list() == ["B"]


def test_a_dated_progression_stands_for_a_relapse_without_a_day():
    progression = relapse("A", 50.0) | {"rule": "progression"}
    found = stays_of({"A": {"end": 90}}, [relapse("A", None), progression])
    assert found.estimable
    assert moves(found)[0] == ("infused", RELAPSE, 0, 50)


def test_after_hsct_days_count_from_hspc_and_gvhd_below_grade_two_is_none():
    people = {"A": {"hsct": 20, "end": 220}, "B": {"hsct": 30, "end": 130, "dead": True}}
    found = stays_of(people, [gvhd("A", 25.0), gvhd("B", 25.0, 1.0)], "after_hsct")
    assert moves(found) == [
        ("HSCT", GVHD, 0, 25),
        (GVHD, None, 25, 200),
        ("HSCT", "death", 0, 100),
    ]


def test_who_is_left_out_after_hsct_and_why():
    people = {
        "A": {"hsct": 60, "end": 220},
        "B": {"end": 100},
        "C": {"hsct": 20, "end": 100},
        "D": {"end": 90, "status": "transplanted"},
    }
    rows = [relapse("A", 40.0), no_gvhd("A"), no_gvhd("B"), no_gvhd("D")]
    found = stays_of(people, rows, "after_hsct")
    assert dict(found.left_out.rows()) == {
        "A": "relapse or progression before the origin",
        "B": "no HSPC",
        "C": "acute_gvhd: no_records",
        "D": "day of HSCT unknown",
    }
    assert found.stays.is_empty()
    assert not found.estimable


def test_delayed_entry_takes_out_what_came_before_hsct():
    people = {"A": {"hsct": 20, "end": 100}, "B": {"end": 90}, "C": {"hsct": 60, "end": 80}}
    found = stays_of(people, [relapse("C", 40.0)], entry="hspc")
    assert moves(found) == [("HSCT", None, 20, 100), (RELAPSE, None, 60, 80)]
    assert found.left_out.rows() == [("B", "never entered: no HSPC")]


def test_without_car_t_there_is_no_way_from_it():
    found = stays_of({"A": {"car_t": None, "hsct": 0, "end": 90}})
    assert found.stays.is_empty()
    assert found.left_out.height == 1


def test_an_unknown_model_is_named_with_those_that_exist():
    with pytest.raises(ProtocolError, match="car_t_to_hsct"):
        stays_of({"A": {"end": 9}}, name="to_hsct")


@st.composite
def cohorts(draw):
    people, rows = {}, []
    for name in "ABCDE"[: draw(st.integers(1, 5))]:
        hsct = draw(st.one_of(st.none(), st.integers(0, 40)))
        end = (hsct or 0) + draw(st.integers(0, 60))
        people[name] = {"end": end, "dead": draw(st.booleans()), "hsct": hsct}
        if draw(st.booleans()):
            rows.append(relapse(name, float(draw(st.integers(0, end)))))
        rows.append(gvhd(name, float(draw(st.integers(0, 60)))) if hsct else no_gvhd(name))
    return people, rows


@settings(max_examples=40, deadline=None, derandomize=True)
@given(cohorts(), st.sampled_from(sorted(CLINICAL_MODELS)))
def test_stays_follow_one_another_and_nobody_disappears(cohort, name):
    people, rows = cohort
    found = stays_of(people, rows, name)
    order = found.model.states
    for patient, own in found.stays.group_by("patient"):
        own = own.sort("start_days")
        assert own["start_days"][0] == 0, patient
        assert own["start_days"][1:].to_list() == own["stop_days"][:-1].to_list()
        assert own["from_state"][1:].to_list() == own["to_state"][:-1].to_list()
        places = [order.index(s) for s in own["from_state"]]
        assert places == sorted(set(places))
        assert ((own["stop_days"] > own["start_days"]) | (own["stop_days"] == 0)).all()
        dead = people[patient[0]]["dead"]
        assert (own["to_state"][-1] == "death") == dead
    told = {*found.stays["patient"], *found.undated["patient"], *found.left_out["patient"]}
    assert told == set(people)
