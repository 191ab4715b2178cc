"""Cox regression against coxph of R's survival, and laws that hold whatever the software."""

import re

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from graftline.stats.concordance import cox_concordance
from graftline.stats.cox import CoxFit, cox
from graftline.stats.cox_likelihood import SeparationError, SingularInformationError
from graftline.stats.inputs import StatsInputError
from tests.reference import reference_path
from tests.stats.golden import Entry, assert_equals_r, data_for, entries, raw_table, time_dependent
from tests.stats.regression_golden import golden_data, golden_entries

# coxph stops when the log likelihood changes by less than 1e-9 of itself: its own error.
ITERATIVE = 1e-6

REFERENCE = {
    "score": "Low risk",
    "dissub": "AML",
    "drmatch": "No gender mismatch",
    "tcd": "No TCD",
    "age": "<=20",
}


def covariates_of(entry: Entry, frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of R's formula in its order; factors as text."""
    formula = re.search(r"~(.*?)[,)]\s*(data|weights|ties|cluster)", entry.call).group(1)
    names = re.findall(r"\w+", re.sub(r"\+?strata\(\w+\)|factor", "", formula))
    factors = re.findall(r"factor\((\w+)\)", formula)
    return frame.select(pl.col(n).cast(pl.String) if n in factors else pl.col(n) for n in names)


def startstop(dataset: str, prefix: str) -> pl.DataFrame:
    """Rows before and after the switch, as tmerge makes them."""
    if (dataset, prefix) == ("bmt137", "platelet"):
        return pl.read_csv(reference_path("survival/bmt137_platelet_startstop.csv"))
    wide = time_dependent(dataset, prefix).join(
        raw_table(dataset).select("id", *(c for c in raw_table(dataset).columns if c != "id")),
        on="id",
        validate="1:1",
    )
    switched = pl.col("txtime").is_not_null() & (pl.col("txtime") < pl.col("time"))
    first = wide.with_columns(
        start=pl.lit(0.0),
        stop=pl.when(switched).then("txtime").otherwise("time"),
        event=pl.when(switched).then(0).otherwise("status"),
        tx=pl.lit(0),
    )
    second = wide.filter(switched).with_columns(
        start=pl.col("txtime"), stop=pl.col("time"), event=pl.col("status"), tx=pl.lit(1)
    )
    return pl.concat([first, second]).sort("id", "start")


def fit_of(entry: Entry) -> CoxFit:
    """The R call, made here."""
    prefix = entry.id.split(".")[0]
    ties = (re.search(r"ties='(\w+)'", entry.call) or [None, "efron"])[1]
    reference = None
    if "Surv(start,stop,event)" in entry.call:
        frame = startstop(entry.dataset, prefix)
        time, event, start = frame["stop"], frame["event"], frame["start"]
    else:
        frame = data_for(entry.dataset, prefix)
        time, start = frame["time"], None
        cause = re.search(r"fstatus==(\d)", entry.call)
        event = frame["status"]
        if cause:
            event = (event == int(cause.group(1))).cast(pl.Int64)
    covariates = covariates_of(entry, frame)
    reference = {c: REFERENCE[c] for c in covariates.columns if c in REFERENCE}
    reference = {c: r for c, r in reference.items() if covariates[c].dtype == pl.String}
    strata = re.search(r"strata\((\w+)\)", entry.call)
    return cox(
        time,
        event,
        covariates,
        start=start,
        ties=ties,
        robust=True if "robust=TRUE" in entry.call else None,
        cluster=frame["id"] if "cluster=id" in entry.call else None,
        strata=frame[strata.group(1)] if strata else None,
        reference=reference,
    )


def order_in_r(fit: CoxFit, names: list[str]) -> list[int]:
    """Places of R's coefficients: R writes a level straight after the column's name."""
    plain = [name.replace("=", "") for name in fit.names]
    return [plain.index(re.sub(r"factor\((\w+)\)", r"\1", name)) for name in names]


COX = entries(
    "cox",
    "cox_robust",
    "cox_stratified",
    "cox_time_dependent",
    "cause_specific_cox",
)


@pytest.mark.parametrize("entry", COX, ids=str)
def test_fit_equals_coxph(entry):
    """R: the ``call`` of the entry. Wald statistics are rounded there to two decimals."""
    fit, r = fit_of(entry), entry.result
    order = order_in_r(fit, r["names"]) if "names" in r else [0]
    assert_equals_r(fit.coef[order], r["coef"], rel=ITERATIVE)
    assert_equals_r(
        fit.variance[np.ix_(order, order)], np.atleast_2d(r["var"]).tolist(), rel=ITERATIVE
    )
    assert_equals_r(fit.std_error[order], r["se"], rel=ITERATIVE)
    assert_equals_r(fit.log_likelihood, r["loglik"])
    assert_equals_r(fit.log_likelihood_null, r["loglik_null"])
    score = r["score_test"] if isinstance(r["score_test"], list) else [r["score_test"]]
    assert_equals_r(fit.score.statistic, score[0])
    if "naive_var" in r:
        assert_equals_r(fit.naive_variance[np.ix_(order, order)], r["naive_var"], rel=ITERATIVE)
    if "lr_test" not in r:
        return
    assert (fit.n, fit.events) == (r["n"], r["nevent"])
    table = fit.to_frame()[order]
    assert_equals_r(table["lower"].to_numpy(), r["hr_lower"], rel=ITERATIVE)
    assert_equals_r(table["upper"].to_numpy(), r["hr_upper"], rel=ITERATIVE)
    assert_equals_r(table["p_value"].to_numpy(), r["p"], rel=ITERATIVE)
    assert_equals_r(fit.likelihood_ratio.statistic, r["lr_test"][0])
    assert_equals_r(fit.likelihood_ratio.p_value, r["lr_test"][2], rel=ITERATIVE)
    assert round(fit.wald.statistic, 2) == pytest.approx(r["wald_test"][0], abs=0.0100001)
    assert_equals_r(fit.wald.p_value, r["wald_test"][2], rel=ITERATIVE)


@pytest.mark.parametrize("entry", [e for e in COX if "concordance" in e.result], ids=str)
def test_concordance_equals_coxph(entry):
    """R: summary(<call>)$concordance."""
    c = cox_concordance(fit_of(entry))
    assert_equals_r([c.concordance, c.std_error], entry.result["concordance"])


def golden_fit(call: str) -> CoxFit:
    """The call of tests/golden/regression.R, made here."""
    surv, terms, data = re.search(r"coxph\(Surv\((.*?)\)~(.*?),(\w+)", call).groups()
    frame = golden_data(data)
    columns = surv.split(",")
    strata = re.search(r"strata\((\w+)\)", terms)
    names = [t for t in terms.split("+") if "strata" not in t]
    event = columns[-1].removesuffix(">0")
    weights = re.search(r"weights=(\w+)", call)
    return cox(
        frame[columns[-2]],
        (frame[event] > 0).cast(pl.Int64),
        frame.select(names),
        start=frame[columns[0]] if len(columns) == 3 else None,
        weights=frame[weights.group(1)] if weights else None,
        strata=frame[strata.group(1)] if strata else None,
        cluster=frame["id"] if "cluster=id" in call else None,
        ties=(re.search(r"ties='(\w+)'", call) or [None, "efron"])[1],
        robust=False if "robust=FALSE" in call else None,
    )


@pytest.mark.parametrize("entry", golden_entries("cox"), ids=str)
def test_fit_equals_coxph_on_other_data(entry):
    """R: the ``call`` with coxph.control(eps=1e-13), so that its own iteration leaves no error."""
    fit, r = golden_fit(entry.call), entry.result
    assert_equals_r(fit.coef, r["coef"])
    assert_equals_r(fit.variance, r["var"])
    assert_equals_r([fit.log_likelihood_null, fit.log_likelihood], r["loglik"])
    assert_equals_r(fit.score.statistic, r["score"])
    if r["naive_var"]:
        assert_equals_r(fit.naive_variance, r["naive_var"])
    if r["concordance"] and fit.ties != "exact":
        c = cox_concordance(fit)
        assert_equals_r([c.concordance, c.std_error], r["concordance"])


def test_two_patients_by_hand():
    """Events at 1 (x=1) and 2 (x=0) and a censoring at 3 (x=1): score u(b) by hand.

    The likelihood is e^b/(2e^b+1) * 1/(1+e^b); its derivative is zero at
    1 - 2e^b/(2e^b+1) - e^b/(1+e^b) = 0, that is 2e^{2b} = 1: b = -log(2)/2.
    """
    fit = cox([1, 2, 3], [1, 1, 0], [1, 0, 1])
    assert fit.coef[0] == pytest.approx(-np.log(2) / 2, abs=1e-10)


def small_trial() -> st.SearchStrategy:
    row = st.tuples(
        st.integers(1, 6),
        st.integers(0, 1),
        st.integers(-2, 2),
        st.integers(0, 1),
        st.integers(1, 3),
    )
    return st.lists(row, min_size=12, max_size=25)


def fitted(rows, ties="breslow", weights=None) -> CoxFit | None:
    table = np.array(rows, dtype=float)
    try:
        return cox(table[:, 0], table[:, 1], table[:, 2:4], ties=ties, weights=weights)
    except StatsInputError:
        return None


@given(small_trial())
@settings(deadline=None, max_examples=40, derandomize=True)
def test_weights_equal_repetition(rows):
    """Property: a weight of 3 is three equal rows (Breslow's ties)."""
    table = np.array(rows, dtype=float)
    weighted = fitted(rows, weights=table[:, 4])
    repeated = fitted(np.repeat(table, table[:, 4].astype(int), axis=0))
    assert (weighted is None) == (repeated is None)
    if weighted is not None:
        np.testing.assert_allclose(weighted.coef, repeated.coef, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(weighted.variance, repeated.variance, rtol=1e-7)


@given(small_trial(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=25, derandomize=True)
def test_row_order_and_origin_of_covariates_do_not_matter(rows, random):
    """Property: shuffled rows, shifted covariates and start = 0 give the same coefficients."""
    fit = fitted(rows, "efron")
    if fit is None:
        return
    shuffled = random.sample(rows, len(rows))
    table = np.array(shuffled, dtype=float)
    again = cox(
        table[:, 0], table[:, 1], table[:, 2:4] + 100.0, ties="efron", start=np.zeros(len(rows))
    )
    np.testing.assert_allclose(again.coef, fit.coef, rtol=1e-6, atol=1e-8)


def test_splitting_rows_at_a_time_changes_nothing():
    """Law: (0, 8] as (0, 3] and (3, 8] is the same patient."""
    d = golden_data("ties")
    whole = cox(d["time"], (d["cause"] > 0).cast(pl.Int64), d.select("x", "z"))
    late = d.filter(pl.col("time") > 3)
    parts = pl.concat(
        [
            d.select(
                "x",
                "z",
                start=pl.lit(0.0),
                stop=pl.col("time").clip(upper_bound=3).cast(pl.Float64),
                event=((pl.col("cause") > 0) & (pl.col("time") <= 3)).cast(pl.Int64),
            ),
            late.select(
                "x",
                "z",
                start=pl.lit(3.0),
                stop=pl.col("time").cast(pl.Float64),
                event=(pl.col("cause") > 0).cast(pl.Int64),
            ),
        ]
    )
    split = cox(parts["stop"], parts["event"], parts.select("x", "z"), start=parts["start"])
    np.testing.assert_allclose(split.coef, whole.coef, rtol=1e-9)
    np.testing.assert_allclose(split.variance, whole.variance, rtol=1e-9)


def test_times_equal_but_for_rounding_are_ties():
    """0.1 + 0.2 is 0.3 (aeqSurv of survival)."""
    x = [0.0, 1.0, 0.5, 2.0]
    fit = cox([0.1 + 0.2, 0.3, 0.4, 0.5], [1, 1, 1, 0], x)
    same = cox([0.3, 0.3, 0.4, 0.5], [1, 1, 1, 0], x)
    np.testing.assert_allclose(fit.coef, same.coef, rtol=1e-12)


def test_events_at_time_zero_count():
    shifted = cox([0, 1, 1, 2, 3], [1, 1, 0, 1, 0], [0.3, 1, 0, 2, 1])
    later = cox([1, 2, 2, 3, 4], [1, 1, 0, 1, 0], [0.3, 1, 0, 2, 1])
    np.testing.assert_allclose(shifted.coef, later.coef, rtol=1e-12)


class TestErrors:
    def test_separation_names_the_covariate_and_the_remedy(self):
        with pytest.raises(SeparationError, match=r"x1 runs to infinity(.|\n)*firth_cox"):
            cox([1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0])

    def test_collinear_columns_are_named(self):
        x = np.random.default_rng(1).normal(size=(20, 2))
        with pytest.raises(SingularInformationError, match="x1, x2, x3"):
            cox(np.arange(1, 21), np.ones(20), np.column_stack((x, x.sum(axis=1))))

    def test_constant_covariate_is_named(self):
        with pytest.raises(SingularInformationError, match="site never differs"):
            cox([1, 2, 3], [1, 1, 1], pl.DataFrame({"site": [1, 1, 1]}))

    def test_single_patient(self):
        with pytest.raises(SingularInformationError):
            cox([1], [1], [1])

    def test_no_event(self):
        with pytest.raises(StatsInputError, match="found none in 3 rows"):
            cox([1, 2, 3], [0, 0, 0], [1, 2, 3])

    def test_all_problems_with_their_rows(self):
        with pytest.raises(StatsInputError) as caught:
            cox([1, -2, np.nan, 4], [1, 0, 1, 2], [1, 2, 3, 4], start=[0, 0, 0, 5])
        text = str(caught.value)
        assert "time: found -2.0, nan in rows 1, 2" in text
        assert "event: found 2.0 in row 3" in text
        assert "start" in text

    def test_missing_covariate_names_the_rows(self):
        with pytest.raises(StatsInputError, match=r"age: no value in row 1"):
            cox([1, 2, 3], [1, 1, 1], pl.DataFrame({"age": [30.0, None, 50.0]}))

    def test_overlapping_rows_of_one_subject(self):
        with pytest.raises(StatsInputError, match="row 1"):
            cox([5, 8, 9], [0, 1, 1], [0, 1, 0], start=[0, 4, 0], subject=["a", "a", "b"])

    def test_exact_ties_have_no_weights(self):
        with pytest.raises(StatsInputError, match="exact"):
            cox([1, 1, 2], [1, 1, 0], [1, 2, 3], ties="exact", weights=[1, 2, 1])


def test_printed_fit_reads_like_a_table():
    fit = cox([1, 2, 3, 4], [1, 1, 1, 0], pl.DataFrame({"age": [30, 50, 20, 60]}))
    text = str(fit)
    assert "4 rows, 3 events, efron ties" in text
    assert "age" in text
    assert "hazard ratio" in text
    assert fit.to_frame().columns[0] == "covariate"
