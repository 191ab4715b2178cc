"""Viral reactivation from CAR-T."""

from tests.endpoints.gvhd_made import one


def test_reactivation_from_car_t():
    rows = [{"rule": "cmv_dnaemia", "state": "yes", "day": 35.0}]
    row = one("cmv_reactivation", rows=rows)
    assert (row["time_days"], row["status"], row["origin"]) == (35.0, 1, "car_t")
