"""Every endpoint in one table, and laws that all keep."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graftline.endpoints import (
    derive_endpoint,
    derive_endpoints,
)
from tests.endpoints.made import made, made_trial
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


def test_all_endpoints_and_alternatives_in_one_table():
    trial, answers = ten()
    rows = derive_endpoints(trial, answers)
    assert rows.columns == COLUMNS
    names = set(rows["endpoint"])
    # nobody says when the disease was last looked at: censoring there would be empty
    assert "disease_free_survival_strict" not in names
    assert "overall_survival_entry_at_hsct" in names
    assert "overall_survival_from_hsct" in names
    assert_frame_equal(
        rows.filter(endpoint="overall_survival"),
        derive_endpoint(trial, answers, "overall_survival"),
    )


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


def test_a_trial_without_patients_has_no_endpoints_and_no_error():
    rows = derive_endpoints(made_trial({}), made([]))
    assert rows.height == 0
    assert rows.columns == COLUMNS
