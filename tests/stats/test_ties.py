"""Distinct times and their places, against numpy's sorting and R's rule for near ties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.stats.event_counts import index_times
from graftline.stats.ties import few_distinct


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=60))
def test_as_unique_of_numpy(values) -> None:
    """law: np.unique(values, return_inverse=True)."""
    array = np.array(values)
    distinct, place = few_distinct(array)
    expected, inverse = np.unique(array, return_inverse=True)
    np.testing.assert_array_equal(distinct, expected)
    np.testing.assert_array_equal(place, inverse)


def test_minus_zero_is_zero() -> None:
    distinct, place = few_distinct(np.array([0.0, -0.0, 1.0]))
    assert distinct.tolist() == [0.0, 1.0]
    assert place.tolist() == [0, 0, 1]


def test_too_many_distinct_values_are_sorted_instead() -> None:
    values = np.random.default_rng(2).permutation(np.arange(40_000) / 7.0 + 0.01)
    assert few_distinct(values) is None
    indexed = index_times(values)
    np.testing.assert_array_equal(indexed.time[indexed.index], values)


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ([0.1 + 0.2, 0.3, 0.5], [0, 0, 1]),
        ([1.0, 1.0 + 1e-9, 1.0 + 1e-7], [0, 0, 1]),
        ([30_000.0, 30_000.0 + 1e-4, 30_001.0], [0, 0, 1]),
        ([30.0, 30.0 + 1e-4, 31.0], [0, 1, 2]),
    ],
)
def test_near_ties_as_aeqsurv(values, places) -> None:
    """golden: survival 3.5-3, aeqSurv: gaps up to 1.49e-8, or that times the mean, are ties."""
    indexed = index_times(np.array(values))
    assert indexed.index.tolist() == places
    assert indexed.time.size == max(places) + 1
