"""Acute GVHD by MAGIC (definitions 2.1): stages, grades, attribution, timing, worked examples."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assess.gvhd_acute import COURSE, RULES, acute_gvhd_course, assess
from graftline.assess.gvhd_organs import stage_organs
from graftline.trial import Trial
from tests.assess.build import one, small_trial
from tests.assess.properties import assert_laws_hold

CLEAN = {
    "skin_bsa_percent": 0.0,
    "bilirubin_mg_per_dl": 0.8,
    "upper_gi": "none",
    "stool_ml_per_day": 0.0,
}


def seen(day: float, **organs: Any) -> dict[str, Any]:
    return {"patient": "P1", "day": float(day), **CLEAN, **organs}


def trial_of(
    *rows: dict[str, Any],
    weight_kg: float | None = 70.0,
    hsct_day: float | None = 15.0,
    **more: Any,
) -> Trial:
    patients = [
        {"patient": "P1", "status": "transplanted", "age_years": 40.0, "weight_kg": weight_kg}
    ]
    tables = {"patients": patients, "gvhd": list(rows), **more.pop("tables", {})}
    return small_trial(tables, hsct_day=hsct_day, **more)


def stages(row: dict[str, Any], *, weight_kg: float | None = 70.0) -> dict[str, Any]:
    trial = trial_of(row, weight_kg=weight_kg)
    return stage_organs(trial["gvhd"], trial.patients).row(0, named=True)


# published: Harris 2016, table 1; both sides of each threshold and exactly on it
@pytest.mark.parametrize(
    ("area", "bullae", "stage"),
    [
        (0, None, 0),
        (0.5, None, 1),
        (24.9, None, 1),
        (25, None, 2),
        (50, None, 2),
        (50.1, None, 3),
        (90, False, 3),
        (50, True, 2),
        (51, True, 4),
        (None, None, None),
    ],
)
def test_skin(area: float | None, bullae: bool | None, stage: int | None) -> None:
    assert stages(seen(30, skin_bsa_percent=area, skin_bullae=bullae))["skin"] == stage


@pytest.mark.parametrize(
    ("bilirubin", "stage"),
    [
        (1.9, 0),
        (2.0, 1),
        (3.0, 1),
        (3.05, 2),
        (3.1, 2),
        (6.0, 2),
        (6.1, 3),
        (15.0, 3),
        (15.1, 4),
        (None, None),
    ],
)
def test_liver(bilirubin: float | None, stage: int | None) -> None:
    assert stages(seen(30, bilirubin_mg_per_dl=bilirubin))["liver"] == stage


@pytest.mark.parametrize(
    ("upper", "stage"), [("none", 0), ("intermittent", 0), ("persistent", 1), (None, None)]
)
def test_upper_gi(upper: str | None, stage: int | None) -> None:
    assert stages(seen(30, upper_gi=upper))["upper_gi"] == stage


@pytest.mark.parametrize(
    ("weight", "volume", "episodes", "stage"),
    [
        (70, 499, None, 0),
        (70, 500, None, 1),
        (70, 999.5, None, 1),
        (70, 1000, None, 2),
        (70, 1500, None, 2),
        (70, 1501, None, 3),
        (70, None, 2, 0),
        (70, None, 3, 1),
        (70, None, 4, 1),
        (70, None, 5, 2),
        (70, None, 7, 2),
        (70, None, 8, 3),
        (70, 100, 8, 0),  # volume goes before episodes
        (50, 499, None, 0),  # 50 kg: 9.98 mL/kg
        (50, 500, None, 1),
        (50.1, 499, None, 0),
        (30, 299, None, 0),
        (30, 300, None, 1),
        (30, 599, None, 1),
        (30, 600, None, 2),
        (30, 900, None, 2),
        (30, 901, None, 3),
        (30, None, 3, 0),
        (30, None, 4, 1),
        (30, None, 6, 1),
        (30, None, 7, 2),
        (30, None, 10, 2),
        (30, None, 11, 3),
        (70, None, None, None),
    ],
)
def test_lower_gi(
    weight: float, volume: float | None, episodes: float | None, stage: int | None
) -> None:
    row = seen(30, stool_ml_per_day=volume, stool_episodes_per_day=episodes)
    assert stages(row, weight_kg=weight)["lower_gi"] == stage


@pytest.mark.parametrize("sign", ["severe_abdominal_pain_or_ileus", "bloody_stool"])
@pytest.mark.parametrize("volume", [0.0, 2000.0, None])
def test_pain_or_blood_is_stage_4_at_any_volume(sign: str, volume: float | None) -> None:
    assert stages(seen(30, stool_ml_per_day=volume, **{sign: True}))["lower_gi"] == 4


# published: Harris 2016, table 2, and its first-match order
@pytest.mark.parametrize(
    ("organs", "grade", "glucksberg"),
    [
        ({}, 0, 0),
        ({"skin_bsa_percent": 10}, 1, 1),
        ({"skin_bsa_percent": 40}, 1, 1),
        ({"skin_bsa_percent": 60}, 2, 2),
        ({"bilirubin_mg_per_dl": 2.5}, 2, 2),
        ({"upper_gi": "persistent"}, 2, 2),
        ({"stool_ml_per_day": 700}, 2, 2),
        ({"bilirubin_mg_per_dl": 4}, 3, 3),
        ({"bilirubin_mg_per_dl": 10}, 3, 3),
        ({"stool_ml_per_day": 1200}, 3, 3),
        ({"stool_ml_per_day": 1600}, 3, 3),
        ({"skin_bsa_percent": 60, "upper_gi": "persistent", "bilirubin_mg_per_dl": 4}, 3, 3),
        ({"skin_bsa_percent": 60, "skin_bullae": True}, 4, 4),
        ({"bilirubin_mg_per_dl": 16}, 4, 4),
        ({"bloody_stool": True}, 4, 3),  # Przepiorka: gut stage 4 is grade III
    ],
)
def test_grades(organs: dict[str, Any], grade: int, glucksberg: int) -> None:
    trial = trial_of(seen(30, **organs))
    assert acute_gvhd_course(trial)["grade"].to_list() == [grade]
    assert not acute_gvhd_course(trial)["lower_bound"].any()
    option = acute_gvhd_course(
        trial_of(seen(30, **organs), definitions={"acute_gvhd": "glucksberg1994"})
    )
    assert option["grade"].to_list() == [glucksberg]


def test_example_mean_of_three_days() -> None:
    # worked, definitions 2.1: skin 10 %, stool 700, 1200, 1100 -> mean 1000 -> lower GI 2 -> III
    trial = trial_of(
        *(
            seen(day, skin_bsa_percent=10, stool_ml_per_day=ml)
            for day, ml in ((30, 700), (31, 1200), (32, 1100))
        )
    )
    course = acute_gvhd_course(trial)
    # means so far 700 and 950, then 1000
    assert course["lower_gi"].to_list() == [1, 1, 2]
    assert one(assess(trial).results, "acute_gvhd")["value"] == 3


def test_a_single_bad_day_is_not_staged_by_itself() -> None:
    rows = [seen(30, stool_ml_per_day=1200), seen(31, stool_ml_per_day=150), seen(32)]
    assert acute_gvhd_course(trial_of(*rows))["lower_gi"].to_list() == [0, 0, 0]  # mean 450
    # weekly assessments stand for themselves
    weekly = [seen(30, stool_ml_per_day=1200), seen(37), seen(44)]
    assert acute_gvhd_course(trial_of(*weekly))["lower_gi"].to_list() == [2, 0, 0]


def test_example_child() -> None:
    # worked: 30 kg, 350 mL/d = 11.7 mL/kg -> stage 1 -> II
    trial = trial_of(seen(30, stool_ml_per_day=350), weight_kg=30.0)
    assert acute_gvhd_course(trial)["grade"].to_list() == [2]


def test_example_attribution() -> None:
    # worked: bilirubin 2.4 from a drug, attribution no -> liver not scored
    trial = trial_of(seen(30, bilirubin_mg_per_dl=2.4, liver_is_gvhd="no"))
    course = acute_gvhd_course(trial)
    assert (course["liver"].to_list(), course["grade"].to_list()) == ([0], [0])
    assert not course["lower_bound"].any()
    uncertain = trial_of(seen(30, bilirubin_mg_per_dl=2.4, liver_is_gvhd="uncertain"))
    answer = one(assess(uncertain).results, "acute_gvhd")
    assert (answer["value"], answer["flags"]) == (2, "attribution uncertain: liver")


@pytest.mark.parametrize(
    ("missing", "grade", "lower_bound"),
    [
        ({"bilirubin_mg_per_dl": None}, 1, True),
        ({"upper_gi": None}, 1, True),  # persistent nausea would make it II
        ({"upper_gi": None, "stool_ml_per_day": None, "bilirubin_mg_per_dl": None}, 1, True),
        ({"upper_gi": None, "bilirubin_mg_per_dl": 4.0}, 3, False),  # could not be more than III
        ({"skin_bsa_percent": None, "bloody_stool": True}, 4, False),
    ],
)
def test_missing_organ_is_a_lower_bound(
    missing: dict[str, Any], grade: int, lower_bound: bool
) -> None:
    answer = one(assess(trial_of(seen(30, skin_bsa_percent=10) | missing)).results, "acute_gvhd")
    assert (answer["value"], answer["lower_bound"]) == (grade, lower_bound)


def test_clean_organs_with_one_missing_is_not_a_no() -> None:
    answer = one(assess(trial_of(seen(30, upper_gi=None))).results, "acute_gvhd")
    assert (answer["state"], answer["reason"]) == ("not_evaluable", "organs_missing")


def test_bilirubin_of_the_day_fills_in_from_labs() -> None:
    labs = [{"patient": "P1", "day": 30.0, "analyte": "bilirubin", "value": 2.5}]
    trial = trial_of(seen(30, bilirubin_mg_per_dl=None), tables={"labs": labs})
    assert acute_gvhd_course(trial)["liver"].to_list() == [1]


def test_before_and_after_hspc() -> None:
    # Patient 2 of Hu 2024: skin GVHD on day 7 by CAR-T, HSPC later
    trial = trial_of(
        seen(7, skin_bsa_percent=60, cause="car_t"),
        seen(11),
        seen(15, skin_bsa_percent=10, cause="car_t"),  # the day of HSPC itself is not the graft's
        seen(40, bilirubin_mg_per_dl=2.5, cause="this_graft"),
        seen(110),
    )
    results = assess(trial).results
    before = one(results, "gvhd_before_hspc")
    assert (before["value"], before["day"], before["label"]) == (2, 7, "car_t")
    after = one(results, "acute_gvhd")
    assert (after["value"], after["day"], after["label"]) == (2, 25, "II")
    assert after["flags"] == "cause this_graft"


def test_gvhd_that_runs_on_through_hspc_is_flagged() -> None:
    trial = trial_of(seen(13, skin_bsa_percent=10), seen(20, skin_bsa_percent=10))
    assert "began before HSPC" in one(assess(trial).results, "acute_gvhd_overall")["flags"]


def test_without_hspc_all_gvhd_is_before() -> None:
    results = assess(trial_of(seen(40, skin_bsa_percent=60), hsct_day=None)).results
    assert one(results, "gvhd_before_hspc")["label"] == "unknown"
    assert results.filter(rule="acute_gvhd").height == 0


@pytest.mark.parametrize(("day", "by_100"), [(115, "yes"), (116, "not_evaluable")])
def test_day_100_and_late_onset(day: float, by_100: str) -> None:
    results = assess(trial_of(seen(day, skin_bsa_percent=10))).results
    assert one(results, "acute_gvhd")["state"] == by_100
    overall = one(results, "acute_gvhd_overall")
    assert overall["value"] == 1
    assert ("late-onset acute" in (overall["flags"] or "")) == (day == 116)


def test_late_with_chronic_sign_is_overlap() -> None:
    row = seen(150, skin_bsa_percent=10, chronic_sign="diagnostic")
    assert "overlap" in one(assess(trial_of(row)).results, "acute_gvhd_overall")["flags"]


@pytest.mark.parametrize(
    ("last_contact", "status", "state"),
    [(60.0, "alive", "not_yet_evaluable"), (60.0, "dead", "no"), (200.0, "alive", "no")],
)
def test_a_no_waits_for_day_100(last_contact: float, status: str, state: str) -> None:
    followup = [{"patient": "P1", "last_contact_day": last_contact, "status": status}]
    trial = trial_of(seen(50), seen(112), tables={"followup": followup})
    if last_contact == 60:
        trial = trial_of(seen(50), tables={"followup": followup})
    answer = one(assess(trial).results, "acute_gvhd")
    assert answer["state"] == state
    assert answer["until"] == (100 if state == "not_yet_evaluable" else None)


def test_assessments_that_stop_early_are_said() -> None:
    answer = one(assess(trial_of(seen(40))).results, "acute_gvhd")
    assert (answer["state"], answer["lower_bound"]) == ("no", True)
    assert answer["flags"] == "last assessed on day 25"


def test_staging_stops_at_dli() -> None:
    infusions = [
        {"patient": "P1", "day": 0.0, "kind": "car_t"},
        {"patient": "P1", "day": 15.0, "kind": "hspc"},
        {"patient": "P1", "day": 50.0, "kind": "dli"},
    ]
    trial = trial_of(seen(40), seen(60, bloody_stool=True), tables={"infusions": infusions})
    assert one(assess(trial).results, "acute_gvhd")["value"] == 0


def test_adjudicated_events() -> None:
    patients = ("P1", "P2", "P3", "P4", "P5")
    event = {"event": "acute_gvhd"}
    events = [
        {
            **event,
            "patient": "P1",
            "grade": 2,
            "day": 7.0,
            "timing": "before HSPC",
            "cause": "car_t",
        },
        {**event, "patient": "P2", "grade": 2, "day": 40.0},  # timing from the day
        {**event, "patient": "P2", "grade": 3, "day": 150.0},
        {**event, "patient": "P3", "occurred": False},
        {**event, "patient": "P4", "grade": 1, "timing": "after HSPC"},  # day not known
        {**event, "patient": "P5", "grade": 2, "day_low": 20.0, "day_high": 30.0},
    ]
    assessed = assess(small_trial({"events": events}, patients=patients, hsct_day=15.0))
    rows = assessed.results.filter(source="adjudicated")
    found = {
        (r["patient"], r["rule"]): (r["state"], r["value"], r["day"])
        for r in rows.iter_rows(named=True)
    }
    assert found == {
        ("P1", "gvhd_before_hspc"): ("yes", 2, 7),
        ("P2", "acute_gvhd"): ("yes", 2, 25),
        ("P2", "acute_gvhd_overall"): ("yes", 3, 25),
        ("P3", "acute_gvhd"): ("no", None, None),
        ("P3", "acute_gvhd_overall"): ("no", None, None),
        ("P3", "gvhd_before_hspc"): ("no", None, None),
        ("P4", "acute_gvhd"): ("yes", 1, None),
        ("P4", "acute_gvhd_overall"): ("yes", 1, None),
        ("P5", "acute_gvhd"): ("yes", 2, 10),
        ("P5", "acute_gvhd_overall"): ("yes", 2, 10),
    }
    course = assessed.details["acute_gvhd_course"]
    assert course.columns == list(COURSE)
    assert set(course["source"]) == {"adjudicated"}
    assert set(assessed.results.filter(source="derived")["reason"]) == {"no_records"}


def test_nobody_disappears() -> None:
    results = assess(small_trial({}, patients=("P1", "P2"), hsct_day={"P1": 20.0})).results
    lengths = results.group_by("rule").len().sort("rule")
    assert dict(lengths.iter_rows()) == {
        "acute_gvhd": 1,
        "acute_gvhd_overall": 1,
        "gvhd_before_hspc": 2,
    }
    assert {rule.id for rule in RULES} == set(lengths["rule"])


_WORSE = {
    "skin_bsa_percent": st.floats(0, 100),
    "bilirubin_mg_per_dl": st.floats(0, 30),
    "stool_ml_per_day": st.floats(0, 4000),
}


@settings(deadline=None, max_examples=15, derandomize=True)
@given(
    base=st.fixed_dictionaries(_WORSE),
    organ=st.sampled_from(sorted(_WORSE)),
    factor=st.floats(1.0, 10.0),
)
def test_grade_never_falls_when_one_organ_worsens(
    base: dict[str, float], organ: str, factor: float
) -> None:
    worse = {**base, organ: base[organ] * factor}
    course = acute_gvhd_course(trial_of(seen(30, **base), seen(60, **worse)))
    mild, severe = course.sort("day")["grade"].to_list()
    assert severe >= mild


def test_order_names_and_splitting_do_not_matter() -> None:
    patients = ("P1", "P2", "P3")
    rows = [
        {**seen(day, skin_bsa_percent=(day * k) % 70, bilirubin_mg_per_dl=k * 1.2), "patient": p}
        for k, p in enumerate(patients, start=1)
        for day in (7, 20, 27, 34, 130)
    ]
    events = [{"patient": "P2", "event": "acute_gvhd", "grade": 2, "day": 30.0}]
    tables = {"gvhd": rows, "events": events}
    assert_laws_hold(assess, small_trial(tables, patients=patients, hsct_day=15.0))
