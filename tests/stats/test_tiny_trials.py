"""Trials of one to eight patients: an answer or a finding, never a traceback or a sure nonsense.

Where R has no answer either (cox.zph and coxph stop or warn) the finding says why.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline import stats
from graftline.stats.cox_likelihood import SeparationError, SingularInformationError
from graftline.stats.inputs import StatsInputError

PATIENT = st.tuples(
    st.integers(0, 5),  # time
    st.integers(0, 2),  # 0 censored, 1 event, 2 competing
    st.integers(0, 2),  # group
    st.integers(0, 1),  # stratum
    st.integers(-2, 2),  # covariate
    st.sampled_from([-0.9, 0.1, 1.3]),  # covariate
)
CALLS = {
    "kaplan_meier": lambda t, s, g, b, x: stats.kaplan_meier(t, s == 1),
    "reverse": lambda t, s, g, b, x: stats.reverse_kaplan_meier(t, s == 1),
    "logrank": lambda t, s, g, b, x: stats.logrank(t, s == 1, g, strata=b),
    "trend": lambda t, s, g, b, x: stats.logrank_trend(t, s == 1, g),
    "exact_logrank": lambda t, s, g, b, x: stats.exact_logrank(t, s == 1, g),
    "incidence": lambda t, s, g, b, x: stats.cumulative_incidence(t, s),
    "gray": lambda t, s, g, b, x: stats.gray_test(t, s, g, strata=b),
    "permuted_gray": lambda t, s, g, b, x: stats.permuted_gray_test(
        t, s, g, draws=20, most_arrangements=50
    ),
    "cox": lambda t, s, g, b, x: stats.cox(t, s == 1, x, strata=b),
    "cox_exact": lambda t, s, g, b, x: stats.cox(t, s == 1, x[:, :1], ties="exact"),
    "trend of a coefficient": lambda t, s, g, b, x: stats.proportional_hazards_test(
        stats.cox(t, s == 1, x)
    ),
    "firth": lambda t, s, g, b, x: stats.firth_cox(t, s == 1, x),
    "fine_gray": lambda t, s, g, b, x: stats.fine_gray(t, s, x[:, :1]),
}


@pytest.mark.parametrize("name", CALLS)
@given(patients=st.lists(PATIENT, min_size=1, max_size=8))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_tiny_trials_have_an_answer_or_a_finding(name, patients):
    time, status, group, stratum, *covariates = (np.array(c) for c in zip(*patients, strict=True))
    try:
        text = str(CALLS[name](time, status, group, stratum, np.column_stack(covariates)))
    except StatsInputError as finding:
        text = str(finding)
    assert text


def test_events_at_one_time_show_no_trend():
    fit = stats.cox([4, 4, 4, 5], [1, 1, 1, 0], [0.3, -1.2, 0.5, 2.0])
    with pytest.raises(StatsInputError, match="too few times"):
        stats.proportional_hazards_test(fit)


# By hand: where everybody has the event at once the residual of each is its own covariate's
# distance times 1 - 1, so that the robust variance is 0; a standard error of 0 would look sure.
def test_a_robust_variance_of_nothing_is_refused():
    with pytest.raises(SingularInformationError, match="robust variance of x1 is 0"):
        stats.fine_gray([2, 2, 2, 2], [1, 1, 1, 1], [1.0, 0.0, 2.0, -2.0])


# R: coxph(..., ties = "exact") gives NA for a covariate of a lone patient at risk.
def test_a_lone_patient_at_risk_tells_nothing_of_a_covariate():
    with pytest.raises(SingularInformationError, match="never differs"):
        stats.cox([4, 2, 5, 1], [0, 0, 1, 0], [-1.0, 0.0, -2.0, -1.0], ties="exact")


# Found among random small trials: Newton's steps, halved again and again, looked like a maximum.
def test_a_halved_step_is_no_maximum():
    x = np.array(
        [
            [-0.29787791463575364, 1.5294393022097983],
            [0.4735330639475684, -0.888743432018063],
            [-0.9878306212131576, 0.7308495389213422],
            [-1.4487194885838361, 0.9090198272139913],
            [0.3178615947141741, 0.19599168942850514],
            [-0.7866107841728799, 1.8468170426132007],
            [-1.1782331277110991, 0.8374302634079784],
        ]
    )
    start = [0.0, 2.5, 3.5, 0.0, 3.5, 0.0, 0.5]
    with pytest.raises(SeparationError, match="runs to infinity"):
        stats.cox([3, 4, 5, 2, 5, 1, 5], [0, 1, 1, 1, 0, 0, 1], x, start=start)


# Whoever entered last had each event: so far out the likelihood is flat to the last digit.
def test_a_flat_likelihood_is_no_maximum():
    with pytest.raises(SeparationError, match="coefficient of x1 runs to infinity"):
        stats.cox([7, 4, 6], [0, 1, 1], [3.15, 3.9, 5.15], start=[3.15, 3.9, 5.15])


def test_a_limit_beyond_all_numbers_is_infinite():
    fit = stats.cox([0.5, 0.5], [1, 1], [1.429494960235201, 1.428510149498043])
    assert fit.to_frame()["upper"].to_list() == [np.inf]
