"""The exact log-rank test against plain enumeration and a case counted by hand."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.stats.inputs import StatsInputError
from graftline.stats.logrank import logrank
from graftline.stats.permutation import exact_logrank, exact_logrank_groups


def test_counted_by_hand() -> None:
    """worked: a fails at 1, 2, 3 and b at 4, 5, 6: of 20 allotments this is the most extreme."""
    found = exact_logrank([1, 2, 3, 4, 5, 6], [1] * 6, list("aaabbb"))
    assert found.arrangements == 20
    assert found.p_greater == pytest.approx(1 / 20)
    assert found.p_less == pytest.approx(1.0)
    # scores 1 - H: 5/6, 19/30, 23/60, 1/20, -9/20, -29/20; at least 37/20 away from 0: only the
    # first three and the last three
    assert found.score == pytest.approx(37 / 20)
    assert found.p_value == pytest.approx(2 / 20)
    assert "over 20 arrangements" in str(found)
    assert found.to_frame()["group"].to_list() == ["a"]


small = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 1), st.sampled_from("ab")), min_size=4, max_size=9
).filter(lambda rows: len({row[2] for row in rows}) == 2)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(rows=small, weighting=st.sampled_from(["logrank", "gehan", "tarone-ware"]))
def test_as_plain_enumeration_of_the_test(rows, weighting) -> None:
    """law: the share of all relabelled log-rank tests at least as far from 0."""
    time, status, group = (np.array(c) for c in zip(*rows, strict=True))
    found = exact_logrank(time, status, group, weighting=weighting)
    scores = []
    for chosen in combinations(range(time.size), int((group == "a").sum())):
        relabelled = np.full(time.size, "b")
        relabelled[list(chosen)] = "a"
        scores.append(logrank(time, status, relabelled, weighting=weighting).score[0])
    observed = logrank(time, status, group, weighting=weighting).score[0]
    assert found.score == pytest.approx(observed, abs=1e-9)
    scores = np.array(scores)
    assert found.p_value == pytest.approx(np.mean(np.abs(scores) >= abs(observed) - 1e-8))
    assert found.p_greater == pytest.approx(np.mean(scores >= observed - 1e-8))
    assert found.p_less == pytest.approx(np.mean(scores <= observed + 1e-8))


def test_forty_patients_come_near_the_normal_test() -> None:
    """law: for a trial of 40 without ties the exact p is close to the asymptotic one."""
    rng = np.random.default_rng(5)
    time = np.concatenate((rng.exponential(1, 20), rng.exponential(1.7, 20)))
    group = np.repeat(["a", "b"], 20)
    exact = exact_logrank(time, np.ones(40), group)
    assert exact.p_value == pytest.approx(logrank(time, np.ones(40), group).p_value, abs=0.02)


def test_three_groups_counted_by_hand() -> None:
    """worked: deaths at 1, 2, 3, one per group: all 6 allotments are equally extreme."""
    found = exact_logrank_groups([1, 2, 3], [1, 1, 1], list("abc"))
    assert found.arrangements == 6
    assert found.p_value == 1.0
    np.testing.assert_allclose(found.scores, [2 / 3, 1 / 6, -5 / 6])
    assert found.statistic == pytest.approx(2.0)
    assert str(found) == ("Exact log-rank test of 3 groups over 6 arrangements: statistic 2, p 1")


@settings(deadline=None, max_examples=20, derandomize=True)
@given(rows=small)
def test_with_two_groups_both_tests_agree(rows) -> None:
    time, status, group = (np.array(c) for c in zip(*rows, strict=True))
    two = exact_logrank(time, status, group)
    many = exact_logrank_groups(time, status, group)
    assert many.p_value == pytest.approx(two.p_value)
    assert many.arrangements == two.arrangements


def test_three_groups_as_plain_enumeration() -> None:
    """law: all 90 relabellings of 2 + 2 + 2 patients with the log-rank scores themselves."""
    time, status = np.array([1, 2, 2, 3, 5, 8]), np.array([1, 1, 0, 1, 0, 1])
    group = np.array(list("abacbc"))

    def statistic(labels) -> float:
        return float(np.sum(logrank(time, status, labels).score ** 2) / 2)

    every = set(permutations("aabbcc"))
    values = np.array([statistic(np.array(labels)) for labels in every])
    found = exact_logrank_groups(time, status, group)
    assert found.arrangements == len(every) == 90
    assert found.p_value == pytest.approx(np.mean(values >= statistic(group) - 1e-9))
    assert found.to_frame().height == 3


def test_refusals() -> None:
    with pytest.raises(StatsInputError, match="found 3 levels"):
        exact_logrank([1, 2, 3], [1, 1, 1], [1, 2, 3])
    with pytest.raises(StatsInputError, match="use logrank, or allow more"):
        exact_logrank_groups(np.arange(30.0), np.ones(30), np.arange(30) % 3)
    with pytest.raises(StatsInputError, match="at most 42"):
        exact_logrank(np.arange(43.0), np.ones(43), np.arange(43) % 2)
