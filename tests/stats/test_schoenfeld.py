"""The test of proportional hazards against cox.zph of survival 3."""

import re

import pytest

from graftline.stats.cox import cox
from graftline.stats.inputs import StatsInputError
from graftline.stats.schoenfeld import proportional_hazards_test
from tests.stats.golden import assert_equals_r, entries
from tests.stats.regression_golden import golden_entries
from tests.stats.test_cox import ITERATIVE, fit_of, golden_fit


@pytest.mark.parametrize("entry", entries("cox_zph"), ids=str)
def test_equals_cox_zph(entry):
    """R: cox.zph(coxph(...), transform)."""
    transform = re.search(r"transform='(\w+)'", entry.call).group(1)
    frame = proportional_hazards_test(fit_of(entry), transform=transform).to_frame()
    rows = [re.sub(r"factor\((\w+)\)", r"\1", row) for row in entry.result["rows"]]
    order = [frame["term"].to_list().index(row) for row in rows]
    assert_equals_r(frame["chi_square"].to_numpy()[order], entry.result["chisq"], rel=ITERATIVE)
    assert_equals_r(frame["df"].to_numpy()[order], entry.result["df"])
    assert_equals_r(frame["p_value"].to_numpy()[order], entry.result["p"], rel=ITERATIVE)


@pytest.mark.parametrize("entry", golden_entries("zph"), ids=str)
def test_equals_cox_zph_on_other_data(entry):
    """R: start-stop rows, strata, weights, all four transforms."""
    transform = entry.id.split(".")[-1]
    frame = proportional_hazards_test(
        golden_fit(entry.call.removeprefix("cox.zph(")), transform=transform
    ).to_frame()
    assert_equals_r(frame["chi_square"].to_numpy(), entry.result["chisq"], rel=1e-7)
    assert_equals_r(frame["df"].to_numpy(), entry.result["df"])


def test_log_needs_positive_times():
    fit = cox([0, 1, 2, 3], [1, 1, 1, 0], [1, 2, 1.5, 1])
    with pytest.raises(StatsInputError, match="time 0"):
        proportional_hazards_test(fit, transform="log")
    assert "GLOBAL" in str(proportional_hazards_test(fit))
