"""Exact designs against published tables."""

import pytest
from scipy.stats import binom, fisher_exact

from graftline.stats.inputs import StatsInputError
from graftline.stats.sample_size import (
    single_arm_design,
    single_arm_power,
    two_arm_power,
    two_stage_designs,
)


@pytest.mark.parametrize(
    ("rates", "optimal", "minimax"),
    [
        ((0.10, 0.30), (1, 10, 5, 29, 15.01), (1, 15, 5, 25, 19.51)),
        ((0.20, 0.40), (3, 13, 12, 43, 20.58), (4, 18, 10, 33, 22.25)),
        ((0.05, 0.25), (0, 9, 2, 17, 11.96), (0, 12, 2, 16, 13.84)),
    ],
)
def test_two_stages_as_printed(rates, optimal, minimax) -> None:
    """published: Simon 1989, tables 1 and 2, alpha 0.05, power 0.80."""
    for design, printed in zip(
        two_stage_designs(*rates, alpha=0.05, power=0.8, n_max=50), (optimal, minimax), strict=True
    ):
        found = (design.r1, design.n1, design.r, design.n)
        assert found == printed[:4]
        assert design.expected_n == pytest.approx(printed[4], abs=0.006)
        assert design.early_stop == pytest.approx(binom.cdf(design.r1, design.n1, rates[0]))
        assert design.alpha <= 0.05
        assert design.power >= 0.8


def test_single_arm_is_the_smallest() -> None:
    """law: level and power hold at n by the binomial distribution, and at no smaller n."""
    design = single_arm_design(0.2, 0.4, alpha=0.05, power=0.8)
    assert design.alpha == pytest.approx(binom.sf(design.reject_at - 1, design.n, 0.2))
    assert design.alpha <= 0.05
    assert design.power >= 0.8
    for n in range(1, design.n):
        for k in range(n + 1):
            if binom.sf(k - 1, n, 0.2) <= 0.05:
                assert binom.sf(k - 1, n, 0.4) < 0.8
                break
    assert f"{design.n} patients" in str(design)
    assert design.to_frame().height == 1


def test_power_of_fishers_test_by_enumeration() -> None:
    """law: the sum over all tables of their probability where scipy's Fisher test rejects."""
    n1, n2, p1, p2 = 8, 9, 0.2, 0.8
    expected = sum(
        binom.pmf(a, n1, p1) * binom.pmf(b, n2, p2)
        for a in range(n1 + 1)
        for b in range(n2 + 1)
        if fisher_exact([[a, n1 - a], [b, n2 - b]]).pvalue <= 0.05
    )
    assert two_arm_power(n1, n2, p1, p2, alpha=0.05) == pytest.approx(expected, rel=1e-10)
    assert two_arm_power(5, 5, 0.5, 0.5, alpha=1.0) == pytest.approx(1.0)


def test_power_at_the_ends() -> None:
    assert single_arm_power(5, 0, 0.1) == 1.0
    assert single_arm_power(5, 6, 0.9) == 0.0
    assert single_arm_power(5, 5, 0.5) == pytest.approx(1 / 32)


def test_refusals() -> None:
    with pytest.raises(StatsInputError, match="expected 0 < null < alternative < 1"):
        single_arm_design(0.4, 0.2, alpha=0.05, power=0.8)
    with pytest.raises(StatsInputError, match="allow more"):
        single_arm_design(0.2, 0.4, alpha=0.05, power=0.8, n_max=10)
    with pytest.raises(StatsInputError, match="allow more"):
        two_stage_designs(0.2, 0.4, alpha=0.05, power=0.8, n_max=10)
    with pytest.raises(StatsInputError, match="power: found"):
        two_stage_designs(0.2, 0.4, alpha=0.05, power=1.8)
    with pytest.raises(StatsInputError, match="n1, n2"):
        two_arm_power(0, 5, 0.1, 0.2, alpha=0.05)
    with pytest.raises(StatsInputError, match="rate"):
        single_arm_power(1, 1, 2.0)
