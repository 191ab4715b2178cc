"""The registry, the alternatives, attrition, and laws that every endpoint keeps."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

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
    REGISTRY,
    alternatives,
    derive_endpoint,
    derive_endpoints,
    endpoint_attrition,
    endpoint_spec,
)
from graftline.problems import ProtocolError
from graftline.protocol import shipped_protocol, shipped_protocols
from graftline.rules import references
from tests.endpoints.made import made, made_trial, row_of
from tests.endpoints.ten import ten

COLUMNS = [
    "patient",
    "endpoint",
    "origin",
    "entry_days",
    "time_days",
    "status",
    "cause",
    "assumed",
]


def test_every_endpoint_of_a_shipped_protocol_is_known_and_cited():
    for name in shipped_protocols():
        protocol = shipped_protocol(name)
        assert set(protocol.endpoints) <= set(REGISTRY)
    assert {spec.source for _, spec in REGISTRY.values()} <= set(references())


def test_unknown_endpoint_is_said_with_the_known_ones():
    trial, answers = ten()
    with pytest.raises(ProtocolError, match="overall_survival"):
        derive_endpoint(trial, answers, "survivall")


def test_all_endpoints_and_alternatives_in_one_table():
    trial, answers = ten()
    rows = derive_endpoints(trial, answers)
    assert rows.columns == COLUMNS
    names = set(rows["endpoint"])
    assert "disease_free_survival_strict" in names
    assert "overall_survival_entry_at_hsct" in names
    assert "overall_survival_from_hsct" in names
    assert_frame_equal(
        rows.filter(endpoint="overall_survival"),
        derive_endpoint(trial, answers, "overall_survival"),
    )


def test_alternatives_change_one_choice_each():
    protocol = shipped_protocol("all-in-one-2024")
    for other in alternatives(protocol):
        spec = endpoint_spec(protocol, other.endpoint)
        changed = {
            key
            for key in ("origin", "entry", "population", "censor")
            if getattr(spec, key) != getattr(other.spec, key)
        }
        assert changed in ({"origin"}, {"entry"}, {"censor"}, {"origin", "population"})
        assert other.why


def test_attrition_says_who_left_and_why():
    people = {
        "A": {"end": 100.0, "hsct": 20.0},
        "B": {"end": 30.0},  # never transplanted
        "C": {"end": 60.0, "hsct": 20.0},
        "D": {"end": 50.0, "hsct": 20.0},
        "E": {"end": 90.0, "car_t": None, "status": "screened"},
    }
    trial = made_trial(people)
    answers = made([{"patient": "D", "rule": "relapse", "state": "yes", "day": 10.0}])
    table = endpoint_attrition(trial, answers).filter(endpoint="relapse_from_hsct")
    assert table.drop("endpoint").rows() == [
        ("in the trial", 5, 0, None),
        ("with HSPC", 3, 2, "no HSPC"),
        ("analysed", 2, 1, "event before the origin"),
    ]


def test_no_follow_up_at_all_is_left_out_and_said():
    trial = made_trial({"A": {"status": "enrolled", "enrolled": 0.0, "car_t": None}})
    protocol = trial.protocol
    spec = endpoint_spec(protocol, "overall_survival").model_copy(
        update={"origin": "enrolment", "population": "enrolled"}
    )
    other = made_trial(
        {"A": {"status": "enrolled", "enrolled": 0.0, "car_t": None}, "B": {"end": 9.0}},
        protocol=protocol.model_copy(update={"endpoints": {"overall_survival": spec}}),
    )
    table = endpoint_attrition(other, made([])).filter(endpoint="overall_survival")
    assert table["reason"].to_list() == [
        None,
        None,
        "day of enrolment unknown",
        "no follow-up recorded",
    ]


def test_died_before_entry():
    trial = made_trial(
        {"A": {"end": 20.0, "hsct": 20.0}, "B": {"end": 20.0, "dead": True, "hsct": 20.0}}
    )
    rows = derive_endpoint(trial, made([]), "overall_survival", entry="hspc")
    # censored on the day of entry: no time at risk; a death that day gets half a day
    assert rows["patient"].to_list() == ["B"]
    assert (rows["entry_days"].item(), rows["time_days"].item()) == (20.0, 20.5)


@st.composite
def cohorts(draw):
    people, rows = {}, []
    for name in "ABCDEF"[: draw(st.integers(1, 6))]:
        hsct = draw(st.one_of(st.none(), st.integers(10, 90)))
        end = draw(st.integers(0, 500)) if hsct is None else hsct + draw(st.integers(0, 500))
        people[name] = {"end": float(end), "dead": draw(st.booleans()), "hsct": hsct}
        if draw(st.booleans()):
            day = float(draw(st.integers(0, end)))
            rows.append({"patient": name, "rule": "relapse", "state": "yes", "day": day})
        rows.append({"patient": name, "rule": "acute_gvhd", "state": "no"})
    return people, rows


NAMES = (
    "overall_survival",
    *(
        f"{name}{suffix}"
        for name in ("disease_free_survival", "relapse", "non_relapse_mortality")
        for suffix in ("", "_from_hsct", "_entry_at_hsct")
    ),
)


def all_rows(people, rows, names=NAMES):
    trial, answers = made_trial(people), made(rows)
    return pl.concat([derive_endpoint(trial, answers, name) for name in names])


@settings(deadline=None, max_examples=8, derandomize=True)
@given(cohorts())
def test_relapse_nrm_and_disease_free_survival_agree_patient_by_patient(cohort):
    people, rows = cohort
    found = all_rows(people, rows)
    for suffix in ("", "_from_hsct", "_entry_at_hsct"):
        wide = {
            name: found.filter(endpoint=name + suffix)
            for name in ("disease_free_survival", "relapse", "non_relapse_mortality")
        }
        free = wide["disease_free_survival"]
        assert wide["relapse"]["patient"].equals(free["patient"])
        for other in ("relapse", "non_relapse_mortality"):
            assert wide[other]["time_days"].equals(free["time_days"])
        either = (wide["relapse"]["status"] == 1) | (wide["non_relapse_mortality"]["status"] == 1)
        assert either.to_list() == (free["status"] == 1).to_list()
        both = (wide["relapse"]["status"] == 1) & (wide["non_relapse_mortality"]["status"] == 1)
        assert not both.any()


@settings(deadline=None, max_examples=4, derandomize=True)
@given(cohorts())
def test_order_names_and_splitting_do_not_matter(cohort):
    people, rows = cohort
    names = (*NAMES[:2], "acute_gvhd_2_4")
    whole = all_rows(people, rows, names)
    turned = dict(reversed(people.items()))
    assert_frame_equal(all_rows(turned, rows[::-1], names), whole)
    renamed = all_rows(
        {"x" + n: p for n, p in people.items()},
        [r | {"patient": "x" + r["patient"]} for r in rows],
        names,
    )
    assert_frame_equal(renamed.with_columns(pl.col("patient").str.slice(1)), whole)
    parts = [
        all_rows({n: people[n]}, [r for r in rows if r["patient"] == n], names) for n in people
    ]
    joined = pl.concat(parts).sort("endpoint", "patient")
    assert_frame_equal(joined, whole.sort("endpoint", "patient"))


@settings(deadline=None, max_examples=8, derandomize=True)
@given(cohorts(), st.integers(0, 400))
def test_a_later_cut_changes_no_closed_event(cohort, cut):
    people, rows = cohort
    early_people = {
        n: p | {"end": min(p["end"], float(cut)), "dead": p["dead"] and p["end"] <= cut}
        for n, p in people.items()
    }
    early_people = {
        n: p | {"hsct": None if p["hsct"] is None or p["hsct"] > cut else p["hsct"]}
        for n, p in early_people.items()
    }
    early_rows = [r for r in rows if r.get("day", 0) <= cut]
    early, late = all_rows(early_people, early_rows), all_rows(people, rows)
    closed = early.filter(pl.col("status") > 0)
    # the strict variant may gain an assessment, never lose an event
    kept = closed.join(late, on=["patient", "endpoint"], how="inner", suffix="_late")
    assert kept.height == closed.height
    assert kept["time_days"].equals(kept["time_days_late"])
    assert kept["status"].equals(kept["status_late"])


def test_no_endpoint_loses_a_patient_without_saying_so():
    trial, answers = ten()
    rows = derive_endpoints(trial, answers).group_by("endpoint").len()
    table = endpoint_attrition(trial, answers)
    last = table.group_by("endpoint", maintain_order=True).agg(pl.col("patients").last())
    joined = last.join(rows, on="endpoint", how="left").with_columns(pl.col("len").fill_null(0))
    assert joined["patients"].to_list() == joined["len"].to_list()


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
