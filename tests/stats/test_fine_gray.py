"""Fine-Gray against crr of cmprsk and against coxph on finegray rows of survival."""

import re

import numpy as np
import polars as pl
import pytest

from graftline.stats.aalen_johansen import cumulative_incidence
from graftline.stats.censoring_weights import fine_gray_rows
from graftline.stats.concordance import cox_concordance
from graftline.stats.cox import cox
from graftline.stats.cox_likelihood import FitError, SeparationError
from graftline.stats.design import design_matrix
from graftline.stats.fine_gray import fine_gray
from graftline.stats.inputs import StatsInputError
from tests.stats.golden import assert_equals_r, data_for, entries
from tests.stats.regression_golden import golden_data, golden_entries
from tests.stats.test_cox import REFERENCE, covariates_of


def matrix_of(entry) -> tuple[pl.DataFrame, np.ndarray]:
    """Data set and the model matrix in R's order of columns."""
    frame = data_for(entry.dataset, "cr")
    if "crr(" in entry.call:
        terms = re.search(r"model.matrix\(~(.*?),d\)", entry.call).group(1)
        columns = re.findall(r"\w+", terms.replace("factor", ""))
        text = re.findall(r"factor\((\w+)\)", terms)
        covariates = frame.select(
            pl.col(c).cast(pl.String) if c in text else pl.col(c) for c in columns
        )
    else:
        covariates = covariates_of(entry, frame)
    reference = {c: REFERENCE[c] for c in covariates.columns if c in ("score",)}
    design = design_matrix(covariates, reference=reference)
    plain = [name.replace("=", "") for name in design.names]
    order = [plain.index(re.sub(r"factor\((\w+)\)", r"\1", name)) for name in entry.result["names"]]
    return frame, design.matrix[:, order]


@pytest.mark.parametrize("entry", entries("fine_gray"), ids=str)
def test_equals_crr(entry):
    """R: cmprsk::crr, coefficients, robust variance, likelihoods and predict.crr.

    crr stops by default once its objective changes by less than gtol = 1e-6. The golden
    coefficients are therefore up to 3e-5 standard errors (bmt137, cause 2: 0.2% of a coefficient
    near zero) away from the optimum, which crr itself reaches with gtol=1e-12: those values, from
    tests/golden/regression.R, are ours to 1e-7, and the golden ones within their own error.
    """
    frame, matrix = matrix_of(entry)
    r, cause = entry.result, int(entry.id[-1])
    fit = fine_gray(frame["time"], frame["status"], matrix, cause=cause)
    assert_equals_r(fit.log_likelihood, r["loglik"])
    assert_equals_r(fit.log_likelihood_null, r["loglik_null"])
    (tight,) = [
        e.result for e in golden_entries("tight") if e.id == f"tight.{entry.dataset}.{cause}"
    ]
    assert_equals_r(fit.coef, tight["coef"], rel=1e-7)
    assert_equals_r(fit.variance, tight["var"], rel=1e-7)
    assert np.all(np.abs(fit.coef - np.array(r["coef"])) <= 3e-5 * np.array(r["se"]))
    scale = np.outer(r["se"], r["se"])
    np.testing.assert_allclose(fit.variance / scale, np.array(r["var"]) / scale, atol=4e-6)
    np.testing.assert_allclose(fit.std_error, r["se"], rtol=2e-6)
    found = fit.predict(r["predict"]["newcov"], r["predict"]["time"])["incidence"].to_numpy()
    assert_equals_r(found, np.ravel(r["predict"]["cif"]).tolist(), rel=6e-6)


@pytest.mark.parametrize("entry", golden_entries("crr"), ids=str)
def test_equals_crr_converged(entry):
    """R: crr(..., gtol=1e-12) on heavy ties, censoring groups, mgus2 and the bmt137 data."""
    frame = golden_data(entry.id.split(".")[1].replace("cengroup", "ties"))
    names = ["age", "male", "mspike"] if "mgus" in entry.id else ["x", "z"]
    fit = fine_gray(
        frame["time"],
        frame["cause"],
        frame.select(names),
        cause=int(entry.id[-1]),
        censoring_group=frame["s"] if "cengroup" in entry.id else None,
    )
    r = entry.result
    assert_equals_r(fit.coef, r["coef"], rel=1e-7)
    if "cengroup" in entry.id:
        # Our variance takes censoring within groups throughout; see the jackknife below.
        np.testing.assert_allclose(fit.std_error, np.sqrt(np.diag(r["var"])), rtol=3e-3)
    else:
        assert_equals_r(fit.variance, r["var"], rel=1e-7)
    assert_equals_r(
        [fit.log_likelihood, fit.log_likelihood_null],
        [*np.ravel(r["loglik"]), *np.ravel(r["loglik_null"])],
    )


@pytest.mark.parametrize("entry", entries("fine_gray_coxph"), ids=str)
def test_equals_coxph_on_finegray_rows(entry):
    """R: coxph on finegray() rows, each row its own cluster (the robust variance given there).

    bmtcrr cause 1: coxph's own stopping rule leaves 1.05e-6 in a variance near zero.
    """
    frame, matrix = matrix_of(entry)
    r, cause = entry.result, int(entry.id[-1])
    rows = fine_gray_rows(frame["time"], frame["status"], cause=cause)
    assert rows.row.size == r["n"]
    fit = cox(
        rows.stop,
        rows.event,
        matrix[rows.row],
        start=rows.start,
        weights=rows.weight,
        ties="breslow",
    )
    assert fit.events == r["nevent"]
    assert_equals_r(fit.coef, r["coef"], rel=1e-6)
    assert_equals_r(fit.variance, r["var"], rel=1.1e-6)
    assert_equals_r(fit.naive_variance, r["naive_var"], rel=1e-6)
    assert_equals_r(fit.std_error, r["se"], rel=1e-6)
    assert_equals_r(fit.log_likelihood, r["loglik"])
    assert_equals_r(fit.log_likelihood_null, r["loglik_null"])
    assert_equals_r(fit.score.statistic, r["score_test"][0])
    assert_equals_r(fit.to_frame()["p_value"].to_numpy(), r["p"], rel=1e-5)
    assert_equals_r(fit.to_frame()["lower"].to_numpy(), r["hr_lower"], rel=1e-6)
    assert_equals_r(fit.to_frame()["upper"].to_numpy(), r["hr_upper"], rel=1e-6)
    assert_equals_r(fit.likelihood_ratio.statistic, r["lr_test"][0])
    assert_equals_r(fit.wald.p_value, r["wald_test"][2], rel=1e-5)
    c = cox_concordance(fit)
    assert_equals_r([c.concordance, c.std_error], r["concordance"], rel=1e-6)
    fast = fine_gray(frame["time"], frame["status"], matrix, cause=cause, convention="survival")
    np.testing.assert_allclose(fast.coef, fit.coef, rtol=1e-8)
    np.testing.assert_allclose(fast.naive_variance, fit.naive_variance, rtol=1e-8)


@pytest.mark.parametrize("entry", golden_entries("finegray"), ids=str)
def test_equals_finegray_on_other_data(entry):
    """R: late entry, strata, repeated rows; both the rows and the linear-time fit."""
    frame, r = golden_data("ties"), entry.result
    if "repeated" in entry.id:
        frame = frame[np.repeat(np.arange(frame.height), frame["k"])]
    options = {
        "cause": int(re.search(r"etype='(\d)'", entry.call).group(1)),
        "entry": frame["entry"] if "entry" in entry.id else None,
        "strata": frame["s"] if "strata" in entry.id else None,
        "convention": "survival",
    }
    rows = fine_gray_rows(frame["time"], frame["cause"], **options)
    assert rows.row.size == r["n"]
    x = frame.select("x", "z").to_numpy()
    fit = cox(
        rows.stop,
        rows.event,
        x[rows.row],
        start=rows.start,
        weights=rows.weight,
        strata=None if options["strata"] is None else options["strata"].to_numpy()[rows.row],
        ties="breslow",
    )
    assert_equals_r(fit.coef, r["coef"])
    assert_equals_r(fit.variance, r["var"])
    fast = fine_gray(frame["time"], frame["cause"], x, **options)
    assert_equals_r(fast.coef, r["coef"])
    assert_equals_r(fast.naive_variance, r["naive_var"])


@pytest.mark.parametrize("option", ["plain", "censoring_group", "strata"])
def test_variance_is_the_jackknife_of_the_whole_estimate(option):
    """Truth: each patient's influence is the derivative of the coefficients by that patient's
    weight, which moves the censoring curves too; differentiated numerically, without ties.
    Fine and Gray's formula has 1 / Y where the derivative of the product limit has 1 / (Y - 1).
    """
    random = np.random.default_rng(5)
    n = 250
    time, status = random.permutation(n) + 1.0, random.integers(0, 3, n)
    x, group = random.normal(size=(n, 2)), random.integers(0, 2, n)
    options = {} if option == "plain" else {option: group}
    fit = fine_gray(time, status, x, **options)
    influence = []
    for i in range(n):
        ends = []
        for change in (-1e-3, 1e-3):
            weights = np.ones(n)
            weights[i] += change
            ends.append(fine_gray(time, status, x, weights=weights, **options).coef)
        influence.append((ends[1] - ends[0]) / 2e-3)
    jackknife = np.array(influence).T @ np.array(influence)
    np.testing.assert_allclose(fit.std_error, np.sqrt(np.diag(jackknife)), rtol=2e-3)


def test_no_competing_events_is_the_cox_model():
    """Law: without competing events the subdistribution hazard is the hazard."""
    d = golden_data("ties")
    event = (d["cause"] == 1).cast(pl.Int64)
    x = d.select("x", "z")
    model = cox(d["time"], event, x, ties="breslow", robust=True)
    fit = fine_gray(d["time"], event, x)
    np.testing.assert_allclose(fit.coef, model.coef, rtol=1e-9)
    np.testing.assert_allclose(fit.variance, model.variance, rtol=1e-9)


def test_without_censoring_competing_patients_simply_stay():
    """Law: with no censoring, the model is Cox's with competing times moved past the end."""
    d = golden_data("ties").filter(pl.col("cause") > 0)
    moved = np.where(d["cause"] == 2, 1000, d["time"])
    model = cox(moved, (d["cause"] == 1).cast(pl.Int64), d.select("x"), ties="breslow")
    np.testing.assert_allclose(
        fine_gray(d["time"], d["cause"], d.select("x")).coef, model.coef, rtol=1e-9
    )


def test_weights_equal_repetition():
    d = golden_data("ties")
    rows = np.repeat(np.arange(d.height), d["k"])
    x = d.select("x", "z").to_numpy()
    weighted = fine_gray(d["time"], d["cause"], x, weights=d["k"])
    repeated = fine_gray(d["time"].to_numpy()[rows], d["cause"].to_numpy()[rows], x[rows])
    np.testing.assert_allclose(weighted.coef, repeated.coef, rtol=1e-9)
    np.testing.assert_allclose(weighted.naive_variance, repeated.naive_variance, rtol=1e-9)


def test_row_order_does_not_matter():
    d = golden_data("ties")
    other = d.sample(fraction=1.0, shuffle=True, seed=3)
    one = fine_gray(d["time"], d["cause"], d.select("x", "z"))
    two = fine_gray(other["time"], other["cause"], other.select("x", "z"))
    np.testing.assert_allclose(one.variance, two.variance, rtol=1e-9)


def test_prediction_at_the_mean_is_near_the_incidence():
    """A model whose covariate does nothing predicts about what Aalen-Johansen estimates."""
    d = golden_data("ties")
    noise = np.tile([-1.0, 1.0], d.height // 2)
    fit = fine_gray(d["time"], d["cause"], noise)
    at = cumulative_incidence(d["time"], d["cause"]).at([2, 5, 10], 1)
    predicted = fit.predict([[0.0]], [2, 5, 10])["incidence"].to_numpy()
    np.testing.assert_allclose(predicted, at.incidence, atol=0.03)


class TestErrors:
    def test_nobody_has_the_cause(self):
        with pytest.raises(FitError, match="nobody has cause 2"):
            fine_gray([1, 2, 3], [1, 1, 0], [1, 2, 1], cause=2)

    def test_separation(self):
        with pytest.raises(SeparationError, match="firth_cox"):
            fine_gray([1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 2, 2], [1, 1, 1, 0, 0, 0])

    def test_wrong_lengths(self):
        with pytest.raises(StatsInputError, match="covariates: found 2 rows"):
            fine_gray([1, 2, 3], [1, 0, 1], [[1], [2]])
