"""Rank correlation over time: published tables of Spearman's test, and counting orders."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from graftline.assays.tcr.trend import course_trends, rank_trend

RISING = (np.array([1.0, 3.0, 6.0, 12.0]), np.array([0.1, 0.2, 0.3, 0.4]))


def test_four_rising_samples_are_one_order_of_24_and_its_mirror() -> None:
    trend = rank_trend([RISING])
    assert (trend.rho, trend.p) == pytest.approx((1.0, 2 / 24))


def test_two_patients_multiply_their_orders() -> None:
    trend = rank_trend([RISING, RISING])
    assert (trend.rho, trend.p) == pytest.approx((1.0, 2 / 24**2))


@pytest.mark.parametrize(
    ("order", "rho", "one_sided"),
    [  # Zar 1972; Owen 1962: exact upper tails of Spearman's coefficient
        ((1, 2, 3, 5, 4), 0.9, 5 / 120),
        ((1, 2, 4, 5, 3), 0.7, 14 / 120),
        ((1, 3, 2, 4, 6, 5), 0.886, 12 / 720),
    ],
)
def test_exact_tails_of_spearmans_coefficient(
    order: tuple[int, ...], rho: float, one_sided: float
) -> None:
    trend = rank_trend([(np.arange(len(order)) * 1.0, np.array(order) * 1.0)])
    assert trend.rho == pytest.approx(rho, abs=5e-4)
    assert trend.p == pytest.approx(2 * one_sided)


@given(st.lists(st.integers(0, 4), min_size=4, max_size=12))
@settings(deadline=None, max_examples=40, derandomize=True)
def test_the_coefficient_of_one_course_is_spearmans_also_with_ties(values: list[int]) -> None:
    times = np.arange(len(values)) * 1.0
    trend = rank_trend([(times, np.array(values, dtype=float))])
    if len(set(values)) == 1:
        assert math.isnan(trend.rho)
    else:
        assert trend.rho == pytest.approx(spearmanr(times, values).statistic)
        assert 0 < trend.p <= 1


def test_long_courses_use_the_exact_variance() -> None:
    # One course of n: z = rho sqrt(n - 1), the textbook approximation.
    times = np.arange(12.0)
    values = np.array([1.0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 12])
    trend = rank_trend([(times, values)])
    z = spearmanr(times, values).statistic * math.sqrt(11)
    assert trend.p == pytest.approx(math.erfc(z / math.sqrt(2)))
    assert trend.method == "normal approximation"


def test_few_samples_are_not_estimable_and_say_so() -> None:
    table = pl.DataFrame(
        {"patient": ["P1"] * 3, "month": [1.0, 3.0, 6.0], "clonality": [0.1, 0.2, 0.3]}
    )
    rows = course_trends(table, measures=("clonality",)).rows(named=True)
    assert [row["rho"] for row in rows] == [None, None]
    assert rows[0]["reason"] == "fewer than 4 samples"
    assert rows[1]["reason"] == "no order of 3 samples could reach p < 0.05"


def test_patients_with_two_samples_count_in_the_test_over_all() -> None:
    months, names = [1.0, 12.0] * 6, [f"P{n}" for n in range(6) for _ in range(2)]
    table = pl.DataFrame({"patient": names, "month": months, "clonality": months})
    over_all = course_trends(table, measures=("clonality",)).rows(named=True)[-1]
    assert over_all["patient"] is None
    assert over_all["p"] == pytest.approx(2 / 2**6)  # not below 0.05 with five patients
    assert over_all["reason"] is None
