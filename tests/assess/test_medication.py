"""Tocilizumab and steroids (definitions 1.4)."""

from typing import Any

import pytest

from graftline.assess.medication import assess, steroid_courses
from graftline.trial import Trial
from tests.assess.build import one, small_trial
from tests.assess.properties import assert_laws_hold


def drug(name: str, start: float, end: float | None, **more: Any) -> dict[str, Any]:
    row = {"patient": "P1", "drug": name, "start_day": float(start), "end_day": end}
    return {**row, "unit": "mg", "route": "iv", **more}


def trial_of(*rows: dict[str, Any], hsct_day: float | None = 15.0, **person: Any) -> Trial:
    patients = [
        {"patient": "P1", "status": "infused", "weight_kg": 50.0, "height_cm": 180.0, **person}
    ]
    return small_trial({"drugs": list(rows), "patients": patients}, hsct_day=hsct_day)


# equivalences as printed in definitions 1.4: dexamethasone x 6.67, methylprednisolone x 1.25
@pytest.mark.parametrize(
    ("name", "dose", "unit", "mg"),
    [
        ("dexamethasone", 10.0, "mg", 66.7),
        ("Dexamethasone", 10.0, "mg/d", 66.7),
        ("methylprednisolone", 1.0, "mg/kg", 62.5),
        ("methylprednisolone", 1.0, "g", 1250.0),
        ("prednisone", 25.0, "mg", 25.0),
        ("prednisone", None, "mg", None),
        ("prednisone", 25.0, None, None),
    ],
)
def test_prednisone_equivalent(
    name: str, dose: float | None, unit: str | None, mg: float | None
) -> None:
    trial = trial_of(drug(name, 2, 3, dose=dose, unit=unit, indication="crs"))
    course = steroid_courses(trial["drugs"], trial.patients).row(0, named=True)
    assert course["prednisone_mg_per_day"] == (None if mg is None else pytest.approx(mg))


def test_cumulative_dose_days_and_first_day() -> None:
    # hand-worked: 10 mg x 6.67 x 3 d + 50 mg x 1.25 x 2 d = 325.1 mg = 6.502 mg/kg; days 2-5 = 4
    trial = trial_of(
        drug("dexamethasone", 2, 4, dose=10.0, indication="crs"),
        drug("methylprednisolone", 4, 5, dose=50.0, indication="gvhd"),
    )
    answer = one(assess(trial).results, "systemic_steroids")
    assert answer["value"] == pytest.approx(6.502)
    assert (answer["day"], answer["label"]) == (2, "crs+gvhd")
    assert answer["flags"] == "4 days on treatment"


@pytest.mark.parametrize(
    ("row", "state"),
    [
        (drug("dexamethasone", 2, 2, dose=10.0, indication="icans"), "yes"),
        (drug("dexamethasone", 2, 2, dose=10.0, indication="iec_hs"), "yes"),
        (drug("dexamethasone", 2, 2, dose=10.0, indication="premedication"), "no"),
        (drug("dexamethasone", 2, 2, dose=10.0, indication="infection"), "no"),
        (drug("dexamethasone", 2, 2, dose=10.0), "not_evaluable"),
        (drug("dexamethasone", -5, -2, dose=10.0, indication="gvhd"), "no"),
        (drug("prednisone", 2, 2, dose=10.0, indication="gvhd", route="topical"), "no"),
        # body surface of 180 cm, 50 kg by Mosteller: sqrt(2.5) = 1.58 m2; 20 mg/m2 = 31.6 mg
        (drug("hydrocortisone", 2, 2, dose=31.0, indication="crs"), "no"),
        (drug("hydrocortisone", 2, 2, dose=32.0, indication="crs"), "yes"),
        (drug("hydrocortisone", 2, 2, dose=20.0, unit="mg/m2", indication="crs"), "no"),
        (drug("hydrocortisone", 2, 2, dose=21.0, unit="mg/m2", indication="crs"), "yes"),
        (drug("aciclovir", 2, 30, dose=800.0, indication="infection"), "no"),
    ],
)
def test_what_counts_as_a_systemic_steroid(row: dict[str, Any], state: str) -> None:
    answer = one(assess(trial_of(row)).results, "systemic_steroids")
    assert answer["state"] == state
    assert answer["reason"] == ("indication_unknown" if state == "not_evaluable" else None)


def test_missing_indication_is_listed() -> None:
    assessed = assess(trial_of(drug("prednisone", 2, 2, dose=10.0)))
    assert assessed.details["steroid_courses"]["class"].to_list() == ["indication unknown"]


@pytest.mark.parametrize(
    ("start", "end", "state"),
    [
        (10, 15.0, "yes"),
        (15, 20.0, "yes"),
        (10, 14.0, "no"),
        (16, 20.0, "no"),
        (10, None, "not_evaluable"),
        (15, None, "yes"),
    ],
)
def test_steroids_on_the_day_of_hsct(start: float, end: float | None, state: str) -> None:
    trial = trial_of(drug("prednisone", start, end, dose=50.0, indication="gvhd_prophylaxis"))
    answer = one(assess(trial).results, "steroids_on_hsct_day")
    assert answer["state"] == state
    if state == "yes":
        assert answer["value"] == pytest.approx(1.0)


def test_premedication_on_the_day_of_hsct_is_not_counted() -> None:
    trial = trial_of(drug("dexamethasone", 15, 15, dose=5.0, indication="premedication"))
    assert one(assess(trial).results, "steroids_on_hsct_day")["state"] == "no"


def test_tocilizumab_doses_and_first_day() -> None:
    rows = [drug("Tocilizumab", d, d, dose=8.0, unit="mg/kg", indication="crs") for d in (3, 4, 6)]
    answer = one(assess(trial_of(*rows)).results, "tocilizumab")
    assert (answer["state"], answer["value"], answer["day"]) == ("yes", 3, 3)
    assert answer["flags"] is None
    more = assess(trial_of(*rows, drug("tocilizumab", 8, 9))).results
    assert one(more, "tocilizumab")["flags"] == "more than 4 doses"


def test_no_drug_records_is_not_a_no() -> None:
    results = assess(small_trial({}, patients=("P1", "P2"), hsct_day={"P1": 10.0})).results
    assert results.height == 5
    assert set(results["reason"]) == {"no_records"}


def test_missing_dose_gives_no_amount() -> None:
    trial = trial_of(drug("dexamethasone", 2, 3, dose=None, indication="crs"))
    answer = one(assess(trial).results, "systemic_steroids")
    assert (answer["state"], answer["value"]) == ("yes", None)
    assert "dose or weight missing" in answer["flags"]


def test_order_names_and_splitting_do_not_matter() -> None:
    patients = ("P1", "P2", "P3")
    rows = [
        {**drug(name, 2 + k, 20.0 - 3 * k, dose=10.0, indication=why), "patient": p}
        for k, p in enumerate(patients)
        for name, why in (("dexamethasone", "crs"), ("prednisone", "gvhd"), ("tocilizumab", "crs"))
    ]
    assert_laws_hold(assess, small_trial({"drugs": rows}, patients=patients, hsct_day=15.0))
