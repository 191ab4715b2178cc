"""Log-rank tests against R's survdiff, textbook formulas in R, and laws."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.stats.inputs import StatsInputError
from graftline.stats.logrank import logrank, logrank_trend
from tests.stats.golden import Entry, assert_equals_r, data_for, entries, prefix_of

PROPERTY = settings(deadline=None, max_examples=40, derandomize=True)


def in_order_of_r(found, frame, variable: str, names=None) -> list[int]:
    """Places of our sorted groups in R's order of levels."""
    labels = [str(label) for label in found.labels]
    if names is None:
        sizes = dict(frame[variable].value_counts().rows())
        names = {
            "score": ["Low risk", "Medium risk", "High risk"],
            "dissub": ["AML", "ALL", "CML"],
        }.get(variable, sorted(map(str, sizes)))
    return [labels.index(name) for name in names]


@pytest.mark.parametrize("entry", entries("logrank", "logrank_stratified"), ids=str)
def test_as_survdiff(entry: Entry) -> None:
    """golden: <entry.call>; with rho its observed and expected are the weighted ones."""
    frame = data_for(entry.dataset, prefix_of(entry))
    variable, stratum = re.search(r"~(\w+)(?:\+strata\((\w+)\))?", entry.call).groups()
    rho = float(re.search(r"rho=([0-9.]+)", entry.call).group(1))
    found = logrank(
        frame["time"],
        frame["status"],
        frame[variable],
        strata=None if stratum is None else frame[stratum],
        weighting="fleming-harrington",
        rho=rho,
    )
    order = in_order_of_r(found, frame, variable)
    result = entry.result
    assert_equals_r(found.n[order], result["n"])
    assert_equals_r(found.weighted_events[order], result["observed"])
    assert_equals_r(found.weighted_expected[order], result["expected"])
    assert_equals_r(found.variance[np.ix_(order, order)], result["var"])
    assert_equals_r(found.chi_square, result["chisq"])
    assert found.df == result["df"]
    assert_equals_r(found.p_value, result["p"])


@pytest.mark.parametrize("entry", entries("logrank_weighted"), ids=str)
def test_weighted_as_the_textbook_formula_in_r(entry: Entry) -> None:
    """golden: <entry.call>, the formula evaluated in R 4.2.2; U and V are score and variance."""
    frame = data_for(entry.dataset, prefix_of(entry))
    variable = re.search(r"d\$status,d\$(\w+)", entry.call).group(1)
    kind = re.search(r"type='(\w+)'", entry.call).group(1)
    exponents = {
        name: float(value) for name, value in re.findall(r"(rho|gamma)=([0-9.]+)", entry.call)
    }
    weighting = {"gehan": "gehan", "tarone": "tarone-ware", "fh": "fleming-harrington"}[kind]
    found = logrank(
        frame["time"], frame["status"], frame[variable], weighting=weighting, **exponents
    )
    result = entry.result
    order = in_order_of_r(found, frame, variable, result["groups"])
    assert_equals_r(found.events[order], result["observed"])
    assert_equals_r(found.expected[order], result["expected"])
    assert_equals_r(found.score[order], result["U"], absolute=1e-9)
    assert_equals_r(found.variance[np.ix_(order, order)], result["V"])
    assert_equals_r(found.chi_square, result["chisq"])
    assert found.df == result["df"]
    assert_equals_r(found.p_value, result["p"])


def test_six_patients_worked_by_hand() -> None:
    """worked: events at 1 (a; 3 a of 6 at risk), 6 (a and b; 2 of 4) and 9 (b alone).

    Expected in a: 3/6 + 2 * 2/4 = 1.5; variance 1 * (1/2)(1/2) + 2 * (2/4)(2/4) * (4-2)/(4-1).
    """
    found = logrank([1, 1, 6, 6, 8, 9], [1, 0, 1, 1, 0, 1], list("abaabb"))
    assert found.labels == ("a", "b")
    np.testing.assert_allclose(found.events, [3, 1])
    np.testing.assert_allclose(found.expected, [1 / 2 + 2 * 2 / 4, 5 / 2])
    assert found.variance[0, 0] == pytest.approx(1 / 4 + 2 / 4 * 2 / 3)
    assert found.chi_square == pytest.approx(1.5**2 / (1 / 4 + 1 / 3))
    assert "Log-rank test" in str(found)
    assert "chi-square 3.857 on 1 df" in str(found)
    assert found.to_frame()["std_error"][0] == pytest.approx((7 / 12) ** 0.5)


def test_trend_as_score_test_of_coxph() -> None:
    """golden: R 4.2.2, survival 3.5-3, coxph(Surv(t, s) ~ score, ties="exact")$score on bmt137."""
    frame = data_for("bmt137", "os")
    trend = logrank_trend(frame["time"], frame["status"], frame["group"])
    assert trend.z**2 == pytest.approx(2.58005314153338, rel=1e-10)
    assert trend.z > 0
    stratified = logrank_trend(frame["time"], frame["status"], frame["group"], strata=frame["z10"])
    assert stratified.z**2 == pytest.approx(3.49878885880669, rel=1e-10)
    frame = data_for("bmt137", "dfs")
    scored = logrank_trend(frame["time"], frame["status"], frame["group"], scores=[0, 1, 5])
    assert scored.z**2 == pytest.approx(7.77126172210945, rel=1e-10)
    assert "for trend: z" in str(scored)
    assert scored.to_frame().height == 1


LATE = (
    "8 3 6 5 1 1 11 0 0 0 0 2 0 21 2 0 1 6 5 8 4 0 10 4 2 8 0 6 3 16 13 4 3 7 1 7 3 14 2 4 2 0 5 "
    "12 2 2 1 0 8 8 2 2 2 1 6 21 0 3 3 6"
)
ENDS = (
    "13 10 13 18 4 5 14 14 3 2 8 23 9 37 9 7 17 17 16 12 7 12 15 9 16 10 7 8 9 17 31 21 10 9 6 9 "
    "17 18 12 6 7 12 24 17 3 10 5 1 9 14 3 5 6 14 7 35 7 15 21 11"
)
STATUS = (
    "1 0 1 1 1 1 0 1 1 0 1 0 0 1 1 0 0 1 1 0 1 0 1 0 1 0 1 1 1 1 0 1 1 1 0 1 0 1 1 1 0 0 1 1 "
    "1 1 1 1 1 1 0 1 1 1 1 1 0 1 1 1"
)


def test_late_entry_as_score_test_of_coxph() -> None:
    """golden: R 4.2.2, survival 3.5-3, coxph(Surv(e, s, st) ~ factor(g), ties="exact")$score."""
    entry, time, status = (np.array(text.split(), float) for text in (LATE, ENDS, STATUS))
    found = logrank(time, status, np.tile([1, 2, 3], 20), entry=entry)
    assert found.chi_square == pytest.approx(2.08419873806555, rel=1e-10)


rows_of_groups = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 1), st.sampled_from("abc"), st.integers(1, 3)),
    min_size=6,
    max_size=30,
).filter(lambda rows: len({row[2] for row in rows}) == 3)


@PROPERTY
@given(rows=rows_of_groups, seed=st.integers(0, 9))
def test_order_and_names_do_not_matter_and_weights_repeat(rows, seed) -> None:
    time, status, group, weight = (np.array(c) for c in zip(*rows, strict=True))
    one = logrank(time, status, group, weights=weight, weighting="gehan")
    order = np.random.default_rng(seed).permutation(time.size)
    renamed = np.array([{"a": "z", "b": "y", "c": "x"}[g] for g in group])[order]
    other = logrank(time[order], status[order], renamed, weights=weight[order], weighting="gehan")
    repeated = logrank(
        np.repeat(time, weight),
        np.repeat(status, weight),
        np.repeat(group, weight),
        weighting="gehan",
    )
    np.testing.assert_allclose(other.score[::-1], one.score, atol=1e-9)
    np.testing.assert_allclose(other.chi_square, one.chi_square, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(repeated.chi_square, one.chi_square, rtol=1e-8, atol=1e-10)
    assert abs(one.score.sum()) < 1e-9


@PROPERTY
@given(rows=rows_of_groups)
def test_one_stratum_per_copy_doubles_the_test(rows) -> None:
    """law: two strata that are copies of each other double score, variance and chi-square."""
    time, status, group, _ = (np.array(c) for c in zip(*rows, strict=True))
    one = logrank(time, status, group)
    two = logrank(
        np.tile(time, 2),
        np.tile(status, 2),
        np.tile(group, 2),
        strata=np.repeat([5, 3], time.size),
    )
    np.testing.assert_allclose(two.variance, 2 * one.variance, atol=1e-12)
    np.testing.assert_allclose(two.chi_square, 2 * one.chi_square, rtol=1e-8, atol=1e-10)


def test_without_events_there_is_no_test() -> None:
    found = logrank([1, 2, 3, 4], [0, 0, 0, 0], [1, 1, 2, 2])
    assert found.df == 0
    assert found.chi_square == 0.0
    assert np.isnan(found.p_value)
    assert "p -" in str(found)
    assert np.isnan(logrank_trend([1, 2], [0, 0], [1, 2]).p_value)


def test_groups_that_never_meet_lower_the_degrees_of_freedom() -> None:
    """law: groups a, b meet in one stratum, c, d in another: two comparisons, not three."""
    time, status = [1, 2, 3, 4] * 2, [1] * 8
    group, strata = list("ababcdcd"), [1] * 4 + [2] * 4
    found = logrank(time, status, group, strata=strata)
    assert found.df == 2
    one = logrank(time[:4], status[:4], group[:4])
    assert found.chi_square == pytest.approx(2 * one.chi_square)


def test_a_group_that_leaves_before_the_first_event_takes_no_part() -> None:
    """law: as survdiff, degrees of freedom count groups with expected events."""
    found = logrank([1, 5, 6, 7, 8], [0, 1, 1, 1, 0], list("abcbc"))
    two = logrank([5, 6, 7, 8], [1, 1, 1, 0], list("bcbc"))
    assert found.df == 1
    assert found.chi_square == pytest.approx(two.chi_square)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"group": [1, 1, 1]}, "found one level"),
        ({"group": [1, None, 2]}, "group: no label in row 1"),
        ({"group": [1, 2]}, "group: found 2 values"),
        ({"rho": 1.0}, "rho: found 1.0 with weighting 'logrank'"),
        ({"weighting": "fleming-harrington", "gamma": -1.0}, "gamma: found -1.0"),
        ({"weighting": "peto"}, "weighting: found 'peto'"),
        ({"weights": [0.5, 1, 1]}, "weights: found fractions"),
    ],
)
def test_bad_input(arguments, words) -> None:
    with pytest.raises(StatsInputError, match=re.escape(words)):
        logrank(**({"time": [1, 2, 3], "status": [1, 1, 0], "group": [1, 2, 1]} | arguments))


@pytest.mark.parametrize("scores", [[1, 2, 3], [1, 1], [1, float("inf")]])
def test_bad_scores(scores) -> None:
    with pytest.raises(StatsInputError, match="scores: found"):
        logrank_trend([1, 2, 3], [1, 1, 0], [1, 2, 1], scores=scores)
