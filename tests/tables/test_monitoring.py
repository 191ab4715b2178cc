"""Stopping rules; truth: boundaries and stop probabilities computed independently (two ways)."""

import polars as pl
import pytest

from graftline.protocol import StoppingRule
from graftline.tables.monitoring import (
    observed_events,
    operating_characteristics,
    stop_probability,
    stopping_boundary,
    stopping_tables,
)
from tests.tables.ten_patients import endpoint_rows, ten_patients


def boundary_of(limit):
    return stopping_boundary(limit, 0.90, (2 * limit, 2 * (1 - limit)), first_look=2, maximum_n=20)


@pytest.mark.parametrize(
    ("limit", "spans"),
    [
        (0.10, {2: (2, 5), 3: (6, 11), 4: (12, 18), 5: (19, 20)}),
        (0.20, {2: (2, 3), 3: (4, 6), 4: (7, 9), 5: (10, 13), 6: (14, 17), 7: (18, 20)}),
        (
            0.25,
            {2: (2, 2), 3: (3, 5), 4: (6, 8), 5: (9, 11), 6: (12, 14), 7: (15, 17), 8: (18, 20)},
        ),
    ],
)
def test_boundaries_of_the_monitor(limit, spans):
    found = {
        k: (a, b)
        for k, a, b in boundary_of(limit)
        .group_by("stop_at", maintain_order=True)
        .agg(first=pl.col("n").min(), last=pl.col("n").max())
        .rows()
    }
    assert found == spans


@pytest.mark.parametrize(("limit", "chance"), [(0.10, 0.166), (0.20, 0.234), (0.25, 0.253)])
def test_chance_to_stop_at_the_limit_itself(limit, chance):
    assert stop_probability(boundary_of(limit), limit)[0] == pytest.approx(chance, abs=5e-4)


def test_certain_events_stop_at_once_and_no_events_never():
    boundary = boundary_of(0.2)
    assert stop_probability(boundary, 1.0) == pytest.approx((1.0, 2.0))
    assert stop_probability(boundary, 0.0) == pytest.approx((0.0, 20.0))


def test_a_higher_rate_stops_more_often_and_earlier():
    rows = operating_characteristics(boundary_of(0.2), [0.1, 0.2, 0.4, 0.6])
    assert rows["stop_probability"].is_sorted()
    assert rows["expected_n"].is_sorted(descending=True)


def test_observed_events_keep_who_is_not_through_the_window():
    seen = observed_events(
        ten_patients(),
        pl.DataFrame(
            schema={"rule": pl.String, "state": pl.String, "patient": pl.String, "day": pl.Float64}
        ),
        endpoint_rows(),
        "overall_survival",
        122.0,
    )
    # deaths by day 122: Patient 8 (day 32) and Patient 4 (3.7 months); Patient 9 seen 94.4 of 122
    assert seen.filter("event")["patient"].to_list() == ["P04", "P08"]
    weight = seen.filter(pl.col("patient") == "P09")["weight"][0]
    assert weight == pytest.approx(3.1 * 30.4375 / 122)
    assert (seen["weight"] == 1).sum() == 9


def test_a_rule_is_never_printed_without_its_operating_characteristics():
    rule = StoppingRule(
        id="early",
        event="overall_survival",
        limit=0.2,
        cutoff=0.9,
        prior=(0.4, 1.6),
        first_look=2,
        maximum_n=20,
        window_days=122,
        source="test",
    )
    trial = ten_patients()
    protocol = trial.protocol.model_copy(update={"stopping": (rule,)})
    with_rule = type(trial)(protocol, trial.settings, trial.tables, trial.present)
    (table,) = stopping_tables(with_rule, pl.DataFrame(schema={"rule": pl.String}), endpoint_rows())
    groups = {row.group for row in table.rows}
    assert groups == {"Boundary", "Operating characteristics", "This trial"}
    text = " ".join(cell for row in table.rows for cell in row.cells)
    assert "0.234" in text
    assert "2/9 (22%)" in text
