"""Columns as users have them, and what is wrong with them."""

import numpy as np
import polars as pl
import pytest

from graftline.stats.inputs import StatsInputError, label_places, survival_data
from graftline.stats.kaplan_meier import km_by_group
from graftline.stats.logrank import logrank
from graftline.stats.rmst import restricted_mean_difference


@pytest.mark.parametrize(
    ("values", "labels", "places"),
    [
        (["b", "a", "b"], ("a", "b"), [1, 0, 1]),
        ([3, -1, 3], (-1, 3), [1, 0, 1]),
        ([True, False, True], (False, True), [1, 0, 1]),
        ([2.5, 1.0, 2.5], (1.0, 2.5), [1, 0, 1]),
        ([10_000_000_000, 5, 5], (5, 10_000_000_000), [1, 0, 0]),
        (pl.Series(["b", "a", "b"], dtype=pl.Enum(["b", "a"])), ("b", "a"), [0, 1, 0]),
        (pl.Series(["b", "a", "b"], dtype=pl.Categorical), ("a", "b"), [1, 0, 1]),
        (np.array(["b", "a", "b"], dtype=object), ("a", "b"), [1, 0, 1]),
        (np.array([2, 0, 2], dtype=np.uint8), (0, 2), [1, 0, 1]),
    ],
    ids=str,
)
def test_labels_in_their_own_order(values, labels, places) -> None:
    """Sorted labels; a polars Enum keeps the order it declares, as a factor in R."""
    problems: list[str] = []
    found, names = label_places("group", values, problems)
    assert problems == []
    assert names == labels
    assert found.tolist() == places


@pytest.mark.parametrize("missing", [[1.0, float("nan")], ["a", None], pl.Series(["a", None])])
def test_a_missing_label_is_a_problem(missing) -> None:
    problems: list[str] = []
    label_places("group", missing, problems)
    assert "group: no label in row 1" in problems[0]


def test_groups_of_weight_zero_are_no_groups() -> None:
    """law: rows of weight zero are not there."""
    arguments = {"time": [1, 2, 3, 4, 5], "status": [1, 1, 1, 0, 1], "group": list("ababc")}
    weights = [1, 1, 1, 1, 0]
    assert list(km_by_group(**arguments, weights=weights)) == ["a", "b"]
    assert logrank(**arguments, weights=weights).labels == ("a", "b")
    assert len(restricted_mean_difference(**arguments, weights=weights, horizon=3).means) == 2
    with pytest.raises(StatsInputError, match="found one level"):
        logrank(**arguments, weights=[1, 0, 1, 0, 0])


def test_long_lists_of_rows_are_cut() -> None:
    with pytest.raises(StatsInputError, match=r"rows 0, 1, .*, 9 and 15 more \(counted from 0\)"):
        survival_data(np.full(25, -1.0), np.zeros(25))


def test_entry_that_rounding_makes_equal_to_the_time() -> None:
    """An interval shorter than the tolerance of ties has no length, as R's aeqSurv says."""
    with pytest.raises(StatsInputError, match="before the row's own time"):
        survival_data([5.0], [1], entry=[5.0 - 1e-10])
    assert survival_data([0.0], [1], entry=[0.0]).time.tolist() == [0.0]
