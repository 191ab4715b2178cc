"""Predicted survival against survfit of a coxph object."""

import re

import numpy as np
import polars as pl
import pytest

from graftline.stats.cox import cox
from graftline.stats.cox_baseline import predict_survival
from graftline.stats.inputs import StatsInputError
from tests.stats.golden import assert_equals_r, entries
from tests.stats.regression_golden import golden_data, golden_entries
from tests.stats.test_cox import ITERATIVE, fit_of, golden_fit


def patient_of(call: str) -> pl.DataFrame:
    """The ``newdata`` of the call."""
    pairs = re.findall(
        r"(\w+)=('[^']*'|-?[\d.]+)", re.search(r"data.frame\((.*?)\)", call).group(1)
    )
    return pl.DataFrame({k: [v.strip("'") if "'" in v else float(v)] for k, v in pairs})


@pytest.mark.parametrize("entry", entries("cox_baseline"), ids=str)
def test_prediction_equals_survfit(entry):
    """R: survfit(coxph(...), newdata, conf.type='log-log')."""
    r, patient = entry.result, patient_of(entry.call)
    if "group" in patient.columns:
        patient = patient.with_columns(pl.col("group").cast(pl.Int64).cast(pl.String))
    found = predict_survival(fit_of(entry), patient)
    at = found.at(r["time"])
    for ours, theirs in (
        ("survival", "surv"),
        ("std_error", "se_surv"),
        ("lower", "lower"),
        ("upper", "upper"),
        ("cumulative_hazard", "cumhaz"),
    ):
        assert_equals_r(at[ours].to_numpy(), r[theirs], rel=ITERATIVE)
    assert_equals_r(at["at_risk"].to_numpy(), r["n_risk"])
    upto = np.searchsorted(found.time, r["time"], side="right")
    counted = np.append(0.0, np.cumsum(found.events))[upto]
    assert_equals_r(np.diff(counted, prepend=0.0), r["n_event"])


@pytest.mark.parametrize("entry", golden_entries("baseline"), ids=str)
def test_prediction_equals_survfit_on_other_data(entry):
    """R: start-stop rows, weights and a stratum; every time of the curve."""
    inner = re.search(r"(coxph\(.*\)),newdata", entry.call).group(1)
    fit = golden_fit(inner)
    stratum = "large" if "celltype" in entry.call else None
    found = predict_survival(fit, patient_of(entry.call), stratum=stratum)
    r = entry.result
    at = found.at(r["time"])
    for ours, theirs in (
        ("survival", "surv"),
        ("hazard_std_error", "std_cumhaz"),
        ("cumulative_hazard", "cumhaz"),
        ("at_risk", "n_risk"),
    ):
        assert_equals_r(at[ours].to_numpy(), np.ravel(r[theirs]).tolist())
    inside = at["survival"].to_numpy() < 1.0
    for limit in ("lower", "upper"):
        theirs = np.array([np.nan if v is None else v for v in r[limit]], dtype=float)
        np.testing.assert_allclose(at[limit].to_numpy()[inside], theirs[inside], rtol=1e-8)


def test_no_covariate_effect_gives_the_survival_of_the_data():
    """Law: with a covariate balanced to a zero coefficient, Breslow's hazard is Nelson-Aalen's."""
    time, event, x = [1, 1, 2, 2, 3, 3], [1, 1, 1, 1, 0, 0], [0, 1, 0, 1, 0, 1]
    fit = cox(time, event, x, ties="breslow")
    assert fit.coef[0] == pytest.approx(0.0, abs=1e-12)
    found = predict_survival(fit, [[0.0]])
    np.testing.assert_allclose(found.cumulative_hazard[0], [2 / 6, 2 / 6 + 2 / 4, 2 / 6 + 2 / 4])


class TestErrors:
    def test_stratum_must_be_named(self):
        d = golden_data("veteran")
        fit = cox(d["time"], d["status"], d.select("karno"), strata=d["celltype"])
        with pytest.raises(StatsInputError, match="expected one of 'adeno', 'large'"):
            predict_survival(fit, pl.DataFrame({"karno": [60]}))

    def test_unknown_level(self):
        d = golden_data("veteran")
        fit = cox(d["time"], d["status"], d.select("celltype"))
        with pytest.raises(StatsInputError, match="celltype: found \\['giant'\\]"):
            predict_survival(fit, pl.DataFrame({"celltype": ["giant"]}))

    def test_missing_column(self):
        d = golden_data("veteran")
        fit = cox(d["time"], d["status"], d.select("karno", "age"))
        with pytest.raises(StatsInputError, match="no column age"):
            predict_survival(fit, pl.DataFrame({"karno": [60]}))
