"""What is known on a decision day, how old it is, and nothing from the future."""

import polars as pl
import pytest

from graftline.assess.observe import observe_at
from tests.assess.gate_made import before, worked


def test_nothing_is_observed_from_the_future():
    trial = worked()
    days = pl.DataFrame({"patient": ["P1", "P1"], "decision_day": [12.0, 13.0]})
    seen = observe_at(trial, before(trial), days, variables=["car_t_detectable", "response"])
    assert seen["car_t_detectable"].to_list() == [None, True]
    assert seen["response"].to_list() == [None, None]


def test_positive_qpcr_too_old_leaves_the_question_open():
    # flow is the less sensitive assay: its negative does not answer for qPCR
    labs = [
        {"patient": "P1", "day": 4.0, "analyte": "car_t_qpcr", "value": 8e4, "lloq": 50.0},
        {"patient": "P1", "day": 15.0, "analyte": "car_t_flow", "value": 0.0, "lloq": 1.0},
    ]
    trial = worked(more={"labs": labs})
    days = pl.DataFrame({"patient": ["P1"], "decision_day": [16.0]})
    seen = observe_at(trial, before(trial), days, variables=["car_t_detectable"])
    assert (seen["car_t_detectable"].item(), seen["car_t_detectable_age_days"].item()) == (
        True,
        12.0,
    )


@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [(50.0, "quantified", True), (49.0, "quantified", False), (50.0, "below", False)],
)
def test_detectable_means_at_least_the_limit_of_quantification(value, limit, expected):
    labs = [
        {
            "patient": "P1",
            "day": 15.0,
            "analyte": "car_t_qpcr",
            "value": value,
            "lloq": 50.0,
            "quantification": limit,
        }
    ]
    trial = worked(more={"labs": labs})
    days = pl.DataFrame({"patient": ["P1"], "decision_day": [16.0]})
    seen = observe_at(trial, before(trial), days, variables=["car_t_detectable"])
    assert seen["car_t_detectable"].item() is expected


def test_records_name_days_as_people_write_them():
    labs = [
        {"patient": "P1", "day": day, "analyte": "bilirubin", "value": 1.0, "unit": "mg/dL"}
        for day in (3.0, 5.5)
    ]
    trial = worked(more={"labs": labs})
    days = pl.DataFrame({"patient": ["P1", "P1"], "decision_day": [4.0, 6.0]})
    records = observe_at(trial, before(trial), days, variables=["bilirubin"])["bilirubin_record"]
    assert [record.split(", ")[1] for record in records] == ["day 3", "day 5.5"]
