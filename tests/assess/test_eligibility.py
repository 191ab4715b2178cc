"""Eligibility by the protocol's own criteria."""

from dataclasses import replace

import polars as pl
import pytest

from graftline.assess import eligibility
from tests.assess.build import one
from tests.assess.gate_made import before, worked


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({}, "yes"),
        ({"ecog": 3}, "no"),
        ({"cd7_percent_of_blasts": 80.0}, "yes"),
        ({"cd7_percent_of_blasts": 79.9}, "no"),
        ({"disease": None}, "not_evaluable"),
    ],
)
def test_eligibility(changed, state):
    trial = worked()
    patients = trial.patients.with_columns(**{k: pl.lit(v) for k, v in changed.items()})
    trial = replace(trial, tables={**trial.tables, "patients": patients})
    assert one(eligibility.assess(trial, before(trial)).results, "eligibility")["state"] == state


def test_screened_patients_are_asked_too():
    trial = worked(
        more={
            "patients": [
                {"patient": p, "status": s, "ecog": 4}
                for p, s in (("P1", "infused"), ("P2", "screened"))
            ]
        }
    )
    found = eligibility.assess(trial, before(trial)).results
    assert found["patient"].to_list() == ["P1", "P2"]
    assert set(found["state"]) == {"no"}
