"""Counts and spreads; truth: R's binom.test and hand-worked medians."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.tables.statistics import count_rows, exact_interval, levels_of, spread_row


@pytest.mark.parametrize(
    ("n", "total", "low", "high"),
    [
        # binom.test of R, printed to one digit in percent
        (3, 10, 6.7, 65.2),
        (0, 10, 0.0, 30.8),
        (9, 10, 55.5, 99.7),
        (7, 9, 40.0, 97.2),
        (8, 9, 51.8, 99.7),
        (6, 10, 26.2, 87.8),
        (0, 6, 0.0, 45.9),
        (284, 329, 82.1, 89.8),
        (11, 334, 1.7, 5.8),
    ],
)
def test_exact_intervals(n, total, low, high):
    found = exact_interval(n, total)
    assert found == pytest.approx((low / 100, high / 100), abs=5e-4)


def test_nobody_has_no_interval():
    assert exact_interval(0, 0) == (None, None)


def test_missing_is_counted_and_is_not_a_no():
    row = count_rows(pl.Series([True, None, False, None]), [(True, "Fever")], group="G").row(
        0, named=True
    )
    assert (row["n"], row["total"], row["missing"]) == (1, 2, 2)


def test_a_class_that_nobody_has_is_still_printed():
    rows = count_rows(pl.Series(["a", "a"]), [("a", "A"), ("b", "B")], group="G")
    assert rows["n"].to_list() == [2, 0]


def test_median_and_range_by_hand():
    row = spread_row(pl.Series([8.0, None, 12.0, 17.0, 11.0]), group="G", label="L").row(
        0, named=True
    )
    assert (row["value"], row["low"], row["high"]) == (11.5, 8.0, 17.0)
    assert (row["n"], row["missing"], row["digits"]) == (4, 1, 1)


def test_whole_numbers_are_printed_without_decimals():
    assert spread_row(pl.Series([15, 19, 89]), group="G", label="L")["digits"][0] == 0


def test_levels_come_by_frequency_then_name():
    assert levels_of(pl.Series(["b", "c", "a", "c", None])) == [("c", "c"), ("a", "a"), ("b", "b")]


@given(st.lists(st.sampled_from(["a", "b", None]), max_size=30))
@settings(deadline=None, max_examples=40, derandomize=True)
def test_levels_and_missing_add_up_to_everybody(values):
    series = pl.Series(values, dtype=pl.String)
    rows = count_rows(series, levels_of(series) or [("a", "a")], group="G")
    assert rows["n"].sum() + rows["missing"][0] == len(values)
    assert (rows["total"] + rows["missing"] == len(values)).all()
