"""Restricted means against R's survfit, and by hand."""

import re

import numpy as np
import pytest

from graftline.stats.inputs import StatsInputError
from graftline.stats.rmst import restricted_mean, restricted_mean_difference
from tests.stats.golden import Entry, assert_equals_r, data_for, entries, prefix_of


@pytest.mark.parametrize("entry", entries("rmst"), ids=str)
def test_as_summary_survfit(entry: Entry) -> None:
    """golden: summary(<entry.call>, rmean=tau)$table; differences by the normal formulas."""
    frame = data_for(entry.dataset, prefix_of(entry))
    result = entry.result
    by = re.search(r"~\s*([A-Za-z]\w*)", entry.call)
    if by is None:
        found = restricted_mean(frame["time"], frame["status"], horizon=result["tau"])
        assert_equals_r([found.mean, found.std_error], [result["rmst"], result["se"]])
        return
    labels = [name.split("=", 1)[1] for name in result["strata"]]
    compared = restricted_mean_difference(
        frame["time"], frame["status"], frame[by.group(1)], horizon=result["tau"]
    )
    by_label = dict(zip(map(str, compared.labels), compared.means, strict=True))
    assert_equals_r([by_label[label].mean for label in labels], result["rmst"])
    assert_equals_r([by_label[label].std_error for label in labels], result["se"])
    if "diff_se" in result:
        for ours, theirs in (
            ("difference", "diff_2_minus_1"),
            ("std_error", "diff_se"),
            ("z", "diff_z"),
            ("p_value", "diff_p"),
            ("lower", "diff_lower"),
            ("upper", "diff_upper"),
        ):
            assert_equals_r(getattr(compared, ours), result[theirs])


def test_worked_by_hand() -> None:
    """worked: S = 1 to 1, 5/6 to 6, 5/12 to 9: area 1 + 5 * 5/6 + 2 * 5/12 up to 8.

    Variance: (5 * 5/6 + 2 * 5/12)^2 / (6 * 5) + (2 * 5/12)^2 * 2 / (4 * 2).
    """
    found = restricted_mean([1, 1, 6, 6, 8, 9], [1, 0, 1, 1, 0, 1], horizon=8)
    assert found.mean == pytest.approx(1 + 25 / 6 + 5 / 6, rel=1e-14)
    assert found.std_error**2 == pytest.approx(25 / 30 + (5 / 6) ** 2 / 4, rel=1e-14)
    assert not found.extended
    assert str(found).startswith("restricted mean up to 8: 6 (std. error 1.003")
    assert found.to_frame().columns[0] == "horizon"


def test_without_censoring_it_is_the_mean() -> None:
    """law: nobody censored, horizon past the last event: the mean and (n-1)/n of its variance."""
    time = np.array([2.0, 3, 5, 8, 13])
    found = restricted_mean(time, np.ones(5), horizon=20)
    assert found.mean == pytest.approx(time.mean(), rel=1e-14)
    assert found.std_error == pytest.approx(time.std() / 5**0.5, rel=1e-12)
    assert not found.extended


def test_horizon_before_the_first_and_after_the_last_time() -> None:
    assert restricted_mean([5, 6], [1, 0], horizon=3).mean == 3.0
    assert restricted_mean([5, 6], [1, 0], horizon=3).std_error == 0.0
    late = restricted_mean([5, 6], [1, 0], horizon=10)
    assert late.mean == pytest.approx(5 + 0.5 * 5)
    assert late.extended
    assert "follow-up ends before the horizon" in str(late)


def test_difference_prints_and_refuses() -> None:
    found = restricted_mean_difference([1, 2, 3, 4], [1, 1, 1, 0], list("aabb"), horizon=3)
    assert found.difference[0] == pytest.approx(1.5)
    assert "reference" in str(found)
    assert found.to_frame()["reference"].to_list() == ["a"]
    with pytest.raises(StatsInputError, match="expected at least 2 groups"):
        restricted_mean_difference([1, 2], [1, 1], ["a", "a"], horizon=3)
    with pytest.raises(StatsInputError, match="horizon"):
        restricted_mean([1], [1], horizon=0)
