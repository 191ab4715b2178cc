"""Transition-specific Cox models, their prediction, the Markov check, and cause-specific Cox."""

import numpy as np
import polars as pl
import pytest

from graftline.stats.aalen_johansen import cumulative_incidence
from graftline.stats.cause_specific import cause_specific_cox
from graftline.stats.cox import cox
from graftline.stats.inputs import StatsInputError
from graftline.stats.multistate import state_occupation, transition_hazards
from graftline.stats.multistate_cox import markov_check, predict_states, transition_cox
from graftline.stats.multistate_data import stays_from_wide
from tests.stats.regression_golden import golden_data
from tests.stats.test_multistate import ILLNESS_DEATH


def illness_death(n: int, push: float) -> tuple:
    """Drawn stays; ``push`` makes death after illness depend on when illness began."""
    random = np.random.default_rng(11)
    x = random.integers(0, 2, n)
    ill = np.round(random.exponential(10, n), 1) + 0.1
    well_death = np.round(random.exponential(25, n), 1) + 0.1
    became_ill = ill < well_death
    after = np.round(random.exponential(12 * np.exp(-push * ill), n), 1) + 0.1
    end = np.round(np.where(became_ill, ill + after, well_death), 1)
    stays = stays_from_wide(
        ILLNESS_DEATH,
        {"PR": np.minimum(ill, end), "RelDeath": end},
        {"PR": became_ill.astype(int), "RelDeath": np.ones(n)},
    )
    return stays, x


def test_fits_are_those_of_the_long_format():
    """Law: transition k's model is a Cox model of the long rows of transition k."""
    stays, x = illness_death(150, 0.0)
    fits = transition_cox(stays, pl.DataFrame({"x": x}))
    for number, fit in fits.items():
        rows = stays.long().filter(pl.col("transition") == number)
        direct = cox(rows["stop"], rows["event"], x[rows["patient"]], start=rows["start"])
        np.testing.assert_allclose(fit.coef, direct.coef, rtol=1e-12)


def test_prediction_without_effect_is_aalen_johansen():
    """Law: each patient twice, once with x = 0 and once with x = 1, has coefficient 0."""
    stays, _ = illness_death(80, 0.0)
    d = stays.to_frame()
    ill = d.filter(pl.col("state") == "Tx")
    last = d.group_by("patient").agg(pl.col("stop").max()).sort("patient")["stop"]
    twice = stays_from_wide(
        ILLNESS_DEATH,
        {"PR": np.tile(ill["stop"], 2), "RelDeath": np.tile(last, 2)},
        {"PR": np.tile((ill["next_state"] == "PR").cast(pl.Int64), 2), "RelDeath": np.ones(160)},
    )
    fits = transition_cox(twice, np.repeat([0.0, 1.0], 80), ties="breslow")
    found = predict_states(fits, ILLNESS_DEATH, [[1.0]])
    expected = state_occupation(transition_hazards(twice)).probability
    np.testing.assert_allclose(found.probability[0], expected, atol=1e-9)
    np.testing.assert_allclose(found.probability.sum(axis=1), 1.0, atol=1e-12)


def test_markov_check_finds_what_was_put_in():
    """Drawn with and without dependence on the time of illness."""
    assert markov_check(illness_death(400, 0.0)[0]).overall.p_value > 0.01
    found = markov_check(illness_death(400, 0.08)[0])
    assert found.overall.p_value < 1e-4
    assert found.frame["transition"].to_list() == ["PR -> RelDeath"]
    assert "Markov" in str(found)


def test_covariates_have_one_row_per_patient():
    stays, _ = illness_death(10, 0.0)
    with pytest.raises(StatsInputError, match="each of the 10 patients"):
        transition_cox(stays, [[1.0]])


def test_cause_specific_fits_censor_the_other_cause():
    d = golden_data("ties")
    fits = cause_specific_cox(d["time"], d["cause"], d.select("x")).fits
    assert list(fits) == [1, 2]
    direct = cox(d["time"], (d["cause"] == 2).cast(pl.Int64), d.select("x"))
    np.testing.assert_allclose(fits[2].coef, direct.coef, rtol=1e-12)


def test_cause_specific_prediction_without_effect_is_aalen_johansen():
    """Law: as above, each patient twice."""
    d = golden_data("ties")
    time, cause = np.tile(d["time"], 2), np.tile(d["cause"], 2)
    x = np.repeat([0.0, 1.0], d.height)
    fit = cause_specific_cox(time, cause, x, ties="breslow")
    found = fit.predict([[0.0]], [1, 4, 9])
    for code in (1, 2):
        expected = cumulative_incidence(time, cause).at([1, 4, 9], code).incidence
        np.testing.assert_allclose(
            found.filter(cause=code)["incidence"].to_numpy(), expected, atol=1e-9
        )
    assert fit.to_frame()["cause"].to_list() == [1, 2]
    assert "Cause 2" in str(fit)
