"""Difference of paired proportions: published examples, R's numbers, laws."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from graftline.stats import paired_difference
from graftline.stats.inputs import StatsInputError


# Fagerland, Lydersen and Laake 2017, chapter 8; R: contingencytables 2.0,
# Tango_asymptotic_score_CI_paired_2x2(rbind(c(59, 6), c(16, 80))) for Cavo et al. 2012.
def test_complete_response_before_and_after_consolidation():
    found = paired_difference(6, 16, 161)
    assert (found.estimate, found.lower, found.upper) == pytest.approx(
        (-0.0621, -0.1240, -0.0054), abs=5e-5
    )


@pytest.mark.parametrize("n", [1, 20, 1000])
def test_pairs_that_all_agree_still_leave_a_difference_open(n):
    # By hand: with no pair that differs the score equation is n d^2 = z^2 d (1 - d).
    z2 = norm.isf(0.025) ** 2
    found = paired_difference(0, 0, n)
    assert (found.lower, found.upper) == pytest.approx((-z2 / (n + z2), z2 / (n + z2)))
    assert found.estimate == 0


COUNTS = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200))


@given(counts=COUNTS, level=st.sampled_from([0.8, 0.95, 0.99]))
@settings(deadline=None, derandomize=True)
def test_exchanging_the_conditions_exchanges_the_limits(counts, level):
    gained, lost, agreeing = counts
    n = gained + lost + agreeing
    found = paired_difference(gained, lost, n, level=level)
    turned = paired_difference(lost, gained, n, level=level)
    assert (turned.lower, turned.upper) == pytest.approx((-found.upper, -found.lower), abs=1e-9)
    if n:
        assert -1 <= found.lower <= found.estimate <= found.upper <= 1
        assert found.upper - found.lower > 0


def test_a_large_sample_gives_the_normal_interval():
    # 300 and 200 of 100,000 pairs: the normal interval is 0.001 -+ 1.96 sqrt(500 - 0.1) / 100,000.
    found = paired_difference(300, 200, 100_000)
    reach = norm.isf(0.025) * (500 - 100**2 / 100_000) ** 0.5 / 100_000
    assert (found.lower, found.upper) == pytest.approx((0.001 - reach, 0.001 + reach), abs=1e-5)


@pytest.mark.parametrize("counts", [(3, 2, 4), (-1, 2, 4), (0.5, 0, 4)])
def test_impossible_counts_are_named(counts):
    with pytest.raises(StatsInputError, match="gained, lost, n"):
        paired_difference(*counts)


def test_no_pairs_leave_everything_open():
    found = paired_difference(0, 0, 0)
    assert (found.lower, found.upper) == (-1, 1)
    assert str(found) == "no pairs, no estimate (Tango score)"
    assert found.to_frame()["n"].to_list() == [0]
