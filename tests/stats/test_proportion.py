"""Intervals of proportions against R's binom.test and prop.test, and their laws."""

import re

import numpy as np
import pytest
from scipy.stats import beta, binom

from graftline.stats.inputs import StatsInputError
from graftline.stats.proportion import (
    beta_binomial,
    binomial_p_value,
    clopper_pearson,
    mid_p,
    wilson,
)
from tests.stats.golden import Entry, assert_equals_r, entries


def counts_of(entry: Entry) -> tuple[int, int]:
    events, n = re.search(r"test\((\d+),(\d+)", entry.call).groups()
    return int(events), int(n)


@pytest.mark.parametrize("entry", entries("clopper_pearson"), ids=str)
def test_clopper_pearson_as_binom_test(entry: Entry) -> None:
    """golden: <entry.call> of R 4.2.2."""
    level = float(re.search(r"conf\.level=([0-9.]+)", entry.call).group(1))
    found = clopper_pearson(*counts_of(entry), level=level)
    theirs = entry.result
    assert_equals_r(
        [found.estimate, found.lower, found.upper],
        [theirs["est"], theirs["lower"], theirs["upper"]],
    )


@pytest.mark.parametrize("entry", entries("clopper_pearson_one_sided"), ids=str)
def test_one_sided_as_binom_test(entry: Entry) -> None:
    """golden: <entry.call> of R 4.2.2, interval and p-value."""
    alternative = re.search(r"alternative='(\w+)'", entry.call).group(1)
    found = clopper_pearson(*counts_of(entry), alternative=alternative)
    theirs = entry.result
    assert_equals_r([found.lower, found.upper], [theirs["lower"], theirs["upper"]])
    p = binomial_p_value(*counts_of(entry), 0.3, alternative=alternative)
    assert_equals_r(p, theirs["p_vs_0.3"])


@pytest.mark.parametrize("entry", entries("wilson"), ids=str)
def test_wilson_as_prop_test(entry: Entry) -> None:
    """golden: prop.test(..., correct=FALSE) of R 4.2.2."""
    found = wilson(*counts_of(entry))
    assert_equals_r([found.lower, found.upper], [entry.result["lower"], entry.result["upper"]])


@pytest.mark.parametrize(("events", "n"), [(1, 19), (7, 10), (12, 19), (30, 67)])
def test_limits_solve_their_equations(events: int, n: int) -> None:
    """law: each limit is the p at which the (mid-)tail probability is 2.5%."""
    exact = clopper_pearson(events, n)
    assert binom.sf(events - 1, n, exact.lower) == pytest.approx(0.025, rel=1e-10)
    assert binom.cdf(events, n, exact.upper) == pytest.approx(0.025, rel=1e-10)
    mid = mid_p(events, n)
    half = 0.5 * binom.pmf(events, n, [mid.lower, mid.upper])
    assert binom.sf(events, n, mid.lower) + half[0] == pytest.approx(0.025, rel=1e-10)
    assert binom.cdf(events - 1, n, mid.upper) + half[1] == pytest.approx(0.025, rel=1e-10)
    assert exact.lower < mid.lower < mid.upper < exact.upper
    posterior = beta(0.5 + events, 0.5 + n - events)
    bayes = beta_binomial(events, n)
    assert posterior.cdf([bayes.lower, bayes.upper]) == pytest.approx([0.025, 0.975])


@pytest.mark.parametrize("method", [clopper_pearson, wilson, mid_p, beta_binomial])
def test_turning_events_round_turns_the_interval(method) -> None:
    """law: the interval of the complement is the complement of the interval."""
    for events in range(11):
        one, other = method(events, 10), method(10 - events, 10)
        assert one.lower == pytest.approx(1 - other.upper, abs=1e-13)
        assert 0.0 <= one.lower <= one.estimate <= one.upper <= 1.0 or method is beta_binomial


def test_mid_p_at_the_ends() -> None:
    """worked: with 0 of n the upper limit solves (1 - p)^n / 2 = 0.025, p = 1 - 0.05^(1/n)."""
    assert mid_p(0, 10).upper == pytest.approx(1 - 0.05**0.1, rel=1e-12)
    assert mid_p(0, 10).lower == 0.0
    assert mid_p(10, 10).lower == pytest.approx(0.05**0.1, rel=1e-12)


def test_two_sided_p_value() -> None:
    """golden: R 4.2.2, binom.test(7, 10, 0.3)$p.value and binom.test(8, 25, 0.3)$p.value."""
    assert binomial_p_value(7, 10, 0.3) == pytest.approx(0.0105920784, rel=1e-10)
    assert binomial_p_value(8, 25, 0.3) == pytest.approx(0.8288064, rel=1e-6)
    assert binomial_p_value(5, 10, 0.5) == pytest.approx(1.0)
    assert binomial_p_value(0, 0, 0.5) == 1.0


@pytest.mark.parametrize("method", [clopper_pearson, wilson, mid_p, beta_binomial])
def test_no_patients_no_estimate(method) -> None:
    found = method(0, 0)
    assert np.isnan(found.estimate)
    if method is not beta_binomial:
        assert (found.lower, found.upper) == (0.0, 1.0)
    assert "no estimate" in str(found)
    assert found.to_frame().height == 1


@pytest.mark.parametrize(("events", "n"), [(3, 2), (-1, 2), (1.5, 3), (0, -1)])
def test_impossible_counts(events, n) -> None:
    with pytest.raises(StatsInputError, match="expected whole numbers"):
        wilson(events, n)


def test_impossible_options() -> None:
    with pytest.raises(StatsInputError, match="prior"):
        beta_binomial(1, 2, prior=(0.0, 1.0))
    with pytest.raises(StatsInputError, match="null"):
        binomial_p_value(1, 2, 1.5)
    with pytest.raises(StatsInputError, match="level"):
        wilson(1, 2, level=1.0)


def test_print() -> None:
    assert str(clopper_pearson(7, 10)) == (
        "7/10 (70.0%), 95% interval 34.8% to 93.3% (Clopper-Pearson)"
    )
