"""Cumulative hazards against R's survfit, a hand-worked example, and laws."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.stats.inputs import StatsInputError
from graftline.stats.kaplan_meier import kaplan_meier
from graftline.stats.nelson_aalen import fleming_harrington, nelson_aalen
from tests.stats.golden import (
    Entry,
    assert_equals_r,
    data_for,
    entries,
    prefix_of,
    strata_of,
)


@pytest.mark.parametrize("entry", entries("nelson_aalen"), ids=str)
def test_survival_from_hazard_as_survfit(entry: Entry) -> None:
    """golden: summary(survfit(Surv(time,status)~1, stype=2, ctype=1 or 2), times=)."""
    frame = data_for(entry.dataset, prefix_of(entry))
    ties = "in_turn" if "ctype=2" in entry.call else "together"
    result = entry.result
    curve = fleming_harrington(frame["time"], frame["status"], ties=ties, interval="log")
    at = curve.at(result["time"])
    for ours, theirs in (
        ("survival", "surv"),
        ("std_error", "se_surv"),
        ("lower", "lower"),
        ("upper", "upper"),
        ("at_risk", "n_risk"),
    ):
        assert_equals_r(getattr(at, ours), result[theirs])
    hazard = nelson_aalen(frame["time"], frame["status"], ties=ties).at(result["time"])
    assert_equals_r(hazard["cumulative_hazard"].to_numpy(), result["cumhaz"])


@pytest.mark.parametrize("entry", entries("km", "km_full", "km_edge"), ids=str)
def test_cumulative_hazard_beside_kaplan_meier(entry: Entry) -> None:
    """golden: cumhaz and std.chaz of <entry.call>."""
    result = entry.result
    if "data" in result:
        groups = [(result["data"]["time"], result["data"]["status"])]
    else:
        frame = data_for(entry.dataset, prefix_of(entry))
        by = re.search(r"~\s*([A-Za-z]\w*)", entry.call)
        labels = [name.split("=", 1)[1] for name in strata_of(entry)] if by else [None]
        members = [
            frame if by is None else frame.filter(frame[by.group(1)].cast(str) == label)
            for label in labels
        ]
        groups = [(member["time"], member["status"]) for member in members]
    hazards = [nelson_aalen(time, status) for time, status in groups]
    if "se_cumhaz" in result:
        found = np.concatenate([h.cumulative_hazard for h in hazards])
        assert_equals_r(np.concatenate([h.std_error for h in hazards]), result["se_cumhaz"])
    else:
        times = np.array(result["time"]).reshape(len(hazards), -1)
        read = [h.at(t)["cumulative_hazard"] for h, t in zip(hazards, times, strict=True)]
        found = np.concatenate(read)
    assert_equals_r(found, result["cumhaz"])


def test_six_patients_worked_by_hand() -> None:
    """worked: 1/6, then 2/4 (or 1/4 + 1/3), then 1; variances 1/36 and 2/16 (or 1/16 + 1/9)."""
    time, status = [1, 1, 6, 6, 8, 9], [1, 0, 1, 1, 0, 1]
    together = nelson_aalen(time, status, interval="plain")
    np.testing.assert_allclose(together.cumulative_hazard, [1 / 6, 4 / 6, 4 / 6, 10 / 6])
    np.testing.assert_allclose(together.std_error[1] ** 2, 1 / 36 + 2 / 16)
    in_turn = nelson_aalen(time, status, ties="in_turn")
    np.testing.assert_allclose(in_turn.cumulative_hazard[1], 1 / 6 + 1 / 4 + 1 / 3)
    np.testing.assert_allclose(in_turn.std_error[1] ** 2, 1 / 36 + 1 / 16 + 1 / 9)
    assert "Nelson-Aalen, 6 rows, 4 events" in str(together)
    assert together.lower[0] == 0.0


@settings(deadline=None, max_examples=40, derandomize=True)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 1), st.integers(1, 3)), min_size=1, max_size=20
    ),
    ties=st.sampled_from(["together", "in_turn"]),
)
def test_whole_weights_equal_repetition(rows, ties) -> None:
    time, status, weight = (np.array(c) for c in zip(*rows, strict=True))
    weighted = nelson_aalen(time, status, weights=weight, ties=ties)
    repeated = nelson_aalen(np.repeat(time, weight), np.repeat(status, weight), ties=ties)
    np.testing.assert_allclose(weighted.cumulative_hazard, repeated.cumulative_hazard)
    np.testing.assert_allclose(weighted.std_error, repeated.std_error)
    # law: exp(-H) with ties in turn is never below, and 1 - x <= exp(-x) gives S <= exp(-H)
    survival = kaplan_meier(time, status, weights=weight).survival
    assert np.all(survival <= np.exp(-weighted.cumulative_hazard) + 1e-12)


def test_fractional_weights_as_survfit() -> None:
    """golden: R 4.2.2, survival 3.5-3, survfit(Surv(e, st) ~ 1, weights = w)$std.chaz."""
    weights = [1.5, 1, 2, 0.5, 1, 1, 1]
    found = nelson_aalen([3, 4, 6, 8, 10, 9, 12], [1, 0, 1, 0, 1, 0, 1], weights=weights)
    expected = [0.1665547, 0.1665547, 0.2896092, 0.2896092, 0.2896092, 0.4570268, 0.4570268]
    np.testing.assert_allclose(found.std_error, expected, rtol=1e-6)


def test_fractional_weights_need_ties_together() -> None:
    with pytest.raises(StatsInputError, match="take ties together"):
        nelson_aalen([1, 2], [1, 1], weights=[0.5, 1], ties="in_turn")
