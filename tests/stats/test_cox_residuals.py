"""Residuals against residuals.coxph, and the sums they must have."""

import numpy as np
import pytest

from graftline.stats.cox import cox
from graftline.stats.cox_residuals import (
    cox_score_residuals,
    deviance_residuals,
    dfbeta_residuals,
    martingale_residuals,
    schoenfeld_residuals,
)
from graftline.stats.inputs import StatsInputError
from tests.stats.golden import assert_equals_r
from tests.stats.regression_golden import golden_entries
from tests.stats.test_cox import golden_fit

ENTRIES = golden_entries("residuals")


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ("martingale", martingale_residuals),
        ("deviance", deviance_residuals),
        ("score", cox_score_residuals),
        ("dfbeta", dfbeta_residuals),
    ],
)
def test_equals_residuals_coxph(entry, kind, function):
    """R: residuals(<fit>, type=kind)."""
    fit = golden_fit(entry.call.removeprefix("residuals("))
    assert_equals_r(function(fit), entry.result[kind], rel=1e-7, absolute=1e-9)


def test_schoenfeld_equals_residuals_coxph():
    """R: residuals(<fit>, 'schoenfeld'); within a tied time the order is not part of the answer."""
    (entry,) = golden_entries("schoenfeld")
    found = schoenfeld_residuals(golden_fit(entry.call.removeprefix("residuals(")))
    assert_equals_r(found.time, entry.result["time"])
    theirs = np.array(entry.result["residual"])
    for time in np.unique(found.time):
        here = found.time == time
        np.testing.assert_allclose(
            np.sort(found.residual[here], axis=0), np.sort(theirs[here], axis=0), atol=1e-8
        )


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_weighted_sums_are_zero(entry):
    """Law: the score is zero at the maximum, and events equal expected events."""
    fit = golden_fit(entry.call.removeprefix("residuals("))
    weights = np.ones(fit.n) if fit.data.weights is None else fit.data.weights
    assert weights @ martingale_residuals(fit) == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(weights @ cox_score_residuals(fit), 0.0, atol=1e-7)


def test_exact_ties_have_none():
    fit = cox([1, 1, 2, 3], [1, 1, 1, 0], [1, 2, 1.5, 1], ties="exact")
    with pytest.raises(StatsInputError, match="efron"):
        martingale_residuals(fit)
