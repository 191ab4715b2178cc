"""ICAHT (definitions 3.3): printed lines, both ways of counting, HSCT inside the window."""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assess.count_spells import daily_course, low_spells
from graftline.assess.icaht import RULES, assess, grade_low_days
from graftline.trial import Trial
from tests.assess.build import one, small_trial
from tests.assess.properties import assert_laws_hold


def days_of(values: Mapping[int, float], analyte: str = "anc", **more: Any) -> list[dict[str, Any]]:
    return [
        {"patient": "P1", "day": float(d), "analyte": analyte, "value": v, **more}
        for d, v in values.items()
    ]


def course(low: Iterable[int], *, value: float = 0.3, high: float = 2.0) -> dict[int, float]:
    """Daily ANC in 1e9/L from day 0 to 30: ``value`` on the days named, else ``high``."""
    named = set(low)
    return {day: value if day in named else high for day in range(31)}


def graded(courses: Mapping[str, Mapping[int, float]], analyte: str) -> pl.DataFrame:
    """Results of several courses at once, each a patient of one trial."""
    rows = [
        {**row, "patient": name}
        for name, values in courses.items()
        for row in days_of(values, analyte)
    ]
    return assess(small_trial({"labs": rows}, patients=tuple(courses))).results


def early(values: Mapping[int, float], rule: str = "icaht_early", **more: Any) -> dict[str, Any]:
    analyte = "platelets" if rule.startswith("thrombo") else "anc"
    return one(assess(trial_of(values, analyte=analyte, **more)).results, rule)


def trial_of(
    values: Mapping[int, float],
    *,
    analyte: str = "anc",
    hsct_day: float | None = None,
    definitions: dict[str, Any] | None = None,
    tables: dict[str, Any] | None = None,
) -> Trial:
    given = {"labs": days_of(values, analyte), **(tables or {})}
    return small_trial(given, hsct_day=hsct_day, definitions=definitions)


# published: Rejeski 2023; days at both sides of 7 and 14, counts at both sides of 500 and 100/uL
EARLY_LINES: list[tuple[Iterable[int], float, int]] = [
    ([], 0.3, 0),
    (range(5, 6), 0.3, 1),
    (range(5, 6), 0.5, 1),  # <= 500: the boundary counts
    (range(5, 6), 0.501, 0),
    (range(5, 11), 0.3, 1),  # 6 days
    (range(5, 12), 0.3, 2),  # 7
    (range(5, 18), 0.3, 2),  # 13
    (range(5, 19), 0.3, 3),  # 14
    (range(5, 11), 0.1, 1),  # 6 days <= 100
    (range(5, 12), 0.1, 3),  # 7
    (range(5, 12), 0.101, 2),
    (range(5, 18), 0.1, 3),  # 13
    (range(5, 19), 0.1, 4),  # 14
    (range(5, 31), 0.3, 4),  # never above 500 again
]


@pytest.fixture(scope="module")
def early_answers() -> pl.DataFrame:
    return graded(
        {f"{low} {v}": course(low, value=v) for low, v, _ in EARLY_LINES},
        "anc",
    )


@pytest.mark.parametrize(("low", "value", "grade"), EARLY_LINES)
def test_early_lines(
    early_answers: pl.DataFrame, low: Iterable[int], value: float, grade: int
) -> None:
    answer = one(early_answers.filter(patient=f"{low} {value}"), "icaht_early")
    assert (answer["value"], answer["lower_bound"]) == (grade, False)
    assert answer["state"] == ("yes" if grade else "no")
    assert answer["day"] == (5 if grade else None)


def test_example_short_rise_counts() -> None:
    # worked: <= 500 on days 3-12, > 500 on 13 and 14, <= 500 on 15-18 -> 16 days -> 3
    answer = early(course([*range(3, 13), *range(15, 19)]))
    assert (answer["value"], answer["flags"]) == (3, None)


def test_example_deep() -> None:
    assert early(course(range(5, 20), value=0.05))["value"] == 4  # 15 days <= 100


def test_example_hsct_inside_the_window() -> None:
    # worked: HSCT day 16, <= 500 on days 1-16 -> 16 days, never above, window >= 14 -> 4
    values = course(range(1, 17))
    answer = early(values, hsct_day=16.0)
    assert (answer["value"], answer["lower_bound"]) == (4, False)
    assert "truncated at day 16 by HSCT" in answer["flags"]
    assert early(values, "icaht_early_full_window", hsct_day=16.0)["value"] == 3


@pytest.mark.parametrize(("hsct_day", "grade", "lower_bound"), [(13, 2, True), (14, 4, False)])
def test_never_above_needs_a_window_of_14_days(
    hsct_day: int, grade: int, lower_bound: bool
) -> None:
    answer = early(course(range(3, 31)), hsct_day=float(hsct_day))
    assert (answer["value"], answer["lower_bound"]) == (grade, lower_bound)


def test_counts_after_hsct_belong_to_the_graft() -> None:
    values = course(range(16, 31), value=0.05)
    answer = early(values, hsct_day=14.0)
    assert (answer["state"], answer["value"], answer["lower_bound"]) == ("no", 0, True)
    assert early(values, "icaht_early_full_window", hsct_day=14.0)["value"] == 4


@pytest.mark.parametrize(("rise", "cumulative", "longest_run"), [(2, 3, 3), (3, 3, 2)])
def test_the_two_ways_of_counting(rise: int, cumulative: int, longest_run: int) -> None:
    # 8 low days, a rise, 6 low days: 14 cumulative; a rise of 3 days parts them into 8 and 6
    values = course([*range(2, 10), *range(10 + rise, 16 + rise)])
    answer = early(values)
    assert answer["value"] == cumulative
    option = early(values, definitions={"icaht": "longest_run"})
    assert option["value"] == longest_run
    differ = cumulative != longest_run
    assert answer["flags"] == ("longest_run grade 2" if differ else None)
    assert option["flags"] == ("cumulative grade 3" if differ else None)


def test_longest_run_calls_never_above_only_if_fallen_by_day_3() -> None:
    late_fall = course(range(20, 31))  # 11 days, to the last value
    assert early(late_fall)["value"] == 4
    assert early(late_fall, definitions={"icaht": "longest_run"})["value"] == 2
    assert early(course(range(3, 31)), definitions={"icaht": "longest_run"})["value"] == 4


@pytest.mark.parametrize(("missing", "grade", "gaps"), [(3, 2, False), (4, 1, True)])
def test_up_to_three_missing_days_are_interpolated(missing: int, grade: int, gaps: bool) -> None:
    # 4 low days before the gap and 1 after it: 8 days with three interpolated, else 4 and 1
    low = [5, 6, 7, 8, 9 + missing]
    values = {d: v for d, v in course(low).items() if not 9 <= d < 9 + missing}
    answer = early(values)
    assert (answer["value"], answer["lower_bound"]) == (grade, gaps)
    assert ("gaps" in (answer["flags"] or "")) == gaps


def test_interpolation_is_linear_in_log10_of_anc_plus_10() -> None:
    # hand-worked: 90/uL and 990/uL are log10(100) = 2 and log10(1000) = 3; the middle is
    # 10^2.5 - 10 = 306.2277660168379
    counts = pl.DataFrame(
        {"patient": ["P1"] * 2, "day": [1.0, 3.0], "value": [90.0, 990.0], "quantification": None},
        schema_overrides={"quantification": pl.String},
    )
    middle = daily_course(counts, offset=10).row(1, named=True)
    assert middle["value"] == pytest.approx(306.2277660168379, rel=1e-12)
    assert not middle["measured"]


def test_days_without_values_end_a_spell() -> None:
    days = pl.DataFrame({"patient": ["P1"] * 4, "day": [1.0, 2.0, 4.0, 5.0], "value": [1.0] * 4})
    spells = low_spells(days, pl.col("value") < 2)
    assert spells.row(0, named=True)["total_days"] == 4  # not 5: day 3 has no value
    assert spells.row(0, named=True)["longest_days"] == 2


def test_gaps_without_a_low_day_are_not_a_no() -> None:
    answer = early({0: 2.0, 10: 2.0, 28: 2.0})
    assert (answer["state"], answer["reason"]) == ("not_evaluable", "gaps")


def test_below_quantification() -> None:
    rows = [
        {**row, "quantification": "below"} if row["value"] == 0.1 else row
        for row in days_of(course(range(5, 12), value=0.1))
    ]
    answer = one(assess(small_trial({"labs": rows})).results, "icaht_early")
    assert (answer["value"], answer["lower_bound"]) == (3, False)  # "<100" is at most 100
    rows = [{**row, "value": 0.2} if row["value"] == 0.1 else row for row in rows]
    answer = one(assess(small_trial({"labs": rows})).results, "icaht_early")
    assert (answer["value"], answer["lower_bound"]) == (2, True)  # "<200" may be below 100


def test_lowest_of_the_day_counts() -> None:
    rows = [*days_of(course([])), *days_of({5: 0.3})]
    assert one(assess(small_trial({"labs": rows})).results, "icaht_early")["value"] == 1


@pytest.mark.parametrize("event", ["relapse", "progression", "next_therapy"])
def test_stops_at_progression_and_next_therapy(event: str) -> None:
    tables = {"events": [{"patient": "P1", "event": event, "day": 10.0}]}
    answer = early(course(range(5, 25)), tables=tables)
    assert (answer["value"], answer["lower_bound"]) == (1, True)  # days 5 to 10
    assert answer["flags"] == f"truncated at day 10 by {event}"


def test_follow_up_that_ends_inside_the_window() -> None:
    tables = {"followup": [{"patient": "P1", "last_contact_day": 12.0, "status": "alive"}]}
    values = {d: v for d, v in course([]).items() if d <= 12}
    answer = early(values, tables=tables)
    assert (answer["state"], answer["until"]) == ("not_yet_evaluable", 30)
    low = {d: v for d, v in course(range(3, 31)).items() if d <= 12}
    answer = early(low, tables=tables)
    assert (answer["state"], answer["value"], answer["lower_bound"]) == ("yes", 2, True)


# published: late ICAHT, lowest ANC confirmed by a second measurement
@pytest.mark.parametrize(
    ("values", "state", "grade"),
    [
        ({40: 1.6, 50: 1.6}, "no", 0),
        ({40: 1.5, 50: 1.5}, "yes", 1),
        ({40: 1.0, 50: 1.0}, "yes", 2),
        ({40: 0.5, 50: 0.5}, "yes", 3),
        ({40: 0.1, 50: 0.1}, "yes", 4),
        ({40: 0.101, 50: 0.1}, "yes", 3),
        ({40: 0.4, 50: 1.2}, "yes", 1),
        ({40: 0.4, 50: 3.0}, "not_evaluable", 0),  # not confirmed
        ({30: 0.4, 31: 0.4}, "not_evaluable", 0),
    ],
)
def test_late_lines(values: dict[int, float], state: str, grade: int) -> None:
    answer = one(assess(trial_of(values)).results, "icaht_late")
    assert (answer["state"], answer["value"]) == (state, grade)


def test_late_icaht_ends_at_hsct() -> None:
    results = assess(trial_of({40: 0.1, 50: 0.1}, hsct_day=20.0)).results
    answer = one(results, "icaht_late")
    assert (answer["state"], answer["reason"]) == ("not_evaluable", "hsct_before")


@pytest.mark.parametrize(
    ("last", "status", "state", "reason"),
    [
        (20.0, "dead", "not_evaluable", "died_before"),
        (20.0, "alive", "not_yet_evaluable", None),
        (90.0, "alive", "not_evaluable", "no_records"),
    ],
)
def test_late_without_a_day_after_30(
    last: float, status: str, state: str, reason: str | None
) -> None:
    tables = {"followup": [{"patient": "P1", "last_contact_day": last, "status": status}]}
    answer = one(assess(trial_of({5: 1.0}, tables=tables)).results, "icaht_late")
    assert (answer["state"], answer["reason"]) == (state, reason)


# published: thrombocytopenia by ICAHT, early
EARLY_PLATELETS: list[tuple[Iterable[int], float, int]] = [
    ([], 40, 0),
    ([5], 50, 0),
    ([5], 49, 1),
    (range(5, 11), 49, 1),
    (range(5, 12), 49, 2),
    ([5], 20, 1),
    ([5], 19, 3),
    (range(5, 18), 19, 3),
    (range(5, 19), 19, 4),
]

# published: thrombocytopenia by ICAHT, late (day 31-100)
LATE_PLATELETS: list[tuple[Iterable[int], float, int]] = [
    ([], 90, 0),
    ([50], 100, 0),
    ([50], 99, 1),
    ([50], 50, 1),
    ([50], 49, 2),
    ([50], 19, 3),
    (range(50, 63), 19, 3),
    (range(50, 64), 19, 4),
    ([30], 10, 0),
]


@pytest.fixture(scope="module")
def platelet_answers() -> pl.DataFrame:
    courses = {f"early {low} {v}": course(low, value=v, high=200) for low, v, _ in EARLY_PLATELETS}
    for low, v, _ in LATE_PLATELETS:
        courses[f"late {low} {v}"] = {d: v if d in set(low) else 200.0 for d in range(28, 101)}
    return graded(courses, "platelets")


@pytest.mark.parametrize(("low", "value", "grade"), EARLY_PLATELETS)
def test_early_platelets(
    platelet_answers: pl.DataFrame, low: Iterable[int], value: float, grade: int
) -> None:
    mine = platelet_answers.filter(patient=f"early {low} {value}")
    assert one(mine, "thrombocytopenia_icaht_early")["value"] == grade


@pytest.mark.parametrize(("low", "value", "grade"), LATE_PLATELETS)
def test_late_platelets(
    platelet_answers: pl.DataFrame, low: Iterable[int], value: float, grade: int
) -> None:
    mine = platelet_answers.filter(patient=f"late {low} {value}")
    assert one(mine, "thrombocytopenia_icaht_late")["value"] == grade


def test_adjudicated_stands_beside_and_nobody_disappears() -> None:
    events = [{"patient": "P1", "event": "icaht", "grade": 3, "day": 5.0}]
    results = assess(small_trial({"events": events}, patients=("P1", "P2"))).results
    assert one(results, "icaht_early", source="adjudicated")["value"] == 3
    derived = results.filter(source="derived")
    assert derived.height == 2 * len(RULES)
    assert set(derived["rule"]) == {rule.id for rule in RULES}
    assert set(derived["state"]) == {"not_evaluable"}


@settings(deadline=None, max_examples=15, derandomize=True)
@given(
    values=st.lists(st.floats(0.0, 3.0), min_size=31, max_size=31),
    factor=st.floats(0.0, 1.0),
    day=st.integers(0, 30),
)
def test_grade_never_falls_when_a_count_falls(values: list[float], factor: float, day: int) -> None:
    mild = dict(enumerate(values))
    severe = {**mild, day: mild[day] * factor}
    counts = pl.DataFrame(
        {
            "patient": [p for p in ("mild", "severe") for _ in mild],
            "day": [float(d) for _ in range(2) for d in mild],
            "value": [v * 1000 for course_ in (mild, severe) for v in course_.values()],
            "quantification": None,
        },
        schema_overrides={"quantification": pl.String},
    )
    windows = pl.DataFrame(
        {
            "patient": ["mild", "severe"],
            "begin": 0.0,
            "end": 30.0,
            "truncated": False,
            "still_open": False,
        }
    )
    grades = grade_low_days(counts, windows, "early_anc").sort("patient")
    assert grades["cumulative"][1] >= grades["cumulative"][0]
    assert grades["longest_run"][1] >= grades["longest_run"][0]


def test_order_names_and_splitting_do_not_matter() -> None:
    patients = ("P1", "P2", "P3")
    rows = [
        {"patient": p, "day": float(d), "analyte": a, "value": (0.05 + (d * k % 7) / 4) * scale}
        for k, p in enumerate(patients, start=1)
        for d in range(0, 60, k)
        for a, scale in (("anc", 1.0), ("platelets", 50.0))
    ]
    grafts = {"P1": 16.0, "P2": 45.0}
    assert_laws_hold(assess, small_trial({"labs": rows}, patients=patients, hsct_day=grafts))
