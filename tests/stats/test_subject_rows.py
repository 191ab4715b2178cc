"""Several rows of one subject: counted once, checked for overlaps."""

import numpy as np
import pytest

from graftline.stats.inputs import StatsInputError
from graftline.stats.kaplan_meier import kaplan_meier, km_by_group
from graftline.stats.logrank import logrank

ID = [1, 1, 2, 3, 3, 4, 5]
START = [0, 2, 0, 0, 5, 1, 0]
STOP = [2, 6, 4, 5, 9, 8, 9]
EVENT = [0, 1, 0, 0, 1, 0, 0]
WEIGHTS = [1.5, 1.5, 1, 0.5, 0.5, 2, 1]


def test_as_survfit_with_id() -> None:
    """golden: R 4.2.2, survival 3.5-3, survfit(Surv(s, e, st) ~ 1, id = id)."""
    curve = kaplan_meier(STOP, EVENT, entry=START, subject=ID)
    assert curve.time.tolist() == [2, 4, 5, 6, 8, 9]
    assert curve.at_risk.tolist() == [5, 5, 4, 4, 3, 2]
    assert curve.events.tolist() == [0, 0, 0, 1, 0, 1]
    assert curve.censored.tolist() == [0, 1, 0, 0, 1, 1]
    np.testing.assert_allclose(curve.survival, [1, 1, 1, 0.75, 0.75, 0.375])


def test_robust_as_survfit_with_id_and_weights() -> None:
    """golden: R 4.2.2, survival 3.5-3, survfit(Surv(s, e, st) ~ 1, id = id, weights = w)."""
    curve = kaplan_meier(STOP, EVENT, entry=START, subject=ID, weights=WEIGHTS)
    np.testing.assert_allclose(curve.censored, [0, 1, 0, 0, 2, 1])
    expected = [0, 0, 0, 0.2509980, 0.2509980, 0.2874322]
    np.testing.assert_allclose(curve.std_error, expected, rtol=1e-6)


def test_order_and_names_of_subjects_do_not_matter() -> None:
    order = np.random.default_rng(4).permutation(7)
    one = kaplan_meier(STOP, EVENT, entry=START, subject=ID, weights=WEIGHTS)
    other = kaplan_meier(
        *(np.array(x)[order] for x in (STOP, EVENT)),
        entry=np.array(START)[order],
        subject=np.array([f"P{10 - i}" for i in ID])[order],
        weights=np.array(WEIGHTS)[order],
    )
    np.testing.assert_allclose(other.std_error, one.std_error, rtol=1e-12)
    np.testing.assert_array_equal(other.censored, one.censored)


@pytest.mark.parametrize(
    "call",
    [
        lambda **rows: kaplan_meier(**rows),
        lambda **rows: km_by_group(**rows, group=[1, 1, 2]),
        lambda **rows: logrank(**rows, group=[1, 1, 2]),
    ],
)
def test_overlapping_rows_are_named(call) -> None:
    with pytest.raises(StatsInputError, match=r"entry: row 1 .*\n.*of one subject"):
        call(time=[5, 8, 3], status=[0, 1, 0], entry=[0, 4, 0], subject=["a", "a", "b"])


def test_two_rows_without_entries_overlap() -> None:
    with pytest.raises(StatsInputError, match="begin before the same subject's earlier row ends"):
        kaplan_meier([5, 8], [0, 1], subject=["a", "a"])


def test_robust_variance_needs_rows_that_join_up() -> None:
    rows = {"time": [2, 6, 7], "status": [0, 1, 1], "entry": [0, 3, 0], "subject": [1, 1, 2]}
    with pytest.raises(StatsInputError, match=r"row 1 .* does not go on"):
        kaplan_meier(**rows, variance="robust")
    assert kaplan_meier(**rows).survival[-1] == 0.0
