"""Follow-up curves against R's survfit and prodlim, and by hand."""

import numpy as np
import pytest

from graftline.stats.inputs import StatsInputError
from graftline.stats.reverse_kaplan_meier import reverse_kaplan_meier
from tests.stats.golden import Entry, assert_equals_r, data_for, entries, prefix_of


@pytest.mark.parametrize("entry", entries("reverse_km"), ids=str)
def test_as_r(entry: Entry) -> None:
    """golden: quantile(survfit(Surv(time,1-status)~1)) or prodlim(..., reverse=TRUE)."""
    frame = data_for(entry.dataset, prefix_of(entry))
    result = entry.result
    if entry.call.startswith("prodlim"):
        curve = reverse_kaplan_meier(frame["time"], frame["status"], ties="deaths_first")
        assert_equals_r(curve.time, result["time"])
        assert_equals_r(curve.survival, result["surv"])
        assert_equals_r(curve.quantile().value, result["median"])
        return
    curve = reverse_kaplan_meier(frame["time"], frame["status"], interval="log-log")
    found = [curve.quantile(p) for p in result["probs"]]
    for ours, theirs in (("value", "quantile"), ("lower", "lower"), ("upper", "upper")):
        assert_equals_r([getattr(q, ours) for q in found], result[theirs])


def test_a_death_and_a_censoring_on_one_day_worked_by_hand() -> None:
    """worked: at 2 one of four dies and one is censored: 1 of 4 flipped, 1 of 3 deaths first."""
    time, status = [2, 2, 3, 4], [1, 0, 0, 1]
    flipped = reverse_kaplan_meier(time, status)
    np.testing.assert_allclose(flipped.survival, [3 / 4, 3 / 8, 3 / 8])
    deaths_first = reverse_kaplan_meier(time, status, ties="deaths_first", interval="plain")
    np.testing.assert_allclose(deaths_first.survival, [2 / 3, 1 / 3, 1 / 3])
    np.testing.assert_allclose(deaths_first.std_error[0] ** 2, (2 / 3) ** 2 / (3 * 2))
    assert deaths_first.events.tolist() == [1, 1, 0]
    assert str(flipped).startswith("reverse Kaplan-Meier, 4 rows, 2 events")


def test_everybody_dies_or_nobody() -> None:
    """law: nobody censored, the curve stays at 1; everybody censored, it is Kaplan-Meier."""
    for ties in ("censorings_first", "deaths_first"):
        dead = reverse_kaplan_meier([1, 2, 3], [1, 1, 1], ties=ties)
        assert dead.survival.tolist() == [1, 1, 1]
        assert np.isnan(dead.quantile().value)
        followed = reverse_kaplan_meier([1, 2, 3], [0, 0, 0], ties=ties)
        np.testing.assert_allclose(followed.survival, [2 / 3, 1 / 3, 0])


def test_bad_input() -> None:
    with pytest.raises(StatsInputError, match="ties: found 'naive'"):
        reverse_kaplan_meier([1], [0], ties="naive")
    with pytest.raises(StatsInputError, match="row 0"):
        reverse_kaplan_meier([-1], [0])
