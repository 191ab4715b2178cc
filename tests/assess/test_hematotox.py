"""CAR-HEMATOTOX (definitions 3.5): printed lines, missing items, worked examples."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assess.hematotox import assess
from graftline.trial import Trial
from tests.assess.build import one, small_trial
from tests.assess.properties import assert_laws_hold

BEST = {"platelets": 200.0, "anc": 3.0, "hemoglobin": 110.0, "crp": 5.0, "ferritin": 300.0}


def labs(values: dict[str, float], *, day: float = -5.0, **more: Any) -> list[dict[str, Any]]:
    return [
        {"patient": "P1", "day": day, "analyte": a, "value": v, **more} for a, v in values.items()
    ]


def answer(rows: list[dict[str, Any]], **tables: Any) -> dict[str, Any]:
    trial: Trial = small_trial({"labs": rows, **tables})
    return one(assess(trial).results, "car_hematotox")


# published: Rejeski 2021; both ends of a one-point range belong to one point
@pytest.mark.parametrize(
    ("item", "value", "points"),
    [
        ("platelets", 176, 0),
        ("platelets", 175, 1),
        ("platelets", 75, 1),
        ("platelets", 74, 2),
        ("anc", 1.2, 0),
        ("anc", 1.19, 1),
        ("hemoglobin", 90, 0),
        ("hemoglobin", 89, 1),
        ("crp", 29.9, 0),
        ("crp", 30, 1),
        ("ferritin", 649, 0),
        ("ferritin", 650, 1),
        ("ferritin", 2000, 1),
        ("ferritin", 2001, 2),
    ],
)
def test_printed_lines(item: str, value: float, points: int) -> None:
    found = answer(labs({**BEST, item: value}))
    assert (found["value"], found["lower_bound"]) == (points, False)
    assert found["label"] == ("high" if points >= 2 else "low")


@pytest.mark.parametrize(
    ("values", "score", "label"),
    [  # worked examples of definitions 3.5
        ({"platelets": 60, "anc": 0.8, "hemoglobin": 75, "crp": 45, "ferritin": 3000}, 7, "high"),
        ({"platelets": 200, "anc": 3, "hemoglobin": 110, "crp": 5, "ferritin": 700}, 1, "low"),
        ({"platelets": 70}, 2, "high"),
    ],
)
def test_examples(values: dict[str, float], score: int, label: str) -> None:
    found = answer(labs(values))
    assert (found["value"], found["label"]) == (score, label)


def test_missing_item_is_not_evaluable_unless_high() -> None:
    found = answer(labs({a: v for a, v in BEST.items() if a != "ferritin"}))
    assert (found["state"], found["reason"]) == ("not_evaluable", "missing_items")
    assert (found["value"], found["lower_bound"]) == (0, True)
    assert found["flags"] == "missing ferritin"


def test_one_point_missing_item_cannot_make_a_clean_score_high() -> None:
    # definitions 3.5: "any item missing: not evaluable unless already >= 2"
    found = answer(labs({a: v for a, v in BEST.items() if a != "crp"}))
    assert found["state"] == "not_evaluable"


@pytest.mark.parametrize(
    ("value", "quantification", "score", "bound"),
    [(75.0, "below", 2, False), (100.0, "below", 1, True)],
)
def test_below_quantification(value: float, quantification: str, score: int, bound: bool) -> None:
    rows = labs({a: v for a, v in BEST.items() if a != "platelets"})
    rows += labs({"platelets": value}, quantification=quantification)
    found = answer(rows)
    assert (found["value"], found["lower_bound"]) == (score, bound)


def test_ferritin_above_its_limit() -> None:
    rows = labs({a: v for a, v in BEST.items() if a != "ferritin"})
    found = answer(rows + labs({"ferritin": 2000.0}, quantification="above"))
    assert (found["value"], found["label"]) == (2, "high")


@pytest.mark.parametrize(
    ("day", "counts"), [(-10.0, True), (-11.0, False), (-5.0, True), (-4.0, False)]
)
def test_window_ends_with_the_first_dose(day: float, counts: bool) -> None:
    found = answer(labs(BEST, day=day))
    assert (found["state"] == "no") == counts


def test_nearest_value_before_the_recorded_first_dose() -> None:
    drugs = [
        {"patient": "P1", "drug": "fludarabine", "start_day": -7.0, "indication": "lymphodepletion"}
    ]
    rows = labs(BEST, day=-9) + labs({"platelets": 50.0}, day=-7) + labs({"anc": 0.1}, day=-6)
    assert answer(rows, drugs=drugs)["value"] == 2


def test_worst_of_the_day() -> None:
    assert answer(labs(BEST) + labs({"crp": 90.0, "platelets": 100.0}))["value"] == 2


def test_nobody_disappears() -> None:
    results = assess(small_trial({}, patients=("P1", "P2"))).results
    assert results["reason"].to_list() == ["no_records", "no_records"]


@settings(deadline=None, max_examples=15, derandomize=True)
@given(
    values=st.fixed_dictionaries({a: st.floats(0, 3 * v) for a, v in BEST.items()}),
    item=st.sampled_from(sorted(BEST)),
    factor=st.floats(1.0, 20.0),
)
def test_score_never_falls_when_one_item_worsens(
    values: dict[str, float], item: str, factor: float
) -> None:
    up = item in ("crp", "ferritin")
    worse = {**values, item: values[item] * factor if up else values[item] / factor}
    assert answer(labs(worse))["value"] >= answer(labs(values))["value"]


def test_order_names_and_splitting_do_not_matter() -> None:
    patients = ("P1", "P2", "P3")
    rows = [
        {"patient": p, "day": -5.0, "analyte": a, "value": v * k}
        for k, p in enumerate(patients)
        for a, v in BEST.items()
    ]
    assert_laws_hold(assess, small_trial({"labs": rows}, patients=patients))
