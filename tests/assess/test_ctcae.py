"""CTCAE v5.0 laboratory grades against the printed table (definitions 3.4)."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assess.ctcae import HIGH, LOW, RULES, assess, grade_ctcae_days
from tests.assess.build import frame_of, one, small_trial
from tests.assess.properties import assert_laws_hold


def lab(day: float, analyte: str, value: float, **more: Any) -> dict[str, Any]:
    return {"patient": "P1", "day": day, "analyte": analyte, "value": value, **more}


# published: NCI, CTCAE v5.0 (2017); both sides of each threshold and exactly on it
LOW_LINES = [
    ("anc", 2.0, 0),
    ("anc", 1.99, 1),
    ("anc", 1.5, 1),
    ("anc", 1.49, 2),
    ("anc", 1.0, 2),
    ("anc", 0.99, 3),
    ("anc", 0.5, 3),
    ("anc", 0.49, 4),
    ("anc", 0.0, 4),
    ("platelets", 150, 0),
    ("platelets", 149, 1),
    ("platelets", 75, 1),
    ("platelets", 74, 2),
    ("platelets", 50, 2),
    ("platelets", 49, 3),
    ("platelets", 25, 3),
    ("platelets", 24, 4),
    ("alc", 1.1, 0),
    ("alc", 0.8, 1),
    ("alc", 0.79, 2),
    ("alc", 0.5, 2),
    ("alc", 0.49, 3),
    ("alc", 0.2, 3),
    ("alc", 0.19, 4),
    ("wbc", 4.0, 0),
    ("wbc", 3.0, 1),
    ("wbc", 2.99, 2),
    ("wbc", 2.0, 2),
    ("wbc", 1.99, 3),
    ("wbc", 1.0, 3),
    ("wbc", 0.99, 4),
    ("hemoglobin", 120, 0),
    ("hemoglobin", 119, 1),
    ("hemoglobin", 100, 1),
    ("hemoglobin", 99, 2),
    ("hemoglobin", 80, 2),
    ("hemoglobin", 79, 3),
    ("hemoglobin", 30, 3),  # grade 4 has no laboratory cut
]
LOWER_NORMAL = {"anc": 2.0, "platelets": 150.0, "alc": 1.1, "wbc": 4.0, "hemoglobin": 120.0}


@pytest.fixture(scope="module")
def low_answers() -> pl.DataFrame:
    """Every line of LOW_LINES as a patient of one trial."""
    names = [f"{a} {v}" for a, v, _ in LOW_LINES]
    rows = [
        {**lab(5, a, v, lower_normal=LOWER_NORMAL[a]), "patient": name}
        for name, (a, v, _) in zip(names, LOW_LINES, strict=True)
    ]
    return assess(small_trial({"labs": rows}, patients=names)).results


@pytest.mark.parametrize(("analyte", "value", "grade"), LOW_LINES)
def test_each_printed_line_of_low_counts(
    low_answers: pl.DataFrame, analyte: str, value: float, grade: int
) -> None:
    mine = low_answers.filter(patient=f"{analyte} {value}")
    answer = one(mine, f"ctcae_{analyte}")
    assert answer["value"] == grade
    assert answer["state"] == ("yes" if grade else "no")
    assert answer["day"] == (5 if grade else None)
    assert not answer["lower_bound"]


# published: CTCAE v5.0. limit = 40 (enzymes), 1.2 (bilirubin, creatinine)
HIGH_LINES = [
    ("alt", 30, 40, 0),
    ("alt", 30, 41, 1),
    ("alt", 30, 120, 1),
    ("alt", 30, 121, 2),
    ("alt", 30, 200, 2),
    ("alt", 30, 201, 3),
    ("alt", 30, 800, 3),
    ("alt", 30, 801, 4),
    ("ast", 30, 120.0, 1),
    ("ast", 30, 120.5, 2),
    ("alt", 100, 149, 0),  # abnormal baseline: from 1.5 x baseline
    ("alt", 100, 150, 1),
    ("alt", 100, 300, 1),
    ("alt", 100, 301, 2),
    ("alt", 100, 500, 2),
    ("alt", 100, 501, 3),
    ("alt", 100, 2000, 3),
    ("alt", 100, 2001, 4),
    ("bilirubin", 1.0, 1.2, 0),
    ("bilirubin", 1.0, 1.21, 1),
    ("bilirubin", 1.0, 1.8, 1),  # 1.5 x 1.2 is 1.7999999999999998 in binary
    ("bilirubin", 1.0, 1.81, 2),
    ("bilirubin", 1.0, 3.6, 2),
    ("bilirubin", 1.0, 3.61, 3),
    ("bilirubin", 1.0, 12.0, 3),
    ("bilirubin", 1.0, 12.1, 4),
    ("bilirubin", 2.0, 2.0, 0),
    ("bilirubin", 2.0, 2.1, 1),
    ("bilirubin", 2.0, 3.1, 2),
    ("bilirubin", 2.0, 6.1, 3),
    ("bilirubin", 2.0, 20.1, 4),
    ("creatinine", 1.0, 1.2, 0),
    ("creatinine", 1.0, 1.3, 1),
    ("creatinine", 0.6, 0.9, 0),
    ("creatinine", 0.6, 0.95, 2),  # > 1.5 x baseline although normal
    ("creatinine", 1.0, 1.81, 2),
    ("creatinine", 1.0, 3.1, 3),
    ("creatinine", 2.0, 3.7, 3),
    ("creatinine", 2.0, 7.2, 3),
    ("creatinine", 2.0, 7.3, 4),
]


@pytest.fixture(scope="module")
def high_answers() -> pl.DataFrame:
    """Every line of HIGH_LINES as a patient of one trial."""
    rows = []
    for a, baseline, value, _ in HIGH_LINES:
        limit = 40.0 if a in ("alt", "ast") else 1.2
        for day, v in ((-1, baseline), (7, value)):
            row = lab(day, a, v, upper_normal=limit)
            rows.append({**row, "patient": f"{a} {baseline} {value}"})
    names = [f"{a} {baseline} {value}" for a, baseline, value, _ in HIGH_LINES]
    return assess(small_trial({"labs": rows}, patients=names)).results


@pytest.mark.parametrize(("analyte", "baseline", "value", "grade"), HIGH_LINES)
def test_each_printed_line_against_baseline(
    high_answers: pl.DataFrame, analyte: str, baseline: float, value: float, grade: int
) -> None:
    mine = high_answers.filter(patient=f"{analyte} {baseline} {value}")
    answer = one(mine, f"ctcae_{analyte}")
    assert (answer["value"], answer["lower_bound"]) == (grade, False)


def test_baseline_value_is_graded_against_the_limit_only() -> None:
    # the pitfall named in definitions 3.4: ALT 100 with limit 40 is grade 1 at baseline, and the
    # same 100 afterwards (1.0 x an abnormal baseline) is grade 0
    rows = [lab(-1, "alt", 100, upper_normal=40.0), lab(3, "alt", 100, upper_normal=40.0)]
    days = grade_ctcae_days(frame_of(rows, "labs").with_columns(quantification=None), "alt")
    assert days["grade"].to_list() == [1, 0]
    assert days["treatment_emergent"].to_list() == [None, False]


@pytest.mark.parametrize("analyte", LOW)
def test_grade_1_needs_the_lower_limit_of_normal(analyte: str) -> None:
    trial = small_trial({"labs": [lab(5, analyte, 115.0)]})  # above every printed cut
    answer = one(assess(trial).results, f"ctcae_{analyte}")
    assert (answer["state"], answer["value"], answer["lower_bound"]) == ("not_evaluable", 0, True)
    assert answer["reason"] == "no_lower_normal"


def test_grades_2_to_4_need_no_limit_of_normal() -> None:
    trial = small_trial({"labs": [lab(5, "anc", 0.7)]})
    answer = one(assess(trial).results, "ctcae_anc")
    assert (answer["state"], answer["value"], answer["lower_bound"]) == ("yes", 3, False)


@pytest.mark.parametrize("analyte", HIGH)
def test_without_upper_limit_nothing_can_be_said(analyte: str) -> None:
    trial = small_trial({"labs": [lab(-1, analyte, 20), lab(5, analyte, 20)]})
    answer = one(assess(trial).results, f"ctcae_{analyte}")
    assert (answer["state"], answer["reason"]) == ("not_evaluable", "no_upper_normal")
    assert answer["value"] is None


def test_normal_creatinine_without_baseline_is_not_grade_0() -> None:
    trial = small_trial({"labs": [lab(5, "creatinine", 1.0, upper_normal=1.2)]})
    answer = one(assess(trial).results, "ctcae_creatinine")
    assert (answer["state"], answer["reason"]) == ("not_evaluable", "no_baseline")


@pytest.mark.parametrize(
    ("value", "grade", "lower_bound"),
    [(0.5, 4, False), (0.1, 4, False), (0.8, 3, True), (1.5, 2, True)],
)
def test_below_quantification(value: float, grade: int, lower_bound: bool) -> None:
    # definitions section 0: "<x" satisfies "< t" if x <= t; "<0.8" may hide anything down to 0
    trial = small_trial({"labs": [lab(5, "anc", value, quantification="below")]})
    answer = one(assess(trial).results, "ctcae_anc")
    assert (answer["value"], answer["lower_bound"]) == (grade, lower_bound)


def test_worst_of_several_results_of_one_day_and_of_all_days() -> None:
    rows = [lab(5.1, "anc", 1.2), lab(5.6, "anc", 0.7), lab(6, "anc", 0.2), lab(9, "anc", 0.2)]
    assessed = assess(small_trial({"labs": rows}))
    answer = one(assessed.results, "ctcae_anc")
    assert (answer["value"], answer["day"]) == (4, 6)
    assert assessed.details["ctcae_grades"]["grade"].to_list() == [3, 4, 4]


def test_anc_from_the_differential() -> None:
    rows = [lab(5, "wbc", 2.0), lab(5, "neutrophil_percent", 30.0)]  # 0.6
    assert one(assess(small_trial({"labs": rows})).results, "ctcae_anc")["value"] == 3


def test_day_0_belongs_to_the_baseline() -> None:
    rows = [lab(0, "platelets", 20, lower_normal=150.0), lab(1, "platelets", 160, lower_normal=150)]
    answer = one(assess(small_trial({"labs": rows})).results, "ctcae_platelets")
    assert (answer["state"], answer["value"]) == ("no", 0)


@pytest.mark.parametrize(
    ("before", "flag"),
    [(160.0, "treatment-emergent"), (20.0, "not worse than baseline"), (None, "no baseline")],
)
def test_treatment_emergent(before: float | None, flag: str) -> None:
    rows = [lab(2, "platelets", 20, lower_normal=150.0)]
    if before is not None:
        rows.append(lab(-3, "platelets", before, lower_normal=150.0))
    assert one(assess(small_trial({"labs": rows})).results, "ctcae_platelets")["flags"] == flag


def test_nobody_disappears() -> None:
    results = assess(small_trial({}, patients=("P1", "P2"))).results
    assert results.height == 2 * len(RULES)
    assert set(results["state"]) == {"not_evaluable"}
    assert set(results["reason"]) == {"no_records"}


@settings(deadline=None, max_examples=15, derandomize=True)
@given(
    value=st.floats(0.0, 200.0),
    worse=st.floats(0.0, 200.0),
    analyte=st.sampled_from(LOW),
)
def test_grade_never_falls_when_a_count_falls(value: float, worse: float, analyte: str) -> None:
    low, high = sorted((value, worse))
    rows = frame_of([lab(1, analyte, low), lab(2, analyte, high)], "labs")
    labs = rows.with_columns(
        quantification=None, lower_normal=pl.lit(LOWER_NORMAL[analyte]), upper_normal=None
    )
    grades = grade_ctcae_days(labs, analyte)["grade"].to_list()
    assert grades[0] >= grades[1]


def test_order_names_and_splitting_do_not_matter() -> None:
    rows = [
        {"patient": p, "day": d, "analyte": a, "value": v, "upper_normal": 40.0}
        for p, shift in (("P1", 0.1), ("P2", 0.9), ("P3", 3.0))
        for d, a, v in ((-2.0, "alt", 30 + shift), (1.0, "anc", shift), (3.0, "alt", 90 * shift))
    ]
    assert_laws_hold(assess, small_trial({"labs": rows}, patients=("P1", "P2", "P3")))
