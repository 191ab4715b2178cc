"""Firth's penalty: against a direct maximisation, against limits known exactly, and its purpose."""

import numpy as np
import pytest
from scipy.optimize import minimize

from graftline.stats.cox import cox
from graftline.stats.cox_likelihood import SeparationError
from graftline.stats.firth import firth_cox


def penalised(beta, time, event, x):
    """Half log determinant plus Breslow log likelihood, written out per event."""
    value, information = 0.0, np.zeros((x.shape[1], x.shape[1]))
    risk = np.exp(x @ beta)
    for i in np.flatnonzero(event):
        at = time >= time[i]
        share = risk[at] / risk[at].sum()
        mean = share @ x[at]
        value += np.log(risk[i] / risk[at].sum())
        information += (x[at] - mean).T @ ((x[at] - mean) * share[:, None])
    return value + 0.5 * np.linalg.slogdet(information)[1]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equals_direct_maximisation(seed):
    """Truth: the penalised likelihood written out and maximised by a derivative-free search."""
    random = np.random.default_rng(seed)
    time, event = random.integers(1, 15, 20).astype(float), random.integers(0, 2, 20)
    x = random.normal(size=(20, 2))
    fit = firth_cox(time, event, x, ties="breslow")
    found = minimize(
        lambda b: -penalised(b, time, event, x),
        np.zeros(2),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 2000},
    )
    np.testing.assert_allclose(fit.coef, found.x, atol=1e-6)
    assert fit.penalised_log_likelihood == pytest.approx(-found.fun, abs=1e-9)


def test_one_event_among_two_by_hand():
    """One event, x = 1 against x = 0: penalised likelihood p sqrt(p (1 - p)), largest at p = 3/4.

    p = e^b / (1 + e^b), so b = log 3, where the ordinary estimate is infinite.
    """
    with pytest.raises(SeparationError):
        cox([1, 2], [1, 0], [1, 0])
    fit = firth_cox([1, 2], [1, 0], [1, 0])
    assert fit.coef[0] == pytest.approx(np.log(3.0), abs=1e-7)


def test_profile_limits_lie_where_the_likelihood_has_fallen():
    """Law: at a limit, twice the fall of the penalised likelihood is the chi-square quantile."""
    random = np.random.default_rng(4)
    time, event = random.exponential(size=25), random.integers(0, 2, 25)
    x = random.normal(size=(25, 1))
    fit = firth_cox(time, event, x, ties="breslow")
    top = penalised(fit.coef, time, event, x)
    for limit in (fit.lower[0], fit.upper[0]):
        fall = 2.0 * (top - penalised(np.array([limit]), time, event, x))
        assert fall == pytest.approx(3.841458820694124, abs=1e-6)


def test_separated_trial_has_finite_answer():
    fit = firth_cox([1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0])
    assert np.all(np.isfinite([fit.coef[0], fit.std_error[0], fit.lower[0]]))
    assert "Firth" in str(fit)


def test_large_trials_need_no_penalty():
    """The penalty fades: with many events both estimates agree."""
    random = np.random.default_rng(2)
    x = random.normal(size=(3000, 1))
    time = random.exponential(np.exp(-0.5 * x[:, 0]))
    plain, fit = cox(time, np.ones(3000), x), firth_cox(time, np.ones(3000), x)
    assert abs(fit.coef[0] - plain.coef[0]) < 1e-3
