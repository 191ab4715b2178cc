"""Chance: events at their hazard, days between visits."""

import numpy as np
import pytest
from scipy import stats

from graftline.simulate.hazards import crossing_day, draw_fates, growth_crossing_day
from graftline.simulate.streams import streams_of

FATES = draw_fates(streams_of(4), np.arange(10_000), allogeneic_product=np.ones(10_000, bool))


# law: the first passage of a cumulative hazard through an exponential number has that hazard
def test_thresholds_are_unit_exponential():
    for threshold in (FATES.infection, FATES.after_relapse):
        assert stats.kstest(threshold, "expon").pvalue > 1e-3


# law: times under a constant hazard of 1/75 per day are exponential with mean 75 days
def test_death_after_relapse_has_the_stated_mean():
    at = crossing_day(np.zeros(10_000), np.full(10_000, 40.0), FATES.after_relapse, 0.0, 3000.0)
    assert np.nanmean(at) == pytest.approx(75.0, rel=0.04)


# worked: hazard 0.2 to 0.6 between days 10 and 20; threshold 0.3 is a quarter of the way
def test_day_between_two_visits():
    at = crossing_day(np.array([0.2] * 3), np.array([0.6] * 3), np.array([0.3, 0.7, 0.1]), 10.0, 20)
    assert at[0] == pytest.approx(12.5)
    assert np.isnan(at[1:]).all()


# worked: a share that doubles each 5 days from 1.25 % passes 5 % after 10 of 20 days
def test_day_a_growing_clone_passes_five_percent():
    at = growth_crossing_day(np.array([0.0125]), np.array([0.2]), 0.05, np.array([30.0]), 50.0)
    assert at[0] == pytest.approx(40.0)


# model.md, 5: CAR-T-related GVHD in 10 % on days 5 to 14; chronic GVHD in 5 %; viruses in 90 %
def test_shares_of_drawn_events():
    rash = FATES.car_t_gvhd_day
    assert np.isfinite(rash).mean() == pytest.approx(0.10, abs=0.01)
    assert np.nanmin(rash) == 5
    assert np.nanmax(rash) == 14
    assert np.isfinite(FATES.chronic_gvhd_day).mean() == pytest.approx(0.05, abs=0.008)
    either = np.isfinite(FATES.cmv_day) | np.isfinite(FATES.ebv_day)
    assert either.mean() == pytest.approx(0.90, abs=0.01)
    assert np.nanmin(FATES.cmv_day) >= 10
    assert np.nanmax(FATES.cmv_day) <= 60


# docs/simulate.md: signs of GVHD a log-normal time after it began, median 8 days, SD 0.4
def test_signs_of_gvhd_follow_after_a_week():
    days = FATES.gvhd_latency_days
    assert np.median(days) == pytest.approx(8.0, rel=0.02)
    assert stats.kstest(np.log(days / 8.0) / 0.4, "norm").pvalue > 1e-3


def test_no_product_gvhd_without_an_allogeneic_product():
    fates = draw_fates(streams_of(4), np.arange(500), allogeneic_product=np.zeros(500, bool))
    assert np.isnan(fates.car_t_gvhd_day).all()
