"""Chronic GVHD by NIH 2014 (definitions 2.2): organ scores, global rule, who is evaluable."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assess.gvhd_chronic import (
    SEVERITIES,
    assess,
    chronic_gvhd_course,
    liver_score,
    lung_score,
    skin_score,
)
from graftline.trial import Trial
from tests.assess.build import one, small_trial
from tests.assess.properties import assert_laws_hold

SCORED = ("mouth", "eyes", "gi", "liver", "lungs", "joints", "genital")
ZERO: dict[str, Any] = {f"chronic_{organ}_score": 0 for organ in SCORED} | {
    "chronic_skin_bsa_percent": 0.0,
    "chronic_sclerosis": "none",
}


def seen(day: float, *, sign: str | None = "diagnostic", **scores: Any) -> dict[str, Any]:
    named = {f"chronic_{k}_score" if k in SCORED else k: v for k, v in scores.items()}
    return {"patient": "P1", "day": float(day), "chronic_sign": sign, **ZERO, **named}


def trial_of(
    *rows: dict[str, Any], definitions: dict[str, Any] | None = None, **more: Any
) -> Trial:
    settled = {"chronic_gvhd_evaluable": "alive_100_days", **(definitions or {})}
    return small_trial({"gvhd": list(rows), **more}, hsct_day=20.0, definitions=settled)


# published: Jagasia 2015; both sides of each threshold and exactly on it
@pytest.mark.parametrize(
    ("area", "sclerosis", "score"),
    [
        (0.0, None, 0),
        (1.0, None, 1),
        (18.0, None, 1),
        (18.5, None, 2),
        (19.0, None, 2),
        (50.0, None, 2),
        (50.5, None, 3),
        (0.0, "none", 0),
        (0.0, "superficial", 2),
        (10.0, "superficial", 2),
        (0.0, "deep", 3),
        (60.0, "superficial", 3),
        (None, "deep", 3),
        (None, None, None),
    ],
)
def test_skin_score(area: float | None, sclerosis: str | None, score: int | None) -> None:
    frame = pl.DataFrame({"a": [area], "s": [sclerosis]}, schema={"a": pl.Float64, "s": pl.String})
    assert frame.select(skin_score(pl.col("a"), pl.col("s"))).item() == score


@pytest.mark.parametrize(
    ("fev1", "score"),
    [(100, 0), (80, 0), (79, 1), (60, 1), (59, 2), (40, 2), (39, 3), (10, 3), (None, None)],
)
def test_lung_score(fev1: float | None, score: int | None) -> None:
    frame = pl.DataFrame({"f": [fev1]}, schema={"f": pl.Float64})
    assert frame.select(lung_score(pl.col("f"))).item() == score


@pytest.mark.parametrize(
    ("bilirubin", "alt", "alp", "score"),
    [
        (1.0, 2.9, 2.9, 0),
        (1.0, 3.0, 1.0, 1),
        (1.0, 5.0, 1.0, 1),
        (1.0, 1.0, 3.0, 1),
        (1.0, 5.1, 1.0, 2),
        (1.2, 1.0, 1.0, 0),
        (1.3, 1.0, 1.0, 2),
        (3.0, 1.0, 1.0, 2),
        (3.1, 1.0, 1.0, 3),
        (None, 1.0, 1.0, None),
    ],
)
def test_liver_score(bilirubin: float | None, alt: float, alp: float, score: int | None) -> None:
    types = dict.fromkeys(("b", "u", "alt", "alp"), pl.Float64)
    frame = pl.DataFrame({"b": [bilirubin], "u": [1.2], "alt": [alt], "alp": [alp]}, schema=types)
    columns = (pl.col(name) for name in types)
    assert frame.select(liver_score(*columns)).item() == score


# published: the global rule line by line, with the worked examples of definitions 2.2
@pytest.mark.parametrize(
    ("scores", "severity"),
    [
        ({"mouth": 1}, "mild"),
        ({"mouth": 1, "eyes": 1}, "mild"),
        ({"mouth": 1, "eyes": 1, "chronic_skin_bsa_percent": 10.0}, "moderate"),
        ({"mouth": 2}, "moderate"),
        ({"lungs": 1}, "moderate"),
        ({"lungs": 2}, "severe"),
        ({"fev1_percent": 55.0}, "severe"),
        ({"fev1_percent": 85.0, "lungs": 3}, "mild"),  # FEV1 goes before symptoms
        ({"mouth": 3}, "severe"),
        ({"chronic_sclerosis": "deep"}, "severe"),
        ({"liver": 2}, "moderate"),
        ({"liver": 2, "liver_is_gvhd": "no", "mouth": 1}, "mild"),
        ({"genital": 3}, "severe"),
    ],
)
def test_global_severity(scores: dict[str, Any], severity: str) -> None:
    answer = one(assess(trial_of(seen(200, **scores))).results, "chronic_gvhd")
    assert (answer["state"], answer["label"], answer["day"]) == ("yes", severity, 180)
    assert not answer["lower_bound"]


@pytest.mark.parametrize(
    ("sign", "state", "label"),
    [
        ("diagnostic", "yes", "moderate"),
        ("distinctive_confirmed", "yes", "moderate"),
        ("distinctive", "no", "none"),
        ("none", "no", "none"),
        (None, "not_evaluable", None),
    ],
)
def test_a_sign_is_needed(sign: str | None, state: str, label: str | None) -> None:
    answer = one(assess(trial_of(seen(200, sign=sign, mouth=2))).results, "chronic_gvhd")
    assert (answer["state"], answer["label"]) == (state, label)


def test_organ_not_scored_is_a_lower_bound() -> None:
    answer = one(assess(trial_of(seen(200, mouth=1, genital=None))).results, "chronic_gvhd")
    assert (answer["label"], answer["lower_bound"]) == ("mild", True)
    severe = one(assess(trial_of(seen(200, mouth=3, genital=None))).results, "chronic_gvhd")
    assert not severe["lower_bound"]


def test_liver_from_labs_of_the_day() -> None:
    labs = [
        {"patient": "P1", "day": 200.4, "analyte": a, "value": v, "upper_normal": u}
        for a, v, u in (("bilirubin", 3.5, 1.2), ("alt", 30.0, 40.0))
    ]
    trial = trial_of(seen(200, liver=None), labs=labs)
    assert one(assess(trial).results, "chronic_gvhd")["label"] == "severe"


@pytest.mark.parametrize(
    ("sign", "state"), [("diagnostic", "yes"), ("distinctive_confirmed", "not_evaluable")]
)
def test_before_day_100_only_diagnostic_signs_count(sign: str, state: str) -> None:
    answer = one(assess(trial_of(seen(110, sign=sign, mouth=1))).results, "chronic_gvhd")
    assert answer["state"] == state


@pytest.mark.parametrize(
    ("last", "status", "state", "reason", "until"),
    [
        (117.0, "dead", "not_evaluable", "died_before", None),  # worked: dead at hsct_day 97
        (119.0, "dead", "not_evaluable", "died_before", None),
        (120.0, "dead", "no", None, None),
        (117.0, "alive", "not_yet_evaluable", None, 100),
        (120.0, "alive", "no", None, None),
    ],
)
def test_alive_100_days(
    last: float, status: str, state: str, reason: str | None, until: float | None
) -> None:
    followup = [{"patient": "P1", "last_contact_day": last, "status": status}]
    trial = trial_of(seen(120, sign="none"), followup=followup)
    answer = one(assess(trial).results, "chronic_gvhd")
    assert (answer["state"], answer["reason"], answer["until"]) == (state, reason, until)


def test_profile_of_the_paper_asks_for_a_donor_graft() -> None:
    # Patient 5 of Hu 2024: alive, counts recovered, donor 0 %: not one of the six evaluable
    patients = ("P1", "P2", "P3")
    tables = {
        "gvhd": [{**seen(200, sign="none"), "patient": p} for p in patients],
        "events": [{"patient": "P2", "event": "chimerism", "label": "autologous recovery"}],
        "chimerism": [
            {"patient": p, "day": day, "lineage": "unsorted", "donor_percent": share}
            for p, day, share in (("P1", 50.0, 99.0), ("P3", 50.0, 30.0), ("P3", 80.0, 4.9))
        ],
    }
    for profile, expected in (
        ("nejm2024", ["no", "not_evaluable", "not_evaluable"]),
        ("alive_100_days", ["no", "no", "no"]),
    ):
        trial = small_trial(
            tables,
            patients=patients,
            hsct_day=20.0,
            definitions={"chronic_gvhd_evaluable": profile},
        )
        assert assess(trial).results["state"].to_list() == expected


@pytest.mark.parametrize(("share", "own"), [(4.9, True), (5.0, False)])
def test_five_percent_donor(share: float, own: bool) -> None:
    chimerism = [{"patient": "P1", "day": 80.0, "lineage": "cd33", "donor_percent": share}]
    trial = trial_of(
        seen(200, sign="none"),
        definitions={"chronic_gvhd_evaluable": "nejm2024"},
        chimerism=chimerism,
    )
    answer = one(assess(trial).results, "chronic_gvhd")
    assert (answer["reason"] == "autologous_recovery") == own


def test_adjudicated_stands_beside_and_needs_an_evaluable_patient() -> None:
    patients = ("P1", "P2", "P3")
    event = {"event": "chronic_gvhd"}
    tables = {
        "events": [
            {**event, "patient": "P1", "day": 170.0, "label": "Moderate"},
            {**event, "patient": "P2", "occurred": False},
            {**event, "patient": "P3", "occurred": False},
        ],
        "followup": [
            {"patient": p, "last_contact_day": d, "status": s}
            for p, d, s in (("P1", 400.0, "alive"), ("P2", 400.0, "alive"), ("P3", 90.0, "dead"))
        ],
    }
    results = assess(small_trial(tables, patients=patients, hsct_day=20.0)).results
    rows = results.filter(source="adjudicated")
    assert rows.select("state", "label", "day").rows() == [
        ("yes", "moderate", 150.0),
        ("no", "none", None),
        ("not_evaluable", None, None),
    ]


def test_course_keeps_treatment_and_nothing_before_hspc() -> None:
    rows = [seen(10, mouth=1), seen(200, mouth=1, systemic_treatment=True)]
    assessed = assess(trial_of(*rows))
    course = assessed.details["chronic_gvhd_course"]
    assert course.select("hsct_day", "severity", "systemic_treatment").rows() == [
        (180.0, "mild", True)
    ]
    assert one(assessed.results, "chronic_gvhd")["flags"] == "systemic treatment"


def test_nobody_transplanted_disappears() -> None:
    results = assess(small_trial({}, patients=("P1", "P2", "P3"), hsct_day={"P1": 20.0})).results
    assert results.select("patient", "state", "reason").rows() == [
        ("P1", "not_evaluable", "no_records")
    ]


@settings(deadline=None, max_examples=15, derandomize=True)
@given(
    base=st.fixed_dictionaries({organ: st.integers(0, 3) for organ in SCORED}),
    organ=st.sampled_from(SCORED),
)
def test_severity_never_falls_when_one_organ_worsens(base: dict[str, int], organ: str) -> None:
    worse = {**base, organ: min(base[organ] + 1, 3)}
    course = chronic_gvhd_course(trial_of(seen(150, **base), seen(200, **worse)))
    mild, severe = (SEVERITIES.index(s) for s in course.sort("day")["severity"])
    assert severe >= mild


def test_order_names_and_splitting_do_not_matter() -> None:
    patients = ("P1", "P2", "P3")
    rows = [
        {**seen(day, mouth=k, eyes=1, fev1_percent=95.0 - 20 * k), "patient": p}
        for k, p in enumerate(patients)
        for day in (90, 150, 210)
    ]
    assert_laws_hold(assess, small_trial({"gvhd": rows}, patients=patients, hsct_day=20.0))
