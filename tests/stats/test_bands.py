"""Simultaneous bands: critical values against Kolmogorov and printed tables, and laws."""

import numpy as np
import pytest
from scipy.special import kolmogi
from scipy.stats import norm

from graftline.stats.bands import survival_band
from graftline.stats.bridge import constant_boundary, scaled_boundary
from graftline.stats.inputs import StatsInputError
from graftline.stats.kaplan_meier import kaplan_meier

TIME = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], dtype=float)
STATUS = np.array([1, 0, 1, 1, 0, 1, 1, 0, 1, 0])


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_over_the_whole_range_it_is_kolmogorov(level: float) -> None:
    """law: the largest |B(u)| over 0..1 has Kolmogorov's distribution."""
    assert constant_boundary(0.0, 1.0, level) == pytest.approx(kolmogi(1 - level), rel=1e-10)


def test_printed_critical_values() -> None:
    """published: Klein and Moeschberger 2003, tables C.3a and C.4a, at 0.1 to 0.6, 95%.

    Ten patients, all events seen: n s / (1 + n s) is the share that has died.
    """
    curve = kaplan_meier(range(1, 11), [1] * 10)
    for kind, critical, printed in (
        ("hall-wellner", "exact", 1.3211),
        ("equal-precision", "asymptotic", 2.8826),
    ):
        band = survival_band(curve, kind=kind, critical=critical, start=1, end=6)
        assert (band.low, band.high) == pytest.approx((0.1, 0.6))
        assert band.critical_value == pytest.approx(printed, abs=6e-5)


@pytest.mark.parametrize(("low", "high"), [(0.3, 0.30001), (0.5, 0.500001)])
def test_over_a_point_both_are_normal_intervals(low: float, high: float) -> None:
    """law: at one u, B(u) is normal with variance u (1 - u)."""
    z = norm.isf(0.025)
    assert scaled_boundary(low, high, 0.95) == pytest.approx(z, rel=0.01)
    expected = z * (low * (1 - low)) ** 0.5
    assert constant_boundary(low, high, 0.95) == pytest.approx(expected, rel=0.01)


def test_stays_scaled_as_simulated() -> None:
    """law: P(sup <= 2.8826) at 0.1 to 0.6, Ornstein-Uhlenbeck steps with crossings in between.

    200 steps of 20,000 paths from a fixed seed; the standard error of the share is 0.0015.
    """
    rng = np.random.default_rng(1)
    c, steps = 2.8826, 200
    dt = 0.5 * np.log(13.5) / steps
    x = rng.standard_normal(20_000)
    stays = (np.abs(x) < c).astype(float)
    for _ in range(steps):
        y = np.exp(-dt) * x + np.sqrt(1 - np.exp(-2 * dt)) * rng.standard_normal(x.size)
        for sign in (1, -1):
            room = np.maximum(c - sign * x, 0) * np.maximum(c - sign * y, 0)
            stays *= 1 - np.exp(-room / dt)
        x = y
    level = stays.mean()
    assert scaled_boundary(0.1, 0.6, float(level)) == pytest.approx(c, abs=0.05)


def test_equal_precision_is_the_pointwise_interval_with_another_z() -> None:
    """law: on the plain scale the reach is critical value times standard error."""
    curve = kaplan_meier(TIME, STATUS)
    band = survival_band(curve, kind="equal-precision", interval="plain")
    at = curve.at(band.time)
    upper = np.minimum(at.survival + band.critical_value * at.std_error, 1)
    np.testing.assert_allclose(band.upper, upper, rtol=1e-12)
    assert band.critical_value > norm.isf(0.025)
    assert "Equal precision band, 95%, plain, from 1 to 10" in str(band)


def test_hall_wellner_without_censoring_has_constant_width() -> None:
    """law: all events seen, n s = (1 - S) / S, so k (1 + n s) S / sqrt(n) is k / sqrt(n)."""
    curve = kaplan_meier(np.arange(1.0, 21), np.ones(20))
    band = survival_band(curve, interval="plain", start=3, end=15)
    reach = band.critical_value / 20**0.5
    inside = band.upper < 1
    np.testing.assert_allclose((band.upper - band.survival)[inside], reach, rtol=1e-12)
    assert band.low == pytest.approx(3 / 20)
    assert band.high == pytest.approx(15 / 20)


def test_a_curve_that_ends_at_zero_has_a_band_before() -> None:
    band = survival_band(kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1]))
    assert band.time.tolist() == [1, 2, 3]
    assert np.all(band.lower < band.survival)


def test_refusals() -> None:
    curve = kaplan_meier(TIME, STATUS)
    with pytest.raises(StatsInputError, match="expected a range within 1 to 10"):
        survival_band(curve, start=0.5)
    with pytest.raises(StatsInputError, match="no event between"):
        survival_band(curve, start=1, end=2)
    with pytest.raises(StatsInputError, match="S is 1 or 0"):
        survival_band(kaplan_meier([1, 2], [0, 0]))
    with pytest.raises(StatsInputError, match="kind: found"):
        survival_band(curve, kind="nair")
    assert survival_band(curve).to_frame().height == 10
