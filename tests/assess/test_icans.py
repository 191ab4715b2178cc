"""ICANS by ASTCT consensus (definitions 1.2): printed lines, attribution, worked examples."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assess.icans import assess
from graftline.trial import Trial
from tests.assess.build import one, small_trial
from tests.assess.properties import assert_laws_hold


def vital(day: float, **signs: Any) -> dict[str, Any]:
    return {"patient": "P1", "day": float(day), **signs}


def trial_of(*vitals: dict[str, Any], age: float | None = 40.0, **tables: Any) -> Trial:
    patients = [{"patient": "P1", "status": "infused", "age_years": age}]
    return small_trial({"vitals": list(vitals), "patients": patients, **tables})


def grade(signs: dict[str, Any], *, age: float | None = 40.0) -> int | None:
    value = assess(trial_of(vital(5, **signs), age=age)).details["icans_days"]["grade"].item()
    return None if value is None else int(value)


# published: Lee 2019, table of ICANS, line by line
@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        ({"ice_score": 10}, 0),
        ({"ice_score": 9}, 1),
        ({"ice_score": 7}, 1),
        ({"ice_score": 6}, 2),
        ({"ice_score": 3}, 2),
        ({"ice_score": 2}, 3),
        ({"ice_score": 0}, 3),  # awake, global aphasia
        ({"ice_score": 0, "consciousness": "alert"}, 3),
        ({"ice_score": 0, "consciousness": "unarousable"}, 4),
        ({"consciousness": "alert"}, 0),
        ({"consciousness": "wakes_spontaneously"}, 1),
        ({"consciousness": "wakes_to_voice"}, 2),
        ({"consciousness": "wakes_to_touch"}, 3),
        ({"consciousness": "unarousable"}, 4),
        ({"ice_score": 10, "seizure": "none"}, 0),
        ({"ice_score": 10, "seizure": "brief"}, 3),
        ({"ice_score": 10, "seizure": "eeg_only"}, 3),
        ({"ice_score": 10, "seizure": "prolonged"}, 4),
        ({"ice_score": 10, "seizure": "repetitive"}, 4),
        ({"ice_score": 10, "motor_weakness": True}, 4),
        ({"ice_score": 10, "motor_weakness": False}, 0),
        ({"ice_score": 10, "cerebral_oedema": "focal"}, 3),
        ({"ice_score": 10, "cerebral_oedema": "diffuse"}, 4),
        ({"ice_score": 10, "cerebral_oedema": "clinical_signs"}, 4),
        # worked examples of definitions 1.2
        ({"ice_score": 8, "consciousness": "wakes_to_voice"}, 2),
        ({"ice_score": 5, "seizure": "brief"}, 3),
        ({"cerebral_oedema": "clinical_signs"}, 4),
        ({"temperature_c": 39.0}, None),  # nothing neurological recorded: not 0
    ],
)
def test_printed_lines(signs: dict[str, Any], expected: int | None) -> None:
    assert grade(signs) == expected


@pytest.mark.parametrize(("capd", "expected"), [(0, 0), (1, 1), (8, 1), (9, 3), (20, 3)])
def test_capd_under_12_years(capd: int, expected: int) -> None:
    assert grade({"capd_score": capd}, age=8.0) == expected


def test_capd_1_to_8_is_grade_2_when_woken_by_voice() -> None:
    assert grade({"capd_score": 5, "consciousness": "wakes_to_voice"}, age=8.0) == 2


@pytest.mark.parametrize(("age", "expected"), [(11.9, None), (12.0, 2), (None, 2)])
def test_ice_from_12_years(age: float | None, expected: int | None) -> None:
    assert grade({"ice_score": 5}, age=age) == expected


def test_only_a_fall_from_baseline_is_graded() -> None:
    rows = [vital(-1, ice_score=8), vital(3, ice_score=8), vital(4, ice_score=7)]
    assert assess(trial_of(*rows)).details["icans_days"]["grade"].to_list() == [0, 1]


def test_missing_ice_is_a_lower_bound() -> None:
    answer = one(assess(trial_of(vital(5, consciousness="wakes_to_voice"))).results, "icans")
    assert (answer["value"], answer["lower_bound"], answer["flags"]) == (2, True, "ICE missing")


@pytest.mark.parametrize(("cause", "expected"), [("yes", 0), ("possible", 3), ("no", 3)])
def test_attribution_overrides(cause: str, expected: int) -> None:
    # HHV-6 encephalitis (Patient 8) is an infection, not ICANS
    assert grade({"ice_score": 1, "other_cause": cause}) == expected


@pytest.mark.parametrize(("day", "state"), [(1, "yes"), (28, "yes"), (29, "no")])
def test_window(day: int, state: str) -> None:
    rows = [vital(d, ice_score=5 if d == day else 10) for d in range(30)]
    answer = one(assess(trial_of(*rows)).results, "icans")
    assert answer["state"] == state


def test_later_onset_if_the_investigator_reports_it() -> None:
    events = [{"patient": "P1", "event": "icans", "grade": 2, "day": 35.0}]
    results = assess(
        trial_of(vital(5, ice_score=10), vital(35, ice_score=5), events=events)
    ).results
    assert one(results, "icans")["day"] == 35
    assert one(results, "icans", source="adjudicated")["value"] == 2


def test_worst_day_onset_and_same_day_rows() -> None:
    rows = [vital(3.2, ice_score=9), vital(3.8, ice_score=5), vital(4, ice_score=1)]
    answer = one(assess(trial_of(*rows)).results, "icans")
    assert (answer["value"], answer["day"]) == (3, 3)


def test_death_from_icans_is_grade_5() -> None:
    tables = {
        "events": [{"patient": "P1", "event": "death", "day": 9.0, "cause": "icans"}],
        "followup": [{"patient": "P1", "last_contact_day": 9.0, "status": "dead"}],
    }
    assert one(assess(trial_of(vital(8, ice_score=5), **tables)).results, "icans")["value"] == 5


def test_no_neurological_record_is_not_a_no() -> None:
    results = assess(trial_of(vital(5, temperature_c=39.0))).results
    answer = one(results, "icans")
    assert (answer["state"], answer["reason"]) == ("not_evaluable", "no_records")


def test_partial_window_is_said() -> None:
    answer = one(assess(trial_of(*(vital(d, ice_score=10) for d in range(20)))).results, "icans")
    assert (answer["state"], answer["flags"]) == ("no", "9 days without records")


@settings(deadline=None, max_examples=15, derandomize=True)
@given(scores=st.tuples(st.integers(0, 10), st.integers(0, 10)))
def test_grade_never_falls_when_ice_falls(scores: tuple[int, int]) -> None:
    low, high = sorted(scores)
    rows = [vital(3, ice_score=high), vital(4, ice_score=low)]
    mild, severe = assess(trial_of(*rows)).details["icans_days"]["grade"].to_list()
    assert severe >= mild


def test_order_names_and_splitting_do_not_matter() -> None:
    patients = ("P1", "P2", "P3")
    rows = [
        {"patient": p, "day": float(d), "ice_score": 10 - (d * k) % 9, "seizure": "none"}
        for k, p in enumerate(patients, start=1)
        for d in (-1, 2, 5, 6)
    ]
    assert_laws_hold(assess, small_trial({"vitals": rows}, patients=patients))
