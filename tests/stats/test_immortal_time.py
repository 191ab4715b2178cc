"""The guard against immortal time, and what it lets pass."""

import numpy as np
import polars as pl
import pytest

from graftline.stats.immortal_time import (
    ImmortalTimeError,
    compare_survival,
    refuse_immortal_time,
)
from graftline.stats.inputs import StatsInputError
from graftline.stats.kaplan_meier import km_by_group
from graftline.stats.logrank import logrank

TIME, STATUS, GROUP = [10, 20, 30, 40, 50, 60], [1, 0, 1, 1, 0, 1], list("ababab")


def test_baseline_groups_are_compared() -> None:
    """law: curves are those of km_by_group, the test is logrank."""
    found = compare_survival(TIME, STATUS, GROUP)
    assert found.labels == ("a", "b")
    curves = km_by_group(TIME, STATUS, GROUP)
    np.testing.assert_array_equal(found.curves[1].survival, curves["b"].survival)
    assert found.test.chi_square == logrank(TIME, STATUS, GROUP).chi_square
    assert str(found).startswith("a: 3 rows, 2 events, median 30 (95% interval")
    assert found.to_frame()["group"].unique().sort().to_list() == ["a", "b"]


@pytest.mark.parametrize("known", [57, np.int64(57), pl.Series([0, 0, 0, 28, 0, 0])])
def test_groups_known_later_are_refused_with_the_right_calls(known) -> None:
    with pytest.raises(ImmortalTimeError) as caught:
        compare_survival(TIME, STATUS, GROUP, group_known_at=known)
    for word in ("mantel_byar(", "simon_makuch(", "landmark_analysis(", "after time zero"):
        assert word in str(caught.value)


def test_rows_are_named() -> None:
    with pytest.raises(ImmortalTimeError, match=r"1 of 6 groups .* at 28 to 28, in row 3"):
        compare_survival(TIME, STATUS, GROUP, group_known_at=[0, 0, 0, 28, 0, 0])


def test_known_at_entry_is_known_in_time() -> None:
    """With left truncation the clock of immortality starts at entry."""
    entry = [5, 5, 5, 5, 5, 5]
    found = compare_survival(TIME, STATUS, GROUP, entry=entry, group_known_at=5)
    assert found.curves[0].at_risk[0] == 3
    with pytest.raises(ImmortalTimeError):
        compare_survival(TIME, STATUS, GROUP, entry=entry, group_known_at=6)


@pytest.mark.parametrize("known", [[0, 0, np.nan, 0, 0, 0], [0, 0], [0, -1, 0, 0, 0, 0]])
def test_unusable_times_are_input_errors(known) -> None:
    with pytest.raises(StatsInputError, match="group_known_at"):
        refuse_immortal_time(TIME, known)
