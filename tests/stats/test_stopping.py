"""Stopping rules against published and twice-computed tables, and by enumeration."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.stats.inputs import StatsInputError
from graftline.stats.stopping import (
    bayesian_stopping_rule,
    pocock_stopping_rule,
    stopping_characteristics,
    toxicity_posterior,
)


@pytest.mark.parametrize(
    ("limit", "spans", "chance"),
    [
        (0.10, [(2, 5, 2), (6, 11, 3), (12, 18, 4), (19, 20, 5)], 0.166),
        (0.20, [(2, 3, 2), (4, 6, 3), (7, 9, 4), (10, 13, 5), (14, 17, 6), (18, 20, 7)], 0.234),
        (
            0.25,
            [(2, 2, 2), (3, 5, 3), (6, 8, 4), (9, 11, 5), (12, 14, 6), (15, 17, 7), (18, 20, 8)],
            0.253,
        ),
    ],
)
def test_worked_tables(limit, spans, chance) -> None:
    """worked: prior Beta(2 p0, 2 (1 - p0)), cutoff 0.90, looks after every patient up to 20."""
    rule = bayesian_stopping_rule(limit=limit, cutoff=0.9, first_look=1, n_max=20, rates=[limit])
    assert rule.to_frame().rows() == spans
    assert rule.characteristics["probability_stop"][0] == pytest.approx(chance, abs=5e-4)


def test_a_rule_is_not_printed_without_what_it_does() -> None:
    rule = bayesian_stopping_rule(limit=0.2, cutoff=0.9, first_look=3, n_max=10)
    text = str(rule)
    assert "P(rate > 0.2) >= 0.9, prior Beta(0.4, 1.6)" in text
    assert "P(stop)" in text
    assert rule.characteristics["rate"].to_list() == pytest.approx([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize("rate", [0.15, 0.5])
def test_characteristics_by_enumeration(rate: float) -> None:
    """law: the 2^6 courses of six patients, walked one by one."""
    looks, stop_at = np.array([2, 3, 6]), np.array([2, 2, 4])
    stopped = patients = events = 0.0
    for course in product((0, 1), repeat=6):
        chance = rate ** sum(course) * (1 - rate) ** (6 - sum(course))
        end, out = 6, False
        for n, k in zip(looks, stop_at, strict=True):
            if sum(course[:n]) >= k:
                end, out = n, True
                break
        stopped += chance * out
        patients += chance * end
        events += chance * sum(course[:end])
    row = stopping_characteristics(looks, stop_at, [rate]).row(0)
    assert row == pytest.approx((rate, stopped, patients, events), rel=1e-12)


@settings(deadline=None, max_examples=20, derandomize=True)
@given(
    limit=st.sampled_from([0.1, 0.2, 0.3, 0.45]),
    error=st.sampled_from([0.05, 0.1, 0.2]),
    n_max=st.integers(3, 25),
    every=st.integers(1, 4),
)
def test_pocock_keeps_its_error_and_gives_nothing_away(limit, error, n_max, every) -> None:
    """law: the chance of stopping at the limit is within the error; one event less breaks it."""
    rule = pocock_stopping_rule(
        limit=limit, error=error, first_look=2, n_max=n_max, every=every, rates=[limit, limit + 0.2]
    )
    at_limit, above = rule.characteristics["probability_stop"]
    assert at_limit <= error < 1
    assert above >= at_limit
    # Constant tail: the next look in line to be loosened is the one with the least tail below k.
    from scipy.stats import binom

    tails = binom.sf(rule.stop_at - 2, rule.looks, limit)
    loosest = rule.stop_at - (tails <= tails.min() * (1 + 1e-9))
    looser = stopping_characteristics(rule.looks, loosest, [limit])["probability_stop"][0]
    assert looser > error


def test_posterior_agrees_with_the_rule_and_counts_open_windows_in_part() -> None:
    """law: a rule stops where the posterior reaches the cutoff; less observed, higher."""
    rule = bayesian_stopping_rule(limit=0.2, cutoff=0.9, first_look=2, n_max=20)
    for n, k in zip(rule.looks.tolist(), rule.stop_at.tolist(), strict=True):
        assert toxicity_posterior(k, n, limit=0.2) >= 0.9
        assert toxicity_posterior(k - 1, n, limit=0.2) < 0.9
    assert toxicity_posterior(2, 5.5, limit=0.2) > toxicity_posterior(2, 7, limit=0.2)
    # worked: uniform prior, one event in one patient: P(p > 1/2) = 1 - (1/2)^2
    assert toxicity_posterior(1, 1, limit=0.5) == pytest.approx(0.75)
    with pytest.raises(StatsInputError, match="events, patients"):
        toxicity_posterior(3, 2, limit=0.2)


def test_more_events_than_patients_never_stop() -> None:
    rule = bayesian_stopping_rule(limit=0.5, cutoff=0.999, first_look=1, n_max=3)
    assert rule.to_frame().height == 0
    assert rule.characteristics["probability_stop"].to_list() == [0.0] * 3
    assert rule.characteristics["expected_patients"].to_list() == pytest.approx([3.0] * 3)


def test_the_last_patient_is_looked_at() -> None:
    rule = bayesian_stopping_rule(limit=0.2, cutoff=0.9, first_look=3, n_max=10, every=3)
    assert rule.looks.tolist() == [3, 6, 9, 10]


@pytest.mark.parametrize(
    "wrong",
    [{"limit": 0.0}, {"cutoff": 1.0}, {"first_look": 0}, {"n_max": 2}, {"prior_patients": 0.0}],
)
def test_impossible_rules(wrong) -> None:
    right = {"limit": 0.2, "cutoff": 0.9, "first_look": 3, "n_max": 10}
    with pytest.raises(StatsInputError, match=f"{next(iter(wrong))}.*: found"):
        bayesian_stopping_rule(**(right | wrong))


def test_impossible_characteristics() -> None:
    with pytest.raises(StatsInputError, match="2 problems"):
        stopping_characteristics(np.array([3, 2]), np.array([1, 1]), [1.5])
