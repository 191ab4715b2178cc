"""Comparisons on the same patients."""

import numpy as np
import pytest

from graftline.problems import InputError
from graftline.simulate.compare import CAVEAT, compare_plans, format_comparison, parse_plan

NAMES = ("all-in-one-2024", "all-in-one-2024+hsct=never")


@pytest.fixture(scope="module")
def comparison():
    same = {**{n: parse_plan(n) for n in NAMES}, "again": parse_plan(NAMES[0])}
    return compare_plans(same, 16, 2, chunk=10)


def test_plans_are_read_with_their_changes():
    plan = parse_plan("all-in-one-2024+hsct-day=30+car-t-dose=0.5+no-etoposide+cd7-negative=10")
    assert plan.fixed_hsct_day == 30
    assert plan.doses_per_kg == (1e6, 2.5e6)
    assert [d.drug for d in plan.lymphodepletion] == ["fludarabine", "cyclophosphamide"]
    assert plan.negative_share_factor == 10
    assert parse_plan("all-in-one-2024+prophylaxis").prophylaxis
    assert parse_plan("all-in-one-2024+cd34-dose=2").cd34_factor == 2


@pytest.mark.parametrize(
    "change", ["hsct=sometimes", "dose=2", "car-t-dose=-1", "no-melphalan", ""]
)
def test_unknown_changes_are_refused_with_what_is_known(change):
    with pytest.raises(InputError, match="hsct-day=DAY"):
        parse_plan(f"all-in-one-2024+{change}")


# law: common random numbers; the same plan on the same patients differs nowhere
def test_the_same_plan_has_no_difference(comparison):
    twin = [row for row in comparison.rows if row.plan == "again"]
    assert all(row.difference == row.lower == row.upper == 0.0 for row in twin)


def test_nobody_is_transplanted_where_the_plan_says_never(comparison):
    never = {r.outcome: r for r in comparison.rows if r.plan == NAMES[1]}
    assert never["Transplanted"].percent == 0.0
    assert never["Acute GVHD II-IV by day 100 after HSCT"].percent == 0.0


# worked: interval of paired differences, mean +- 1.96 sd / sqrt(n)
def test_interval_is_that_of_paired_differences():
    from graftline.simulate.compare import _difference

    row = _difference("b", "x", np.array([1.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0, 1.0]))
    assert row.percent == 75.0
    assert row.difference == 25.0
    assert row.upper - row.lower == pytest.approx(100 * 2 * 1.96 * 0.5 / 2)


def test_text_says_what_the_intervals_hold_and_keeps_the_order(comparison):
    text = format_comparison(comparison)
    assert CAVEAT in text
    assert "rank no doses and no timings" in text
    assert text.index(NAMES[0]) < text.index(NAMES[1])
