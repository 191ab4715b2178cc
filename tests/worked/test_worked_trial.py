"""The worked trial: every answer was worked by hand in WORKED.md first (truth: worked)."""

import csv
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from graftline.assess.assessment import assess_trial
from graftline.endpoints.derive import derive_endpoint
from graftline.stats import cumulative_incidence, kaplan_meier
from graftline.trial.read import read_trial

FOLDER = Path(__file__).parents[2] / "examples" / "worked-trial"
ANSWERS = list(csv.DictReader((FOLDER / "expected.csv").read_text().splitlines()))


@cache
def worked():
    trial = read_trial(FOLDER)
    return trial, assess_trial(trial)


@pytest.mark.parametrize("answer", ANSWERS, ids=[f"{a['patient']}-{a['rule']}" for a in ANSWERS])
def test_answer_worked_by_hand(answer):
    results = worked()[1].results
    rows = results.filter(
        (pl.col("patient") == answer["patient"])
        & (pl.col("rule") == answer["rule"])
        & (pl.col("source") == "derived")
    )
    assert rows.height == 1, rows
    row = rows.row(0, named=True)
    for key in ("state", "label"):
        if answer[key]:
            assert (row[key] or "").startswith(answer[key]), row
    for key in ("value", "day"):
        if answer[key]:
            assert row[key] == pytest.approx(float(answer[key]), rel=1e-3), row


def test_every_rule_is_used_at_least_once():
    from graftline.assess.assessment import all_rules

    answered = worked()[1].results.filter(pl.col("state").is_in(["yes", "no"]))
    silent = sorted(set(all_rules()) - set(answered["rule"].to_list()))
    assert not silent


def test_disagreement_is_listed_and_not_resolved():
    found = worked()[1].disagreements.filter(
        (pl.col("patient") == "W3") & (pl.col("rule") == "crs")
    )
    assert found.select("what", "derived", "adjudicated").rows() == [("value", "4.0", "3.0")]


def endpoint(name):
    trial, assessed = worked()
    return derive_endpoint(trial, assessed, name)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("overall_survival", {33: 0.875, 75: 0.75, 146: 0.625, 150: 0.5}),
        ("disease_free_survival", {33: 0.875, 40: 0.75, 130: 0.625, 150: 0.5}),
    ],
)
def test_survival_by_hand(name, steps):
    frame = endpoint(name)
    curve = kaplan_meier(frame["time_days"], frame["status"])
    at = curve.at(list(steps))
    assert at.survival == pytest.approx(list(steps.values()), abs=1e-12)
    assert frame.height == 8


@pytest.mark.parametrize(
    ("name", "day", "expected"),
    [
        ("relapse", 365, 0.25),
        ("non_relapse_mortality", 365, 0.25),
        ("acute_gvhd_3_4", 100, 1 / 6),
        ("acute_gvhd_2_4", 100, 2 / 6),
        ("acute_gvhd_1_4", 100, 3 / 6),
    ],
)
def test_cumulative_incidence_by_hand(name, day, expected):
    frame = endpoint(name)
    curve = cumulative_incidence(frame["time_days"], frame["status"])
    assert curve.at([day], 1).incidence[0] == pytest.approx(expected, abs=1e-12)
