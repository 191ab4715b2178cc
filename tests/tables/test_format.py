"""Rounding and wording of numbers; truth: the printed figures of Hu 2024 and hand rounding."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.tables.format import (
    count,
    count_interval,
    estimate_interval,
    gvhd_grade,
    median_range,
    months,
    number,
    percent,
    rounded,
    sentence,
    significant,
    value_range,
    words,
)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (67.5, 0, "68"),  # Hu 2024 prints 68 for 0.675
        (100 * (0.9 * 7 / 8 * 6 / 7), 0, "68"),  # 67.49999999999999 in binary
        (2.5, 0, "3"),  # half away from zero, not to even
        (-2.5, 0, "\N{MINUS SIGN}3"),
        (0.0, 1, "0.0"),
        (-0.04, 1, "0.0"),  # no minus zero
        (1.005, 2, "1.01"),
        (9999.4, 0, "9999"),
        (12345.0, 0, "12,345"),
    ],
)
def test_numbers_are_rounded_half_away_from_zero(value, digits, text):
    assert number(value, digits=digits) == text


def test_what_is_missing_or_endless_says_so():
    assert number(None) == "not recorded"
    assert number(math.nan) == "not recorded"
    assert number(math.inf) == "not reached"
    assert median_range(None, None, None) == "not recorded"
    assert estimate_interval(None, None, None) == "not estimable"
    assert estimate_interval(0.0, math.nan, math.nan) == "0.0 (interval not estimable)"
    assert estimate_interval(12.3, 4.5, None) == "12.3 (4.5 to not reached)"


def test_counts_name_their_denominator():
    assert count(7, 9) == "7/9 (78%)"  # Hu 2024, full donor chimerism at month 1
    assert count(0, 6) == "0/6 (0%)"
    assert count(286, 334) == "286/334 (85.6%)"  # one decimal from 100 patients on, as printed
    assert percent(0, 0) == "no patient evaluable"
    assert count_interval(3, 10, 0.06674, 0.65245) == "3/10 (30%; 6.7\N{EN DASH}65.2)"
    assert count_interval(0, 0, None, None) == "0/0"


def test_ranges_use_a_word_where_a_minus_would_be_misread():
    assert value_range(15, 89, digits=0) == "15\N{EN DASH}89"
    assert value_range(-5, -1, digits=0) == "\N{MINUS SIGN}5 to \N{MINUS SIGN}1"
    assert median_range(19, 15, 89, digits=0) == "19 (15\N{EN DASH}89)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (316.5, "317"),
        (0.01234, "0.0123"),
        (2.9e5, "2.90e5"),
        (1e-6, "1.00e-6"),
        (None, "not recorded"),
    ],
)
def test_significant_digits_for_quantities_that_span_decades(value, text):
    assert significant(value) == text


def test_a_month_is_30_4375_days():
    assert months(365.25) == 12
    assert months(None) is None


def test_classes_and_grades_in_words():
    assert gvhd_grade(3.0) == "III"
    assert gvhd_grade(None) == "not recorded"
    assert words("car_t") == "CAR-T"
    assert words("this_graft") == "this graft"
    assert words("no_active_gvhd") == "no active GVHD"
    assert words("car_t_detectable") == "CAR-T detectable"
    assert [words(d) for d in ("t_all", "T-LBL", "aml", "mpal", "ptcl")] == [
        "T-ALL",
        "T-LBL",
        "AML",
        "MPAL",
        "PTCL",
    ]
    assert words("hsct_before") == "HSCT before"
    assert words("first of all") == "first of all"
    assert sentence("infection_any") == "Infection any"


@given(st.floats(-1e9, 1e9), st.integers(0, 4))
@settings(deadline=None, max_examples=60, derandomize=True)
def test_rounding_never_moves_a_value_by_more_than_half_a_unit(value, digits):
    assert abs(float(rounded(value, digits)) - value) <= 0.5 * 10.0**-digits + abs(value) * 1e-11
