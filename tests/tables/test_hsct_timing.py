"""HSCT as an event in time: truth is the worked trial by hand, and laws of person-time."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from graftline.assess.assessment import assess_trial
from graftline.endpoints import derive_endpoints
from graftline.protocol import Endpoint, TrialSettings, shipped_protocol
from graftline.tables.hsct_timing import (
    AFTER,
    BEFORE,
    hsct_timing_table,
    hsct_timings,
    summarise_hsct_timing,
)
from graftline.trial.read import read_trial
from tests.endpoints.made import made, made_trial

WORKED = Path(__file__).parents[2] / "examples" / "worked-trial"


@cache
def worked():
    trial = read_trial(WORKED)
    return trial, derive_endpoints(trial, assess_trial(trial))


@cache
def numbers():
    trial, endpoints = worked()
    return summarise_hsct_timing(trial, hsct_timings(trial, endpoints))


def row(endpoint, group):
    return numbers().filter(endpoint=endpoint, group=group).row(0, named=True)


# HSCT on days 19, 16, 22, 25, 18, 20; W7 (75 days) and W8 (200) are never transplanted. After
# HSCT: 381 + 134 + 358 + 275 + 128 + 13 days with the deaths of W6, W5 and W2
@pytest.mark.parametrize(
    ("group", "n", "events", "days"), [(BEFORE, 8, 1, 395.0), (AFTER, 6, 3, 1289.0)]
)
def test_days_and_deaths_before_and_after_hsct_by_hand(group, n, events, days):
    found = row("overall_survival", group)
    assert (found["n"], found["events"], found["person_days"]) == (n, events, days)
    assert found["p_value"] is None


def test_survival_after_hsct_by_hand():
    # deaths on day 33 (6 transplanted by then at risk), 146 (5) and 150 (4)
    found = row("overall_survival", AFTER)
    assert found["estimate"] == pytest.approx(5 / 6 * 4 / 5 * 3 / 4, rel=1e-12)
    # the last one without HSCT is followed to day 200
    assert row("overall_survival", BEFORE)["estimate"] is None


def test_landmark_by_hand():
    # on day 60 W6 is dead; W1-W5 are transplanted, W7 and W8 are not; W5 and W2 die: 4/5 x 3/4
    found = row("overall_survival", "Transplanted by day 60")
    assert (found["n"], found["events"]) == (5, 2)
    assert found["estimate"] == pytest.approx(0.6, rel=1e-12)
    assert row("overall_survival", "Not transplanted by day 60")["n"] == 2


def test_the_table_says_why_never_against_ever_is_not_shown():
    table = hsct_timing_table(*worked())
    assert "P value" not in [c.label for c in table.columns]
    assert any("could not die before HSCT" in note for note in table.footnotes)
    assert any("fewer than 20 patients" in note for note in table.footnotes)


def cohort(n, *, population="infused", never=True):
    """Every second patient transplanted on day 30; everybody followed, every third dead."""
    people = {
        f"P{i:02d}": {
            "hsct": 30 if i % 2 or not never else None,
            "end": 40 + 10 * i,
            "dead": i % 3 == 0,
        }
        for i in range(n)
    }
    protocol = shipped_protocol("all-in-one-2025")
    spec = Endpoint(title="Overall survival", population=population, source="x")
    return made_trial(
        people, protocol=protocol.model_copy(update={"endpoints": {"overall_survival": spec}})
    )


def table_of(trial):
    return hsct_timing_table(trial, derive_endpoints(trial, made([])))


@pytest.mark.parametrize(("n", "tested"), [(19, False), (20, True)])
def test_p_values_from_twenty_patients_on(n, tested):
    table = table_of(cohort(n))
    first = table.data.filter(method="time-dependent")
    assert first["p_value"].is_not_null().all() == tested
    if tested:
        # Mantel and Byar's statistic by its definition, patients unexposed until day 30
        assert first["chi_square"][0] == pytest.approx(mantel_byar_by_hand(n), rel=1e-9)


def mantel_byar_by_hand(n):
    """Score and hypergeometric variance over the days of death; all of them come after day 30."""
    end = np.array([40 + 10 * i for i in range(n)])
    exposed = np.arange(n) % 2 == 1
    score = variance = 0.0
    for i in range(0, n, 3):
        at_risk = end >= end[i]
        share = exposed[at_risk].mean()
        score += exposed[i] - share
        variance += share * (1 - share)
    return score**2 / variance


def test_not_shown_where_everybody_was_transplanted_or_had_to_be():
    assert table_of(cohort(8, never=False)) is None
    assert table_of(cohort(8, population="transplanted")) is None


def test_no_p_values_for_simulated_patients():
    trial = cohort(30)
    object.__setattr__(trial, "settings", TrialSettings(name="s", title="S", simulated=True))
    assert table_of(trial).data["p_value"].is_null().all()
