"""Grade 4 pancytopenia and marrow hypocellularity (definitions 3.4)."""

from typing import Any

import pytest

from graftline.assess.pancytopenia import RULES, assess, hypocellular_marrows
from graftline.trial import Trial
from tests.assess.build import frame_of, one, small_trial
from tests.assess.properties import assert_laws_hold


def counts(day: float, **values: float | None) -> list[dict[str, Any]]:
    return [
        {"patient": "P1", "day": day, "analyte": a, "value": v}
        for a, v in values.items()
        if v is not None
    ]


def trial_of(
    *rows: list[dict[str, Any]],
    red_cells: list[float] | None = None,
    hsct_day: float | None = None,
    definitions: dict[str, Any] | None = None,
) -> Trial:
    tables: dict[str, Any] = {"labs": [row for each in rows for row in each]}
    if red_cells is not None:
        tables["transfusions"] = [
            {"patient": "P1", "day": day, "product": "red_cells"} for day in red_cells
        ]
    return small_trial(tables, hsct_day=hsct_day, definitions=definitions)


# worked examples of definitions 3.4, then both sides of each threshold and exactly on it
@pytest.mark.parametrize(
    ("anc", "platelets", "hemoglobin", "red_cells", "state"),
    [
        (0.48, 24, 79, [], "yes"),
        (0.5, 10, 60, [], "no"),
        (0.1, 10, 92, [8.0], "yes"),
        (0.49, 24, 79, [], "yes"),
        (0.1, 25, 60, [], "no"),
        (0.1, 24, 80, [], "no"),
        (0.1, 24, 80, [3.0], "yes"),  # exactly 7 days before
        (0.1, 24, 80, [2.0], "no"),
        (0.1, 24, 80, [11.0], "no"),  # given afterwards
        (0.1, 24, 80, None, "not_evaluable"),  # nobody recorded transfusions
        (0.1, 24, None, [], "not_evaluable"),
        (0.1, None, 79, [], "not_evaluable"),
        (0.6, None, None, [], "no"),  # one line known not to be low settles it
    ],
)
def test_grade_4_pancytopenia(
    anc: float,
    platelets: float | None,
    hemoglobin: float | None,
    red_cells: list[float] | None,
    state: str,
) -> None:
    # a transfusion of another day keeps the table's patient known
    trial = trial_of(
        counts(10, anc=anc, platelets=platelets, hemoglobin=hemoglobin), red_cells=red_cells
    )
    answer = one(assess(trial).results, "pancytopenia_grade4")
    assert answer["state"] == state
    assert answer["day"] == (10 if state == "yes" else None)
    assert answer["reason"] == ("incomplete_records" if state == "not_evaluable" else None)


@pytest.mark.parametrize(
    ("anc", "platelets", "reticulocytes", "state"),
    [
        (0.49, 19, 19, "yes"),
        (0.5, 19, 19, "no"),
        (0.49, 20, 19, "no"),
        (0.49, 19, 20, "no"),
        (0.49, 19, None, "not_evaluable"),
    ],
)
def test_camitta_option(
    anc: float, platelets: float, reticulocytes: float | None, state: str
) -> None:
    trial = trial_of(
        counts(10, anc=anc, platelets=platelets, reticulocytes=reticulocytes),
        definitions={"pancytopenia": "camitta1979"},
    )
    assert one(assess(trial).results, "pancytopenia_grade4")["state"] == state


@pytest.mark.parametrize(("gap", "state"), [(1, "yes"), (-1, "yes"), (2, "not_evaluable")])
def test_values_within_one_day(gap: int, state: str) -> None:
    trial = trial_of(
        counts(10, anc=0.1, platelets=10), counts(10 + gap, hemoglobin=70), red_cells=[]
    )
    assert one(assess(trial).results, "pancytopenia_grade4")["state"] == state


def test_below_quantification() -> None:
    # "<0.5" is below 0.5; "<0.8" may or may not be
    rows = counts(10, platelets=10, hemoglobin=70)
    for limit, state in ((0.5, "yes"), (0.8, "not_evaluable")):
        anc = [{**counts(10, anc=limit)[0], "quantification": "below"}]
        trial = trial_of(rows, anc, red_cells=[])
        assert one(assess(trial).results, "pancytopenia_grade4")["state"] == state


def test_worst_value_of_the_day_counts() -> None:
    trial = trial_of(
        counts(10.2, anc=0.6, platelets=30, hemoglobin=90),
        counts(10.8, anc=0.4, platelets=20, hemoglobin=78),
        red_cells=[],
    )
    assert one(assess(trial).results, "pancytopenia_grade4")["state"] == "yes"


def test_first_day_days_met_and_still_met_on_hsct_day() -> None:
    low = {"anc": 0.1, "platelets": 10.0, "hemoglobin": 70.0}
    trial = trial_of(
        counts(3, **low | {"anc": 1.0}),
        counts(5, **low),
        counts(9, **low),
        counts(14, **low),
        counts(20, **low),  # after HSCT: the graft's time
        red_cells=[],
        hsct_day=15,
    )
    results = assess(trial).results
    ever = one(results, "pancytopenia_grade4")
    assert (ever["state"], ever["day"], ever["value"]) == ("yes", 5, 3)
    on_day = one(results, "pancytopenia_on_hsct_day")
    assert (on_day["state"], on_day["day"]) == ("yes", 15)


def test_recovered_before_hsct() -> None:
    low = {"anc": 0.1, "platelets": 10.0, "hemoglobin": 70.0}
    trial = trial_of(counts(5, **low), counts(15, **low | {"anc": 0.9}), red_cells=[], hsct_day=15)
    assert one(assess(trial).results, "pancytopenia_on_hsct_day")["state"] == "no"


def test_no_counts_near_hsct_is_not_a_no() -> None:
    trial = trial_of(
        counts(5, anc=1.0, platelets=100.0, hemoglobin=100.0), red_cells=[], hsct_day=15
    )
    results = assess(trial).results
    assert one(results, "pancytopenia_on_hsct_day")["state"] == "not_evaluable"
    assert one(results, "pancytopenia_grade4")["state"] == "no"


# Camitta 1979 as printed in SAA trials
@pytest.mark.parametrize(
    ("cellularity", "haematopoietic", "met"),
    [
        (24.9, None, True),
        (25.0, 29.9, True),
        (25.0, 30.0, False),
        (49.9, 29.0, True),
        (50.0, 5.0, False),
        (30.0, None, None),
        (None, 5.0, None),
        (60.0, None, False),
    ],
)
def test_severe_hypocellularity(
    cellularity: float | None, haematopoietic: float | None, met: bool | None
) -> None:
    row = {
        "patient": "P1",
        "day": 14.0,
        "specimen": "marrow",
        "cellularity_percent": cellularity,
        "haematopoietic_percent": haematopoietic,
        "day_low": None,
        "day_high": None,
    }
    assert hypocellular_marrows(frame_of([row], "marrow"))["met"].to_list() == [met]


def test_marrow_result_has_first_day_and_lowest_cellularity() -> None:
    rows = [
        {"patient": "P1", "day": d, "specimen": "marrow", "cellularity_percent": c}
        for d, c in ((-3.0, 2.0), (10.0, 40.0), (14.0, 20.0), (21.0, 5.0))
    ]
    rows[1]["haematopoietic_percent"] = 80.0
    answer = one(assess(small_trial({"marrow": rows})).results, "marrow_hypocellularity")
    assert (answer["state"], answer["day"], answer["value"]) == ("yes", 14, 5)


def test_adjudicated_stands_beside() -> None:
    events = [
        {"patient": "P1", "event": "pancytopenia", "grade": 4, "day": 6.0, "end_day": 30.0},
        {"patient": "P2", "event": "pancytopenia", "occurred": False},
        {"patient": "P3", "event": "pancytopenia", "grade": 4, "day": 6.0},
    ]
    patients = ("P1", "P2", "P3")
    results = assess(small_trial({"events": events}, patients=patients, hsct_day=15.0)).results
    rows = results.filter(source="adjudicated")
    states = {(r["patient"], r["rule"]): r["state"] for r in rows.iter_rows(named=True)}
    assert states == {
        ("P1", "pancytopenia_grade4"): "yes",
        ("P2", "pancytopenia_grade4"): "no",
        ("P3", "pancytopenia_grade4"): "yes",
        ("P1", "pancytopenia_on_hsct_day"): "yes",
        ("P3", "pancytopenia_on_hsct_day"): "not_evaluable",
    }
    assert set(results.filter(source="derived")["reason"]) == {
        "no_records",
        "incomplete_records",
    }


def test_nobody_disappears() -> None:
    results = assess(small_trial({}, patients=("P1", "P2"), hsct_day={"P2": 10.0})).results
    assert results.group_by("rule").len().sort("rule")["len"].to_list() == [2, 2, 1]
    assert set(results["rule"]) == {rule.id for rule in RULES}
    assert set(results["state"]) == {"not_evaluable"}


def test_order_names_and_splitting_do_not_matter() -> None:
    patients = ("P1", "P2", "P3")
    rows = [
        {"patient": p, "day": d, "analyte": a, "value": v * f}
        for p, f in zip(patients, (0.5, 1.0, 3.0), strict=True)
        for d in (2.0, 6.0, 15.0)
        for a, v in (("anc", 0.4), ("platelets", 20.0), ("hemoglobin", 75.0))
    ]
    transfusions = [{"patient": "P3", "day": 4.0, "product": "red_cells"}]
    tables = {"labs": rows, "transfusions": transfusions}
    assert_laws_hold(assess, small_trial(tables, patients=patients, hsct_day=15.0))
