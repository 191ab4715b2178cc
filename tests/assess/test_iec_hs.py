"""IEC-HS by ASTCT 2023 (definitions 1.3): features, both sides of the thresholds, examples."""

from typing import Any

import pytest

from graftline.assess.iec_hs import assess
from graftline.trial import Trial
from tests.assess.build import one, small_trial
from tests.assess.properties import assert_laws_hold


def lab(day: float, analyte: str, value: float, **more: Any) -> dict[str, Any]:
    return {"patient": "P1", "day": float(day), "analyte": analyte, "value": value, **more}


def crs(last: int, *, until: int = 20, temperature_c: float = 39.0) -> list[dict[str, Any]]:
    """Fever on days 2 to ``last``, quiet afterwards."""
    return [
        {
            "patient": "P1",
            "day": float(d),
            "temperature_c": temperature_c if 2 <= d <= last else 36.8,
        }
        for d in range(until + 1)
    ]


def trial_of(*labs: dict[str, Any], last: int = 8, **tables: Any) -> Trial:
    return small_trial({"labs": list(labs), "vitals": crs(last), **tables})


# ferritin 38000, AST 9 x, fibrinogen 0.9, CRS over: the first worked example
FERRITIN = (
    lab(-1, "ferritin", 1200, upper_normal=400.0),
    lab(10, "ferritin", 38000, upper_normal=400.0),
)
AST = (lab(-1, "ast", 30, upper_normal=40.0), lab(10, "ast", 360, upper_normal=40.0))
FIBRINOGEN = (lab(10, "fibrinogen", 0.9),)


def test_example_probable() -> None:
    answer = one(assess(trial_of(*FERRITIN, *AST, *FIBRINOGEN)).results, "iec_hs")
    assert (answer["state"], answer["label"], answer["day"]) == ("yes", "probable", 10)
    assert answer["flags"] == ("required met, typical 3: crs_resolving, transaminases, fibrinogen")
    assert (answer["value"], answer["lower_bound"]) == (1, True)


def test_example_required_only() -> None:
    # worked: ferritin 900 with ULN 400 on day 3 of CRS, nothing else -> required met, not probable
    answer = one(assess(trial_of(lab(4, "ferritin", 900, upper_normal=400.0))).results, "iec_hs")
    assert answer["state"] == "no"
    assert answer["flags"] == "required met, typical 0: none"


@pytest.mark.parametrize(
    ("value", "baseline", "required"),
    [
        (801, None, True),
        (800, None, None),
        (800, 400.0, False),
        (799, 399.0, True),
        (700, 351.0, False),
    ],
)
def test_ferritin(value: float, baseline: float | None, required: bool | None) -> None:
    rows = [lab(10, "ferritin", value, upper_normal=400.0)]
    if baseline is not None:
        rows.append(lab(-2, "ferritin", baseline, upper_normal=400.0))
    features = assess(trial_of(*rows)).details["iec_hs_features"]
    assert features["required"].to_list() == [required]


@pytest.mark.parametrize(
    ("analyte", "baseline", "value", "met"),
    [
        ("alt", 30.0, 200.0, False),  # 5 x 40
        ("alt", 30.0, 201.0, True),
        ("ast", 30.0, 201.0, True),
        ("alt", 100.0, 500.0, False),  # 5 x an abnormal baseline
        ("alt", 100.0, 501.0, True),
    ],
)
def test_transaminases(analyte: str, baseline: float, value: float, met: bool) -> None:
    rows = (
        lab(-1, analyte, baseline, upper_normal=40.0),
        lab(11, analyte, value, upper_normal=40.0),  # within a day of the ferritin
    )
    features = assess(trial_of(*FERRITIN, *rows)).details["iec_hs_features"]
    assert features["transaminases"].to_list() == [met]


@pytest.mark.parametrize(
    ("value", "lower_normal", "met"),
    [(1.5, None, False), (1.49, None, True), (1.7, 1.8, True), (1.8, 1.8, False)],
)
def test_fibrinogen(value: float, lower_normal: float | None, met: bool) -> None:
    row = lab(10, "fibrinogen", value, lower_normal=lower_normal)
    features = assess(trial_of(*FERRITIN, row)).details["iec_hs_features"]
    assert features["fibrinogen"].to_list() == [met]


@pytest.mark.parametrize(
    ("analyte", "value", "limit", "met"),
    [
        ("ldh", 250, 250.0, False),
        ("ldh", 251, 250.0, True),
        ("direct_bilirubin", 0.31, 0.3, True),
        ("triglycerides", 265, None, False),
        ("triglycerides", 266, None, True),
    ],
)
def test_other_features_are_listed(
    analyte: str, value: float, limit: float | None, met: bool
) -> None:
    row = lab(10, analyte, value, upper_normal=limit)
    features = assess(trial_of(*FERRITIN, row)).details["iec_hs_features"]
    assert features[analyte].to_list() == [met]


def test_cytopenia_alone_never_makes_it() -> None:
    counts = (lab(9, "anc", 0.0), lab(9, "platelets", 5.0))
    normal = (lab(10, "alt", 20, upper_normal=40.0), lab(10, "fibrinogen", 3.0))
    answer = one(assess(trial_of(*FERRITIN, *counts, *normal)).results, "iec_hs")
    assert answer["state"] == "no"
    assert answer["flags"] == "required met, typical 1: crs_resolving, cytopenia"


def test_running_crs_is_not_iec_hs() -> None:
    trial = trial_of(*FERRITIN, *AST, *FIBRINOGEN, last=12)
    assert one(assess(trial).results, "iec_hs")["state"] == "no"


def test_unmeasured_features_are_not_a_no() -> None:
    answer = one(assess(trial_of(*FERRITIN)).results, "iec_hs")
    assert (answer["state"], answer["reason"]) == ("not_evaluable", "features_missing")


def test_unknown_crs_is_not_a_no() -> None:
    trial = small_trial({"labs": [*FERRITIN, *AST, *FIBRINOGEN]})
    assert one(assess(trial).results, "iec_hs")["state"] == "not_evaluable"


def test_haemophagocytosis_counts_from_its_day() -> None:
    ae = [{"patient": "P1", "term": "Hemophagocytosis", "grade": 3, "start_day": 9.0}]
    answer = one(assess(trial_of(*FERRITIN, ae=ae)).results, "iec_hs")
    assert (answer["state"], answer["day"]) == ("yes", 10)


def test_treatment_for_iec_hs_is_at_least_grade_2() -> None:
    drugs = [{"patient": "P1", "drug": "anakinra", "start_day": 11.0, "indication": "iec_hs"}]
    trial = trial_of(*FERRITIN, *AST, *FIBRINOGEN, drugs=drugs)
    answer = one(assess(trial).results, "iec_hs")
    assert (answer["value"], answer["lower_bound"]) == (2, True)


def test_ferritin_above_the_range_of_the_assay() -> None:
    row = lab(10, "ferritin", 40000, quantification="above", upper_normal=400.0)
    features = assess(trial_of(row)).details["iec_hs_features"]
    assert features["required"].to_list() == [True]


def test_adjudicated_stands_beside_and_nobody_disappears() -> None:
    events = [{"patient": "P1", "event": "iec_hs", "grade": 3, "day": 12.0}]
    results = assess(small_trial({"events": events}, patients=("P1", "P2"))).results
    assert one(results, "iec_hs", source="adjudicated")["value"] == 3
    derived = results.filter(source="derived")
    assert derived["reason"].to_list() == ["no_records", "no_records"]


def test_order_names_and_splitting_do_not_matter() -> None:
    patients = ("P1", "P2", "P3")
    labs = [
        {**row, "patient": p, "value": row["value"] * k}
        for k, p in enumerate(patients, start=1)
        for row in (*FERRITIN, *AST, *FIBRINOGEN)
    ]
    vitals = [{**row, "patient": p} for p in patients[:2] for row in crs(8)]
    assert_laws_hold(assess, small_trial({"labs": labs, "vitals": vitals}, patients=patients))
