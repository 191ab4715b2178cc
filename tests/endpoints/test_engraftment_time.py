"""Time to engraftment, and who has none."""

from tests.endpoints.gvhd_made import one

ENGRAFTED = {"rule": "neutrophil_engraftment", "state": "yes", "value": 12.0, "day": 12.0}


def test_engraftment_and_what_competes():
    assert one("neutrophil_engraftment", rows=[ENGRAFTED])["time_days"] == 12.0
    none = {"rule": "neutrophil_engraftment", "state": "no"}
    died = one("neutrophil_engraftment", rows=[none], person={"end": 33.0, "dead": True})
    assert (died["time_days"], died["status"]) == (13.0, 2)
    late = one("neutrophil_engraftment", rows=[ENGRAFTED | {"value": 61.0, "day": 61.0}])
    assert (late["status"], late["time_days"]) == (0, 60.0)  # horizon of the protocol


def test_counts_never_low_give_no_day():
    never = {
        "rule": "neutrophil_engraftment",
        "state": "not_evaluable",
        "reason": "never_below",
    }
    assert one("neutrophil_engraftment", rows=[never]) is None


def test_engraftment_on_an_unknown_day_has_no_time():
    # Hu 2024 states who engrafted, not when: the day is the whole point of the curve
    row = one("neutrophil_engraftment", rows=[ENGRAFTED | {"value": None, "day": None}])
    assert (row["status"], row["time_days"]) == (1, None)
