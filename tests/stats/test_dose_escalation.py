"""BOIN boundaries against published ones."""

import pytest
from scipy.stats import binom

from graftline.stats.dose_escalation import boin_boundaries
from graftline.stats.inputs import StatsInputError


@pytest.mark.parametrize(
    ("target", "escalate", "deescalate"), [(0.30, 0.236, 0.359), (0.25, 0.197, 0.298)]
)
def test_as_published(target: float, escalate: float, deescalate: float) -> None:
    """published: Liu and Yuan 2015, table 1."""
    found = boin_boundaries(target)
    assert found.escalate == pytest.approx(escalate, abs=5e-4)
    assert found.deescalate == pytest.approx(deescalate, abs=6e-4)
    assert f"{escalate:.3f} or less" in str(found)
    assert found.to_frame().height == 1


def test_both_rates_explain_a_boundary_equally_well() -> None:
    """law: at x = boundary x n the binomial likelihoods of the two rates are equal."""
    found = boin_boundaries(0.3, too_low=0.15, too_high=0.45)
    for rates, boundary in (((0.15, 0.3), found.escalate), ((0.3, 0.45), found.deescalate)):
        below = binom.logpmf(0, 1, rates) * (1 - boundary) + binom.logpmf(1, 1, rates) * boundary
        assert below[0] == pytest.approx(below[1])


@pytest.mark.parametrize(
    "wrong", [{"target": 0.0}, {"target": 0.8}, {"target": 0.3, "too_low": 0.4}]
)
def test_impossible_rates(wrong) -> None:
    with pytest.raises(StatsInputError, match="expected 0 < too_low"):
        boin_boundaries(**wrong)
