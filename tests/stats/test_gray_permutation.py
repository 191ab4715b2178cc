"""Gray's test over relabellings: counted by hand, by brute force, and laws."""

from itertools import combinations, product

import numpy as np
import pytest

from graftline.stats import gray_test, permuted_gray_test
from graftline.stats.inputs import StatsInputError

TIME = [3, 5, 5, 8, 9, 12, 12, 20]
STATUS = [1, 2, 1, 0, 1, 2, 1, 1]
GROUP = list("abababba")


# By hand: of the 20 ways to choose three of six patients none parts early from late events as
# this one does, but its mirror image.
def test_the_most_extreme_of_twenty_arrangements_and_its_mirror():
    found = permuted_gray_test([1, 2, 3, 4, 5, 6], [1] * 6, list("aaabbb"))
    assert found.arrangements == 20
    assert found.exact
    assert found.p_value == found.lower == found.upper == 2 / 20


def _brute_force(time, status, group, strata):
    """Every relabelling within strata, one call of the test each."""
    observed = gray_test(time, status, group, strata=strata).statistic
    group, strata = np.array(group), np.array(strata)
    choices = []
    for level in np.unique(strata):
        members = np.flatnonzero(strata == level)
        size = int((group[members] == "a").sum())
        choices.append([set(chosen) for chosen in combinations(members.tolist(), size)])
    reached = []
    for chosen in product(*choices):
        labels = ["a" if any(i in part for part in chosen) else "b" for i in range(group.size)]
        try:
            statistic = gray_test(time, status, labels, strata=strata).statistic
        except StatsInputError:  # never at risk together: nothing to see, statistic 0
            statistic = 0.0
        reached.append(statistic >= observed - 1e-9)
    return np.mean(reached), len(reached)


@pytest.mark.parametrize("strata", [[1] * 8, [1, 1, 1, 1, 1, 2, 2, 2], [1, 2] * 4])
def test_all_relabellings_are_those_gone_through_one_by_one(strata):
    found = permuted_gray_test(TIME, STATUS, GROUP, strata=strata)
    share, number = _brute_force(TIME, STATUS, GROUP, strata)
    assert found.arrangements == number
    assert found.p_value == pytest.approx(share)


def test_order_of_rows_and_names_of_labels_do_not_matter():
    found = permuted_gray_test(TIME, STATUS, GROUP)
    turned = [{"a": "z", "b": "k"}[label] for label in reversed(GROUP)]
    again = permuted_gray_test(TIME[::-1], STATUS[::-1], turned)
    assert (again.p_value, again.arrangements) == (found.p_value, found.arrangements)


def test_three_groups_are_all_gone_through():
    found = permuted_gray_test(range(1, 7), [1, 2, 1, 1, 2, 1], list("aabbcc"))
    assert found.arrangements == 90  # 6! / (2! 2! 2!)
    assert 0 < found.p_value <= 1


def test_drawn_relabellings_have_an_interval_that_holds_the_exact_share():
    exact = permuted_gray_test(TIME, STATUS, GROUP)
    drawn = permuted_gray_test(TIME, STATUS, GROUP, most_arrangements=0, draws=5000, seed=4)
    assert not drawn.exact
    assert drawn.lower <= exact.p_value <= drawn.upper
    assert drawn.upper - drawn.lower < 0.03
    again = permuted_gray_test(TIME, STATUS, GROUP, most_arrangements=0, draws=5000, seed=4)
    assert again.p_value == drawn.p_value
    assert "drawn arrangements (exact p:" in str(drawn)
    assert drawn.to_frame()["arrangements"].to_list() == [5000]


# Law: under the hypothesis the p-value is at most x with a chance of at most x; over all
# arrangements of one set of outcomes that chance can be counted.
def test_its_level_is_kept_over_all_arrangements():
    p_values = []
    for chosen in combinations(range(6), 3):
        group = ["a" if i in chosen else "b" for i in range(6)]
        p_values.append(permuted_gray_test(TIME[:6], STATUS[:6], group).p_value)
    for level in sorted(set(p_values)):
        assert np.mean(np.array(p_values) <= level + 1e-12) <= level + 1e-12


def test_impossible_numbers_of_draws_are_refused():
    with pytest.raises(StatsInputError, match="at least 1 draw"):
        permuted_gray_test(TIME, STATUS, GROUP, draws=0)
