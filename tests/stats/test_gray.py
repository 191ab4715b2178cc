"""Gray's test against cuminc of cmprsk, and what must not matter to it."""

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from graftline.stats.gray import gray_test
from graftline.stats.inputs import StatsInputError
from tests.stats.golden import assert_equals_r, data_for, entries
from tests.stats.regression_golden import golden_data, golden_entries


@pytest.mark.parametrize("entry", entries("gray", "gray_stratified", "cuminc_gray"), ids=str)
def test_equals_cuminc(entry):
    """R: cuminc(ftime, fstatus, group, strata, rho)$Tests.

    R computes p as 1 - pchisq, whose own rounding (1e-16) shows in p-values near 1e-10.
    """
    frame = data_for(entry.dataset, "cr")
    columns = [c.removeprefix("d$") for c in entry.call.split("(")[1].rstrip(")").split(",")[2:]]
    columns = [c for c in columns if "rho" not in c]
    for theirs in entry.result["gray_tests"]:
        found = gray_test(
            frame["time"],
            frame["status"],
            frame[columns[0]],
            cause=int(theirs["cause"]),
            rho=1.0 if "rho=1" in entry.call else 0.0,
            strata=frame[columns[1]] if len(columns) > 1 else None,
        )
        assert_equals_r(found.statistic, theirs["stat"])
        assert_equals_r(found.p_value, theirs["p"], absolute=1e-15)
        assert found.df == theirs["df"]


@pytest.mark.parametrize("entry", golden_entries("gray"), ids=str)
def test_equals_cuminc_on_other_data(entry):
    """R: heavy ties, strata with rho, a group in which everybody is censored, events at time 0."""
    frame = golden_data(entry.id.split(".")[1])
    for place, cause in enumerate(entry.result["cause"]):
        found = gray_test(
            frame["time"],
            frame["cause"],
            frame["g"],
            cause=cause,
            rho=1.0 if "rho=1" in entry.call else 0.0,
            strata=frame["s"] if "strata" in entry.id else None,
        )
        assert_equals_r(found.statistic, entry.result["stat"][place])
        assert found.df == entry.result["df"][place]


def test_first_event_by_hand():
    """One event of cause 1 at time 1, two patients against two: a 2 x 2 table.

    Expected 1/2, variance 1/4: chi-square (1 - 1/2)^2 / (1/4) = 1.
    """
    found = gray_test([1, 2, 2, 2], [1, 0, 0, 0], ["a", "a", "b", "b"])
    assert found.statistic == pytest.approx(1.0)
    assert found.score.tolist() == pytest.approx([0.5, -0.5])


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 2), st.integers(0, 2)), min_size=4, max_size=30
    ),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=40, derandomize=True)
def test_row_order_and_labels_do_not_matter(rows, random):
    time, status, group = np.array(rows).T
    if np.unique(group).size < 2 or not np.any(status == 1):
        return
    try:
        found = gray_test(time, status, group)
    except StatsInputError:
        return  # no two groups at risk together
    order = random.sample(range(len(rows)), len(rows))
    names = np.array(["z", "m", "a"])[group]
    again = gray_test(time[order], status[order], names[order])
    assert np.isfinite(found.statistic)
    assert again.statistic == pytest.approx(found.statistic, rel=1e-9, abs=1e-9)
    assert found.score.sum() == pytest.approx(0.0, abs=1e-9)


class TestErrors:
    def test_one_group(self):
        with pytest.raises(StatsInputError, match=r"found 1 group, \['a'\]"):
            gray_test([1, 2], [1, 0], ["a", "a"])

    def test_missing_group_names_the_row(self):
        with pytest.raises(StatsInputError, match="no label in row 1"):
            gray_test([1, 2, 3], [1, 0, 1], pl.Series(["a", None, "b"]))

    def test_cause_nobody_has(self):
        with pytest.raises(StatsInputError, match="nobody has cause 2"):
            gray_test([1, 2], [1, 0], ["a", "b"], cause=2)

    def test_groups_never_at_risk_together(self):
        with pytest.raises(StatsInputError, match="no two groups are at risk together"):
            gray_test([1, 1, 5, 6], [0, 0, 1, 2], ["a", "a", "b", "b"])


# R: cuminc(1:6, rep(1, 6), group)$Tests. Where everybody has the event the common incidence
# reaches 1 before the last of them; for "abbbaa", the mirror image of "baaabb", R stops at 0 / 0.
@pytest.mark.parametrize(
    ("group", "statistic"),
    [
        ("aababb", 2.489073),
        ("abaabb", 1.647084),
        ("aaabbb", 4.820938),
        ("baabba", 0.1543092),
        ("baaabb", 1.168015),
    ],
)
def test_everybody_has_the_event(group, statistic):
    found = gray_test(range(1, 7), [1] * 6, list(group)).statistic
    assert found == pytest.approx(statistic, abs=5e-7)
    mirrored = gray_test(range(1, 7), [1] * 6, ["ab"[label == "a"] for label in group])
    assert mirrored.statistic == pytest.approx(statistic, abs=5e-7)
