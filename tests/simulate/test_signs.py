"""What is recorded and not modelled: vital signs, organ findings, binomial counts."""

import numpy as np
import pytest
from scipy import stats

from graftline.model.parameters import model
from graftline.simulate.signs import (
    binomial,
    draw_thresholds,
    gvhd_severity,
    gvhd_threshold,
    organ_findings,
    take,
    vital_signs,
)
from graftline.simulate.streams import streams_of

THRESHOLDS = draw_thresholds(streams_of(1), np.arange(2000))


def states_with(**values):
    n = max(np.size(v) for v in values.values())
    states = np.zeros((n, len(model().states)))
    for name, value in values.items():
        states[:, model().state_index[name]] = value
    return states


def signs_at(il6, blocked=0.0, days=np.inf):
    n = 2000
    return vital_signs(
        states_with(I=np.full(n, il6), X=np.full(n, blocked)),
        THRESHOLDS,
        np.zeros((n, 3)),
        low_systolic_mmhg=np.full(n, 90.0),
        tocilizumab_days=np.full(n, days),
    )


# law (definition of the thresholds, without measurement noise): fever exactly from the threshold on
def test_each_sign_turns_at_its_threshold():
    for il6 in (5.0, 60.0, 80.0, 300.0, 700.0, 3000.0):
        signs = signs_at(il6)
        # temperatures are written with one decimal
        clear = np.abs(np.log(il6 / THRESHOLDS.fever)) > 0.2
        fever = signs.temperature_c >= 38.0
        assert np.array_equal(fever[clear], (il6 >= THRESHOLDS.fever)[clear])
        assert np.array_equal(signs.device > 0, il6 >= THRESHOLDS.oxygen)
        assert np.array_equal(signs.vasopressor, il6 >= THRESHOLDS.vasopressor)


# model.md, 5: CRS of any grade from 80 pg/mL, II from 500, III from 2000, times a lognormal of 0.3
def test_half_of_the_patients_pass_each_grade_at_its_il6():
    assert np.median(THRESHOLDS.fever) == pytest.approx(80, rel=0.03)
    first_support = np.minimum(THRESHOLDS.pressure, THRESHOLDS.oxygen)
    assert np.median(first_support) == pytest.approx(500, rel=0.03)
    first_intensive = np.minimum(THRESHOLDS.vasopressor, THRESHOLDS.high_flow)
    assert np.median(first_intensive) == pytest.approx(2000, rel=0.03)
    assert np.log(THRESHOLDS.fever).std() == pytest.approx(0.3, rel=0.05)


def test_tocilizumab_brings_the_signs_down():
    assert (signs_at(1000.0, 0.8).temperature_c < signs_at(1000.0).temperature_c).all()
    assert signs_at(1000.0, 0.8).device.sum() < signs_at(1000.0).device.sum()


# worked: at 1000 pg/mL, 80 % blocked, the signs feel 1000 (1 - 0.8 (1 - exp(-d/2))) pg/mL:
# 1000 on the day itself, 685.2 after a day, 308.3 after four days, 200 in the end
def test_tocilizumab_works_over_days():
    for days, felt in ((0.0, 1000.0), (1.0, 685.225), (4.0, 308.268), (np.inf, 200.0)):
        treated = signs_at(1000.0, 0.8, days=days)
        expected = signs_at(felt)
        assert np.array_equal(treated.device, expected.device)
        np.testing.assert_allclose(treated.temperature_c, expected.temperature_c, atol=0.11)


# property: who has had none is not changed by the block's share
def test_without_tocilizumab_there_is_no_effect():
    assert np.array_equal(signs_at(700.0, days=np.nan).device, signs_at(700.0).device)


# law: P(GVHD) = 1 - exp(-sqrt(B / 0.12)) (model.md, 5)
def test_share_with_gvhd_by_damage():
    u = (np.arange(10_000) + 0.5) / 10_000
    for damage in (0.01, 0.12, 1.0):
        share = (gvhd_threshold(u) <= damage).mean()
        assert share == pytest.approx(1 - np.exp(-np.sqrt(damage / 0.12)), abs=1e-3)


# model.md, 5: grade I below -0.6, II to 1.0, III above; MAGIC stages read off the findings
def test_organ_findings_reach_the_printed_stages():
    n = 2000
    bilirubin = np.full(n, 0.7)

    def found(level):
        return organ_findings(np.full(n, level), np.ones(n, bool), THRESHOLDS, bilirubin)

    def grade_two(f):
        return (
            (f.skin_bsa_percent > 50) | (f.bilirubin_mg_per_dl >= 2) | (f.stool_ml_per_day >= 500)
        )

    def grade_three(f):
        return (f.bilirubin_mg_per_dl > 3) | (f.stool_ml_per_day >= 1000)

    assert not grade_two(found(-0.7)).any()
    assert grade_two(found(-0.5)).all()
    assert not grade_three(found(0.9)).any()
    assert grade_three(found(1.1)).all()


def test_no_findings_without_gvhd():
    n = 2000
    found = organ_findings(np.ones(n), np.zeros(n, bool), THRESHOLDS, np.full(n, 0.7))
    assert found.skin_bsa_percent.max() == 0
    assert found.stool_ml_per_day.max() == 0
    assert not found.nausea.any()


def test_severity_fades_as_the_damage_heals():
    worst, half, tenth = (
        gvhd_severity(np.array([0.5]), np.array([share]), np.zeros(1)) for share in (1, 0.5, 0.1)
    )
    assert worst == half
    assert tenth < half


# golden: SciPy's binomial quantile, where it is exact
@pytest.mark.parametrize("share", [0.0, 1e-6, 1e-4, 0.003, 0.05, 0.4, 0.97, 1.0])
@pytest.mark.parametrize("trials", [200, 500, 1_000_000])
def test_binomial_quantiles(share, trials):
    u = (np.arange(400) + 0.5) / 400
    found = binomial(u, trials, np.full(400, share))
    if share <= 0.5:
        expected = stats.binom.ppf(u, trials, share)
    else:
        expected = trials - stats.binom.ppf(1 - u, trials, 1 - share)
    exact = trials * min(share, 1 - share) <= 40
    assert np.abs(found - expected).max() <= (0 if exact else 1)


def test_taking_patients_keeps_each_ones_threshold():
    some = take(THRESHOLDS, np.array([5, 7]))
    assert np.array_equal(some.fever, THRESHOLDS.fever[[5, 7]])
