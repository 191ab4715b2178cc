"""Stopping rules on patients: completed windows, person-time weights, and what is unknown."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from graftline.assess.monitoring import EVENTS, monitored_patients, monitoring_counts
from graftline.problems import ProtocolError
from graftline.protocol import StoppingRule
from tests.endpoints.made import made, made_trial


def rule(event: str, **changed: Any) -> StoppingRule:
    stated = {
        "id": "r",
        "event": event,
        "limit": 0.2,
        "cutoff": 0.9,
        "prior": (0.4, 1.6),
        "maximum_n": 20,
        "window_days": 28.0,
        "source": "graftline",
    }
    return StoppingRule(**(stated | changed))


def trial_with(rules: list[StoppingRule], people: dict[str, dict[str, Any]], **extra: Any):
    trial = made_trial(people, extra=extra or None)
    protocol = trial.protocol.model_copy(update={"stopping": tuple(rules)})
    return replace(trial, protocol=protocol)


def test_completed_only_and_weighted_by_hand():
    # window 28 d: A died on day 10 (event), B followed 60 d, C 14 d (half a window), D died on 40
    people = {
        "A": {"end": 10.0, "dead": True},
        "B": {"end": 60.0},
        "C": {"end": 14.0},
        "D": {"end": 40.0, "dead": True},
    }
    counts = monitoring_counts(trial_with([rule("death")], people), made([]))
    row = counts.row(0, named=True)
    assert (row["patients"], row["completed"], row["events_completed"]) == (4, 3, 1)
    assert (row["weighted_patients"], row["events"]) == (3.5, 1)
    assert row["unknown"] == 0


@pytest.mark.parametrize(("day", "event"), [(28.0, True), (28.5, False)])
def test_last_day_of_the_window_counts(day, event):
    people = {"A": {"end": day, "dead": True}}
    rows = monitored_patients(trial_with([rule("death")], people), made([]))
    assert rows["event"].item() is event


def test_running_totals_in_the_order_of_the_patients_table():
    people = {
        "Z": {"end": 60.0},
        "M": {"end": 5.0},
        "A": {"end": 9.0, "dead": True},
    }
    rows = monitored_patients(trial_with([rule("death")], people), made([]))
    assert rows["patient"].to_list() == ["Z", "M", "A"]
    assert rows["n_completed"].to_list() == [1, 1, 2]
    assert rows["events_completed"].to_list() == [0, 0, 1]


def test_unknown_answers_are_in_neither_count():
    people = {p: {"end": 60.0} for p in "ABC"}
    answers = made(
        [
            {"patient": "A", "rule": "crs", "state": "yes", "value": 3.0, "day": 4.0},
            {"patient": "B", "rule": "crs", "state": "yes", "value": 2.0, "day": 4.0},
            {"patient": "C", "rule": "crs", "state": "not_evaluable", "reason": "no_records"},
        ]
    )
    rows = monitored_patients(trial_with([rule("crs_3_5")], people), answers)
    assert rows["event"].to_list() == [True, False, None]
    row = monitoring_counts(trial_with([rule("crs_3_5")], people), answers).row(0, named=True)
    assert (row["unknown"], row["completed"], row["events"]) == (1, 2, 1)
    assert row["weighted_patients"] == 2.0


def test_lower_bound_under_the_threshold_is_unknown():
    answers = made(
        [{"patient": "A", "rule": "crs", "state": "yes", "value": 2.0, "lower_bound": True}]
    )
    rows = monitored_patients(trial_with([rule("crs_3_5")], {"A": {"end": 60.0}}), answers)
    assert rows["event"].item() is None


def test_event_of_unknown_day_is_unknown_within_the_window():
    answers = made([{"patient": "A", "rule": "crs", "state": "yes", "value": 4.0, "day": None}])
    rows = monitored_patients(trial_with([rule("crs_4_5")], {"A": {"end": 60.0}}), answers)
    assert rows["event"].item() is None


def test_day_of_the_grade_not_of_the_onset():
    # onset day 2 at grade 1, grade 3 on day 30: outside a window of 28 d
    days = pl.DataFrame({"patient": ["A", "A"], "day": [2.0, 30.0], "grade": [1.0, 3.0]})
    answers = made(
        [
            {
                "patient": "A",
                "rule": "crs",
                "state": "yes",
                "value": 3.0,
                "day": 2.0,
                "source": "derived",
            }
        ],
        details={"crs_days": days},
    )
    rows = monitored_patients(trial_with([rule("crs_3_5")], {"A": {"end": 60.0}}), answers)
    assert rows["event"].item() is False


def test_window_from_hspc_and_days_of_gvhd():
    people = {"A": {"end": 200.0, "hsct": 20.0}, "B": {"end": 200.0}}
    answers = made(
        [{"patient": "A", "rule": "acute_gvhd", "state": "yes", "value": 3.0, "day": 40.0}]
    )
    trial = trial_with([rule("acute_gvhd_3_4", origin="hspc", window_days=100.0)], people)
    row = monitored_patients(trial, answers).row(0, named=True)
    assert (row["patient"], row["event"], row["event_day"]) == ("A", True, 40.0)
    assert monitored_patients(trial, answers).height == 1


def test_dose_limiting_events_and_a_trial_that_records_none():
    people = {p: {"end": 60.0} for p in "AB"}
    ae = [{"patient": "A", "term": "seizure", "grade": 3, "start_day": 6.0, "dlt": True}]
    with_ae = trial_with([rule("dlt")], people, ae=ae)
    assert monitored_patients(with_ae, made([]))["event"].to_list() == [True, False]
    without = trial_with([rule("dlt")], people)
    assert monitored_patients(without, made([]))["event"].to_list() == [None, None]


def test_death_after_relapse_is_not_a_death_of_treatment():
    people = {p: {"end": 20.0, "dead": True} for p in "AB"}
    answers = made([{"patient": "A", "rule": "relapse", "state": "yes", "day": 15.0}])
    rows = monitored_patients(trial_with([rule("non_relapse_death")], people), answers)
    assert rows["event"].to_list() == [False, True]
    assert rows["completed"].to_list() == [True, True]


def test_unknown_event_is_said_with_the_known_ones():
    trial = trial_with([rule("nausea"), rule("rash", id="s")], {"A": {"end": 9.0}})
    with pytest.raises(ProtocolError, match="non_relapse_death") as raised:
        monitored_patients(trial, made([]))
    assert len(raised.value.problems) == 2


def test_protocol_without_rules():
    trial = made_trial({"A": {"end": 9.0}})
    assert monitored_patients(trial, made([])).height == 0
    assert monitoring_counts(trial, made([])).height == 0


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_can_be_asked_of_an_empty_record(event):
    rows = monitored_patients(trial_with([rule(event)], {"A": {"end": 60.0}}), made([]))
    assert rows.height == 1
    assert rows["event"].item() in (False, None)
