"""CRS by ASTCT consensus (definitions 1.1): printed lines, edges and worked examples."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assess.crs import RULES, assess
from graftline.assess.vital_signs import daily_crs_signs
from graftline.trial import Trial
from tests.assess.build import frame_of, one, small_trial
from tests.assess.properties import assert_laws_hold


def vital(day: float, temperature_c: float | None = None, **more: Any) -> dict[str, Any]:
    return {"patient": "P1", "day": float(day), "temperature_c": temperature_c, **more}


def drug(name: str, start: float, end: float | None = None, **more: Any) -> dict[str, Any]:
    row = {"patient": "P1", "drug": name, "start_day": float(start), "end_day": end}
    return {**row, "indication": "crs", **more}


NO_TREATMENT = drug("fludarabine", -5, -1, indication="lymphodepletion")


def trial_of(
    *vitals: dict[str, Any],
    drugs: tuple[dict[str, Any], ...] = (NO_TREATMENT,),
    definitions: dict[str, Any] | None = None,
    **tables: Any,
) -> Trial:
    given = {"vitals": list(vitals), **tables}
    if drugs:
        given["drugs"] = list(drugs)
    return small_trial(given, definitions=definitions)


def grades(trial: Trial) -> dict[float, int | None]:
    days = assess(trial).details["crs_days"]
    return dict(zip(days["day"], days["grade"], strict=True))


# published: Lee 2019, the table line by line; both sides of 38.0 C and of 6 L/min
LINES: list[tuple[dict[str, Any], int]] = [
    ({"temperature_c": 37.9}, 0),
    ({"temperature_c": 38.0}, 1),
    ({"temperature_c": 41.0}, 1),
    ({"hypotension": True, "vasopressors": "none"}, 2),
    ({"systolic_mmhg": 89.0, "vasopressors": "none"}, 2),
    ({"systolic_mmhg": 90.0, "vasopressors": "none"}, 1),
    ({"systolic_mmhg": 84.0, "hypotension": False, "vasopressors": "none"}, 1),
    ({"fluid_bolus": True, "vasopressors": "none"}, 2),
    ({"vasopressors": "noradrenaline"}, 3),
    ({"vasopressors": "noradrenaline+vasopressin"}, 3),
    ({"vasopressors": "vasopressin"}, 3),
    ({"vasopressors": "noradrenaline+dopamine"}, 4),
    ({"vasopressors": "Noradrenaline + Vasopressin + adrenaline"}, 4),
    ({"oxygen_device": "room_air"}, 1),
    ({"oxygen_device": "nasal_cannula", "oxygen_flow_l_per_min": 3.0}, 2),
    ({"oxygen_device": "nasal_cannula", "oxygen_flow_l_per_min": 6.0}, 2),
    ({"oxygen_device": "nasal_cannula", "oxygen_flow_l_per_min": 6.1}, 3),
    ({"oxygen_device": "blow_by"}, 2),
    ({"oxygen_device": "high_flow_cannula"}, 3),
    ({"oxygen_device": "face_mask"}, 3),
    ({"oxygen_device": "venturi_mask"}, 3),
    ({"oxygen_device": "non_rebreather"}, 3),
    ({"oxygen_device": "cpap"}, 4),
    ({"oxygen_device": "bipap"}, 4),
    ({"oxygen_device": "ventilator"}, 4),
    # the more severe of the two decides
    (
        {
            "vasopressors": "noradrenaline",
            "oxygen_device": "nasal_cannula",
            "oxygen_flow_l_per_min": 2.0,
        },
        3,
    ),
    ({"vasopressors": "none", "hypotension": True, "oxygen_device": "bipap"}, 4),
    # hypoxia on room air is queried, not graded
    ({"spo2_percent": 88.0, "oxygen_device": "room_air"}, 1),
]


@pytest.fixture(scope="module")
def line_grades() -> dict[str, int]:
    """Every line as a patient of one trial, feverish unless the line says otherwise."""
    rows = [
        {**vital(3, **{"temperature_c": 38.5, **signs}), "patient": str(signs)}
        for signs, _ in LINES
    ]
    trial = small_trial({"vitals": rows}, patients=[str(signs) for signs, _ in LINES])
    days = assess(trial).details["crs_days"]
    return dict(zip(days["patient"], days["grade"], strict=True))


@pytest.mark.parametrize(("signs", "grade"), LINES)
def test_printed_lines(line_grades: dict[str, int], signs: dict[str, Any], grade: int) -> None:
    assert line_grades[str(signs)] == grade


@pytest.mark.parametrize(
    ("age", "systolic", "low"),
    [
        (0.5, 69.0, True),
        (0.5, 70.0, False),
        (5.0, 79.0, True),
        (5.0, 80.0, False),
        (12.0, 89.0, True),
        (12.0, 90.0, False),
        (None, 89.0, True),
    ],
)
def test_age_norm_of_pressure(age: float | None, systolic: float, low: bool) -> None:
    # paediatric life support: 70 under 1 year, 70 + 2 x age to 10 years, then 90 mmHg
    patients = frame_of([{"patient": "P1", "age_years": age}], "patients")
    trial = trial_of(vital(1, 38.5, systolic_mmhg=systolic))
    signs = daily_crs_signs(trial["vitals"], patients)
    assert signs["hypotension_grade"].to_list() == [2 if low else 0]


def test_example_a() -> None:
    trial = trial_of(
        vital(1, 38.6),
        vital(2, 39.1, systolic_mmhg=84.0, fluid_bolus=True, vasopressors="none"),
        vital(3, 38.4, oxygen_device="nasal_cannula", oxygen_flow_l_per_min=3.0),
        vital(4, 37.2, oxygen_device="room_air"),
        vital(5, 37.0),
    )
    results = assess(trial).results
    crs = one(results, "crs")
    assert (crs["state"], crs["value"], crs["day"]) == ("yes", 2, 1)
    duration = one(results, "crs_duration")
    assert (duration["value"], duration["lower_bound"]) == (3, False)


def test_example_b() -> None:
    trial = trial_of(
        vital(2, 39.5),
        vital(4, 37.4, vasopressors="noradrenaline+vasopressin"),
        drugs=(drug("tocilizumab", 3),),
    )
    assert grades(trial) == {2: 1, 4: 3}
    assert one(assess(trial).results, "crs")["value"] == 3


def test_example_c() -> None:
    trial = trial_of(
        vital(5, 38.2, vasopressors="noradrenaline+dopamine", oxygen_device="face_mask")
    )
    assert one(assess(trial).results, "crs")["value"] == 4


def test_without_treatment_fever_stays_required() -> None:
    rows = (vital(2, 39.5), vital(3, 37.4, vasopressors="noradrenaline"))
    assert grades(trial_of(*rows)) == {2: 1, 3: 0}
    # nobody recorded any drug: fever may have been suppressed
    unknown = assess(trial_of(*rows, drugs=())).details["crs_days"]
    assert unknown["grade"].to_list() == [1, 3]
    assert "treatment not recorded" in unknown["flags"][1]


def test_treatment_that_ended_before_crs_waives_nothing() -> None:
    rows = (vital(2, 39.5), vital(3, 37.4, vasopressors="noradrenaline"))
    early = drug("paracetamol", -5, -4, indication="antipyretic")
    assert grades(trial_of(*rows, drugs=(early,)))[3.0] == 0
    running = drug("paracetamol", -5, 10, indication="antipyretic")
    assert grades(trial_of(*rows, drugs=(running,)))[3.0] == 3


def test_missing_temperature_is_graded_from_the_pressor_once_open() -> None:
    trial = trial_of(vital(2, 39.5), vital(3, None, vasopressors="noradrenaline"))
    assert grades(trial) == {2: 1, 3: 3}


@pytest.mark.parametrize(
    ("days", "lengths"),
    [
        ([1, 3], [3]),  # one quiet day bridged
        ([1, 4], [1, 1]),  # two quiet days end the episode
    ],
)
def test_bridging_of_quiet_days(days: list[int], lengths: list[int]) -> None:
    trial = trial_of(
        *(vital(d, 38.5 if d in days else 36.8) for d in range(1, 9)),
    )
    answer = one(assess(trial).results, "crs_duration")
    assert answer["value"] == sum(lengths)
    episodes = one(assess(trial).results, "crs")["flags"]
    assert ("2 episodes" in (episodes or "")) == (len(lengths) == 2)


@pytest.mark.parametrize(("second", "value"), [(4, 4), (5, 2)])
def test_days_without_records_keep_an_episode_open_two_days(second: int, value: int) -> None:
    trial = trial_of(vital(1, 38.5), vital(second, 38.5))
    assert one(assess(trial).results, "crs_duration")["value"] == value


def test_end_not_observed_is_a_lower_bound() -> None:
    answer = one(assess(trial_of(vital(1, 38.5), vital(2, 38.5))).results, "crs_duration")
    assert (answer["value"], answer["lower_bound"]) == (2, True)
    assert answer["flags"] == "end not observed"


@pytest.mark.parametrize(("day", "state"), [(0, "yes"), (14, "yes"), (15, "no")])
def test_onset_window(day: int, state: str) -> None:
    rows = [vital(d, 39.0 if d == day else 36.8) for d in range(20)]
    assert one(assess(trial_of(*rows)).results, "crs")["state"] == state


def test_window_comes_from_the_protocol() -> None:
    rows = [vital(d, 39.0 if d == 15 else 36.8) for d in range(20)]
    trial = trial_of(*rows, definitions={"crs_onset_window_days": 20})
    assert one(assess(trial).results, "crs")["state"] == "yes"


def test_later_onset_only_if_the_investigator_reports_it() -> None:
    events = [{"patient": "P1", "event": "crs", "grade": 1, "day": 16.0, "end_day": 18.0}]
    trial = trial_of(vital(3, 36.8), vital(16, 38.6), events=events)
    results = assess(trial).results
    assert one(results, "crs")["day"] == 16
    assert one(results, "crs_duration", source="adjudicated")["value"] == 3


def test_fever_before_infusion_is_not_crs() -> None:
    assert one(assess(trial_of(vital(-2, 39.0), vital(1, 36.9))).results, "crs")["state"] == "no"


@pytest.mark.parametrize(("cause", "grade", "flag"), [("yes", 0, "other"), ("possible", 1, "conf")])
def test_other_cause(cause: str, grade: int, flag: str) -> None:
    days = assess(trial_of(vital(3, 39.0, other_cause=cause))).details["crs_days"]
    assert days["grade"].to_list() == [grade]
    assert flag in days["flags"][0]


def test_culture_proven_infection_stays_in_unless_called_unrelated() -> None:
    infections = [
        {
            "patient": "P1",
            "organism": "Escherichia coli",
            "kind": "bacteria",
            "start_day": 3.0,
            "end_day": 6.0,
            "evidence": "culture",
        }
    ]
    stays = trial_of(vital(4, 39.0), infections=infections)
    assert "confounded" in one(assess(stays).results, "crs")["flags"]
    ae = {
        "patient": "P1",
        "term": "Septic shock",
        "grade": 4,
        "start_day": 3.0,
        "related_car_t": "unrelated",
    }
    out = trial_of(vital(4, 39.0), infections=infections, ae=[ae])
    assert one(assess(out).results, "crs")["value"] == 0


def test_death_from_crs_is_grade_5() -> None:
    tables = {
        "events": [{"patient": "P1", "event": "death", "day": 6.0, "cause": "crs"}],
        "followup": [{"patient": "P1", "last_contact_day": 6.0, "status": "dead"}],
    }
    assessed = assess(trial_of(vital(2, 39.0), vital(6, 39.0), **tables))
    assert one(assessed.results, "crs")["value"] == 5
    assert assessed.details["crs_days"].filter(day=6.0)["grade"].to_list() == [5]


def test_worst_of_several_rows_of_one_day() -> None:
    rows = (vital(2.2, 37.0), vital(2.6, 38.4, oxygen_device="face_mask"), vital(2.9, 37.5))
    assert grades(trial_of(*rows)) == {2: 3}


def test_missing_items_make_a_lower_bound() -> None:
    only_fever = one(assess(trial_of(vital(2, 39.0))).results, "crs")
    assert (only_fever["value"], only_fever["lower_bound"]) == (1, True)
    assert "oxygen missing" in only_fever["flags"]
    full = vital(2, 39.0, systolic_mmhg=120.0, spo2_percent=97.0, oxygen_device="room_air")
    assert not one(assess(trial_of(full)).results, "crs")["lower_bound"]
    cannula = {**full, "oxygen_device": "nasal_cannula"}
    answer = one(assess(trial_of(cannula)).results, "crs")
    assert (answer["value"], answer["lower_bound"]) == (2, True)


def test_no_vital_signs_is_not_a_no() -> None:
    results = assess(small_trial({}, patients=("P1", "P2"))).results
    assert results.height == 2 * len(RULES)
    assert set(results["state"]) == {"not_evaluable"}
    assert set(results["reason"]) == {"no_records"}


def test_days_missing_from_the_window_are_said() -> None:
    answer = one(assess(trial_of(*(vital(d, 36.8) for d in range(10)))).results, "crs")
    assert (answer["state"], answer["lower_bound"]) == ("no", True)
    assert answer["flags"] == "5 days without records"
    whole = one(assess(trial_of(*(vital(d, 36.8) for d in range(15)))).results, "crs")
    assert (whole["state"], whole["lower_bound"], whole["flags"]) == ("no", False, None)


def test_follow_up_that_ends_inside_the_window_is_not_yet_evaluable() -> None:
    followup = [{"patient": "P1", "last_contact_day": 6.0, "status": "alive"}]
    rows = [vital(d, 36.8) for d in range(7)]
    answer = one(assess(trial_of(*rows, followup=followup)).results, "crs")
    assert (answer["state"], answer["until"]) == ("not_yet_evaluable", 14)


def test_adjudicated_grade_stands_beside() -> None:
    events = [{"patient": "P1", "event": "crs", "grade": 2, "day": 1.0, "end_day": 9.0}]
    results = assess(small_trial({"events": events})).results
    assert one(results, "crs", source="adjudicated")["value"] == 2
    assert one(results, "crs_duration", source="adjudicated")["value"] == 9
    assert one(results, "crs")["state"] == "not_evaluable"


_PRESSORS = ["none", "vasopressin", "noradrenaline", "noradrenaline+adrenaline"]
_DEVICES = ["room_air", "nasal_cannula", "high_flow_cannula", "bipap"]


@settings(deadline=None, max_examples=20, derandomize=True)
@given(
    pressors=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    devices=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_grade_never_falls_when_support_rises(
    pressors: tuple[int, int], devices: tuple[int, int]
) -> None:
    (p_low, p_high), (d_low, d_high) = sorted(pressors), sorted(devices)
    rows = [
        {**vital(3, 38.5), "patient": patient, "vasopressors": _PRESSORS[p], "oxygen_device": o}
        for patient, p, o in (("A", p_low, _DEVICES[d_low]), ("B", p_high, _DEVICES[d_high]))
    ]
    days = assess(small_trial({"vitals": rows}, patients=("A", "B"))).details["crs_days"]
    mild, severe = days.sort("patient")["grade"].to_list()
    assert severe >= mild


def test_order_names_and_splitting_do_not_matter() -> None:
    patients = ("P1", "P2", "P3")
    rows = [
        {
            "patient": p,
            "day": float(d),
            "temperature_c": 37.0 + ((d * k) % 5) / 2,
            "vasopressors": v,
        }
        for k, p in enumerate(patients, start=1)
        for d, v in ((1, "none"), (2, "noradrenaline"), (3, None), (7, "none"), (8, "none"))
    ]
    drugs = [{**drug("tocilizumab", 2), "patient": "P2"}]
    assert_laws_hold(assess, small_trial({"vitals": rows, "drugs": drugs}, patients=patients))


def test_every_rule_is_answered() -> None:
    results = assess(trial_of(vital(1, 38.5))).results
    assert set(results["rule"]) == {rule.id for rule in RULES}
    assert isinstance(results, pl.DataFrame)
